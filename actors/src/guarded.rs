//! Guards over many values, over futures and over wakers, made of those in [`foreign`](crate::foreign).

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::exit::ExitReason;
use crate::foreign::{Guarded, InPlace, catch_panic, dispose, drop_each, ignore_panic};
use crate::system::System;

/// Values that are dropped one by one, each under a guard of its own: two panics in one unwinding would abort the process.
pub struct Each<T>(Vec<T>);

impl<T> Each<T> {
    /// Puts values under guards.
    #[must_use]
    pub const fn new(values: Vec<T>) -> Self {
        Self(values)
    }

    /// Adds a value at the end.
    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    /// Takes the last value out.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Takes all values out of their guards.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<T> Deref for Each<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Drop for Each<T> {
    fn drop(&mut self) {
        if std::mem::needs_drop::<T>() {
            drop_each(self.0.drain(..));
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Each<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Drops values in one task of their own, each under a guard. See [`dispose`].
pub fn dispose_each<T: Send + 'static>(values: Vec<T>) {
    if std::mem::needs_drop::<T>() && !values.is_empty() {
        dispose(Each::new(values));
    }
}

/// Runs a future. Returns the reason if it panics. What is left of it when this is dropped is dropped under a guard.
///
/// # Errors
///
/// [`ExitReason::Panicked`].
pub fn catch_panics<F: Future>(
    system: Option<System>,
    future: F,
) -> impl Future<Output = Result<F::Output, ExitReason>> {
    let future = Guarded::new(future);
    async move {
        let mut place = pin!(future.into_inner());
        let mut future = InPlace::new(place.as_mut());
        poll_fn(|cx| {
            let Some(future) = future.get() else { return Poll::Ready(Err(ExitReason::Killed)) };
            match catch_panic(system.as_ref(), || future.poll(cx)) {
                Ok(polled) => polled.map(Ok),
                Err(reason) => Poll::Ready(Err(reason)),
            }
        })
        .await
    }
}

/// Runs a future of this library that stands in a line with others of which one wake-up wakes several, as those of tokio's
/// `Notify` and `watch`: a waker that panics there would cost the others theirs.
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
