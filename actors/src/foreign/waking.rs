//! Wakers that do not panic, for futures that wait in tokio's wait queues.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::guards::ignore_panic;
use super::values::Guarded;

/// Runs a future of this library with a waker that does not panic.
///
/// For futures in a queue where one wake-up wakes several waiters, as in tokio's `Notify` and
/// `watch`: a waker that panics there would lose the wake-ups of the other waiters.
pub async fn wake_safely<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut known: Option<(Waker, Waker)> = None;
    poll_fn(|cx| {
        let safe = match &known {
            Some((waker, safe)) if waker.will_wake(cx.waker()) => safe.clone(),
            _ => {
                let safe = Waker::from(Arc::new(Safe(Guarded::new(cx.waker().clone()))));
                known = Some((cx.waker().clone(), safe.clone()));
                safe
            }
        };
        future.as_mut().poll(&mut Context::from_waker(&safe))
    })
    .await
}

/// A waker that does not panic.
struct Safe(Guarded<Waker>);

impl Wake for Safe {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        ignore_panic(|| self.0.wake_by_ref());
    }
}
