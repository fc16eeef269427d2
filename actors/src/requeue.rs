//! A task that lets others run and is queued meanwhile.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets the tasks run that are ready.
///
/// The task is queued at once, where any thread of the runtime finds it. `tokio::task::yield_now`
/// queues it once its thread has nothing else to do and has polled for I/O.
#[derive(Debug, Default)]
pub struct Requeue {
    has_waited: bool,
}

impl Future for Requeue {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if mem::replace(&mut self.has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
