//! Wakers that are stored: under a lock, in tokio's wait queues, in a timer.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::guards::ignore_panic;
use super::values::Guarded;
use crate::sync::Mutex;

/// Stores `waker` in the place that `place` finds under the lock. Returns `false` if it finds none,
/// because there is nothing to wait for any more.
///
/// The waker is cloned, and the previous one dropped, under no lock: a waker may run any code.
pub fn register_waker<T>(
    lock: &Mutex<T>,
    waker: &Waker,
    place: impl Fn(&mut T) -> Option<&mut Option<Waker>>,
) -> bool {
    match place(&mut lock.lock()) {
        None => return false,
        Some(Some(known)) if known.will_wake(waker) => return true,
        Some(_) => {}
    }
    let mut newest = Some(waker.clone());
    let is_registered = place(&mut lock.lock()).map(|known| mem::swap(known, &mut newest)).is_some();
    drop(newest);
    is_registered
}

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
                let safe = guarded(cx.waker().clone());
                known = Some((cx.waker().clone(), safe.clone()));
                safe
            }
        };
        future.as_mut().poll(&mut Context::from_waker(&safe))
    })
    .await
}

/// Returns a waker that never panics when it is cloned, woken or dropped.
pub(crate) fn guarded(waker: Waker) -> Waker {
    Waker::from(Arc::new(Safe(Guarded::new(waker))))
}

struct Safe(Guarded<Waker>);

impl Wake for Safe {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        ignore_panic(|| self.0.wake_by_ref());
    }
}
