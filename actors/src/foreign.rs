//! Guards around code that users gave: handlers, closures, `Drop`, `Display`, `From`, wakers.
//!
//! Foreign code may panic, block or call back into the system. A panic that leaves a half-done transition behind would
//! lose an actor for good, so every call into foreign code from a place that has to go on goes through this module.
//!
//! # Guarantees
//!
//! - A panic ends here, and so does a panic of its payload's `Drop`.
//! - [`dispose`] and [`Foreign`] drop a value in a task of its own: the caller holds no lock and does not wait for it.
//!
//! This is the one file of the crate that catches panics; `tests/architecture.rs` keeps it so.

use std::any::Any;
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use tokio::runtime::Handle;
use tokio::task::JoinError;

use crate::exit::{ExitReason, Panic};
use crate::panics::Section;
use crate::system::System;

/// The number of payloads whose `Drop` may panic with another payload before the next one is leaked.
const PAYLOADS: usize = 8;

/// Runs `code`, which does not await. Returns the reason if it panics; `system` may know where it did.
///
/// # Errors
///
/// [`ExitReason::Panicked`].
pub fn catch_panic<T>(system: Option<&System>, code: impl FnOnce() -> T) -> Result<T, ExitReason> {
    catch(code).map_err(|(payload, place)| {
        reason_at(payload, place.filter(|_| system.is_some_and(System::tells_panic_locations)))
    })
}

/// Returns the reason that the payload of a panic stands for, and drops the payload under a guard. The panic was caught elsewhere, on
/// another thread or in another task, so nothing is known of its place.
pub fn reason_of(payload: Box<dyn Any + Send>) -> ExitReason {
    reason_at(payload, None)
}

fn reason_at(payload: Box<dyn Any + Send>, place: Option<String>) -> ExitReason {
    let payload = match payload.downcast::<Resumed>() {
        Ok(resumed) => return resumed.0,
        Err(payload) => payload,
    };
    let panic = Panic::new(&*payload, place);
    discard(payload);
    ExitReason::Panicked(Arc::new(panic))
}

/// Returns why a task of the runtime has no result: the reason of its panic, or that it was killed.
pub fn reason_of_join(error: JoinError) -> ExitReason {
    match error.try_into_panic() {
        Ok(payload) => reason_of(payload),
        Err(_) => ExitReason::Killed,
    }
}

/// The payload of a panic that was caught on another thread and goes on here.
struct Resumed(ExitReason);

/// Unwinds, so that the guard around the caller gives `reason`: for a panic that was caught on another thread, where its place
/// was known. No panic hook is called.
pub fn resume_panic(reason: ExitReason) -> ! {
    panic::resume_unwind(Box::new(Resumed(reason)))
}

/// Runs `code` and goes on if it panics.
pub fn ignore_panic(code: impl FnOnce()) {
    if let Err((payload, _)) = catch(code) {
        discard(payload);
    }
}

/// The payload of a caught panic, and where it happened, if a hook was told.
type Caught = (Box<dyn Any + Send>, Option<String>);

fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Caught> {
    let section = Section::begin();
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(|payload| (payload, section.place()))
}

/// Drops the payload of a caught panic. Its `Drop` may panic too, with a payload that does the same.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..PAYLOADS {
        match catch(|| drop(payload)) {
            Ok(()) => return,
            Err((next, _)) => payload = next,
        }
    }
    mem::forget(payload);
}

/// Drops values one by one, each under a guard of its own: two panics in one unwinding would abort the process.
pub fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(|value| ignore_panic(|| drop(value)));
}

/// Wakes tasks one by one. A waker is foreign code as soon as users poll a future themselves.
pub fn wake_each(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(|waker| ignore_panic(|| waker.wake()));
}

/// Drops `value` under a guard, in a task of its own if there is a runtime here, else at once.
///
/// For places that must neither wait for a user's `Drop` nor be called back by it: a supervisor's turn, or code that
/// holds a lock. If the runtime is shut down before the task runs, the value is dropped then.
pub fn dispose<T: Send + 'static>(value: T) {
    if !mem::needs_drop::<T>() {
        return;
    }
    let value = Guarded::new(value);
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async move { drop(value) })),
        Err(_) => drop(value),
    }
}

/// A value whose `Drop` may panic: it is dropped under a guard.
pub struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    /// Puts a value under the guard.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Takes the value out of the guard. Always returns it.
    pub fn into_inner(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded(..)")
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("the value is taken by `drop` and `into_inner` only"),
        }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some(value) => value,
            None => unreachable!("the value is taken by `drop` and `into_inner` only"),
        }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        if !mem::needs_drop::<T>() {
            return;
        }
        if let Some(value) = self.0.take() {
            ignore_panic(|| drop(value));
        }
    }
}

/// A future in its place on the stack, dropped there under a guard: the locals of a handler that was killed may panic.
pub struct InPlace<'a, F>(Pin<&'a mut Option<F>>);

impl<'a, F> InPlace<'a, F> {
    /// Takes charge of a future.
    pub const fn new(place: Pin<&'a mut Option<F>>) -> Self {
        Self(place)
    }

    /// Returns the future, unless it was dropped.
    pub fn get(&mut self) -> Option<Pin<&mut F>> {
        self.0.as_mut().as_pin_mut()
    }
}

impl<F> fmt::Debug for InPlace<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InPlace(..)")
    }
}

impl<F> Drop for InPlace<'_, F> {
    fn drop(&mut self) {
        ignore_panic(|| self.0.set(None));
    }
}

/// A user's value that the library shares or keeps. It is [disposed of](dispose), wherever its last owner lets it go.
pub struct Foreign<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Foreign<T> {
    /// Wraps a user's value.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> Deref for Foreign<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("the value is taken by `drop` only"),
        }
    }
}

impl<T: Send + 'static> Drop for Foreign<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            dispose(value);
        }
    }
}

impl<T: Send + fmt::Debug + 'static> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
