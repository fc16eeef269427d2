//! Conversion of panics in user code to exit reasons.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinError;

use crate::exit::{ExitReason, Panic};
use crate::foreign::{Caught, Guarded, InPlace, catch, resume};
use crate::system::System;

/// Runs `code`, which does not await, and returns the exit reason if it panics. The reason has the
/// location of the panic if `system` records [locations](crate::PanicLocations).
///
/// # Errors
///
/// [`ExitReason::Panicked`].
pub fn catch_panic<T>(system: Option<&System>, code: impl FnOnce() -> T) -> Result<T, ExitReason> {
    catch(code).map_err(|mut caught| {
        let location = caught.location.take().filter(|_| system.is_some_and(System::has_panic_locations));
        reason_at(caught, location)
    })
}

/// Runs a future and returns the exit reason if it panics. If the returned future is dropped early,
/// the rest of `future` is dropped under a guard.
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
        let mut pinned = pin!(future.into_inner());
        let mut future = InPlace::new(pinned.as_mut());
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

/// Returns the exit reason for the payload of a panic, and drops the payload under a guard. The
/// panic was caught on another thread or in another task, so its location is unknown.
pub fn reason_of(payload: Box<dyn Any + Send>) -> ExitReason {
    reason_at(Caught::elsewhere(payload), None)
}

/// Returns why a task of the runtime has no result: the reason of its panic, or
/// [`Killed`](ExitReason::Killed) if it was cancelled.
pub fn reason_of_join(error: JoinError) -> ExitReason {
    match error.try_into_panic() {
        Ok(payload) => reason_of(payload),
        Err(_) => ExitReason::Killed,
    }
}

fn reason_at(mut caught: Caught, location: Option<String>) -> ExitReason {
    if let Some(Resumed(reason)) = caught.take() {
        return reason;
    }
    ExitReason::Panicked(Arc::new(Panic { message: caught.message(), location }))
}

/// The payload of a panic that was caught on another thread and is resumed here.
struct Resumed(ExitReason);

/// Unwinds so that the guard around the caller returns `reason`. This resumes a panic that was
/// caught on another thread, where its location was known. No panic hook is called.
pub fn resume_panic(reason: ExitReason) -> ! {
    resume(Resumed(reason))
}
