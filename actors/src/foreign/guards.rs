//! Catching panics. This is the only file of the crate that does so; `tests/architecture.rs` checks
//! it.

use std::any::Any;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::task::Waker;

use crate::panics::Section;

/// The number of payloads whose `Drop` may panic with another payload before the next one is
/// leaked.
const PAYLOADS: usize = 8;

/// A caught panic. Its payload is dropped under a guard.
pub(crate) struct Caught {
    payload: Option<Box<dyn Any + Send>>,
    /// The location of the panic, if a hook recorded it.
    pub(crate) location: Option<String>,
}

impl Caught {
    /// Wraps a payload that was caught elsewhere, so its location is unknown.
    pub(crate) const fn elsewhere(payload: Box<dyn Any + Send>) -> Self {
        Self { payload: Some(payload), location: None }
    }

    /// Takes the payload out, if it is a `T`.
    pub(crate) fn take<T: Any>(&mut self) -> Option<T> {
        match self.payload.take()?.downcast() {
            Ok(payload) => Some(*payload),
            Err(payload) => {
                self.payload = Some(payload);
                None
            }
        }
    }

    /// Returns the message of the panic, or a fixed text if the payload is not text.
    pub(crate) fn message(&self) -> String {
        let payload = self.payload.as_deref();
        let text = payload.and_then(|payload| payload.downcast_ref::<&str>()).map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.and_then(|payload| payload.downcast_ref::<String>()).cloned());
        text.unwrap_or_else(|| "a payload that is no text".to_owned())
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            discard(payload);
        }
    }
}

/// Runs `code`, which does not await. Returns the panic if it panics.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Caught> {
    let section = Section::begin();
    panic::catch_unwind(AssertUnwindSafe(code))
        .map_err(|payload| Caught { payload: Some(payload), location: section.location() })
}

/// Unwinds with a payload that the guard around the caller catches. No panic hook is called.
pub(crate) fn resume(payload: impl Any + Send) -> ! {
    panic::resume_unwind(Box::new(payload))
}

/// Runs `code` and ignores a panic in it.
pub fn ignore_panic(code: impl FnOnce()) {
    drop(catch(code));
}

/// Drops the payload of a caught panic. Its `Drop` may panic again, with a payload that does the
/// same.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..PAYLOADS {
        let Some(next) = catch(|| drop(payload)).err().and_then(|mut caught| caught.payload.take()) else {
            return;
        };
        payload = next;
    }
    mem::forget(payload);
}

/// Drops values one by one, each under its own guard: two panics in one unwinding would abort the
/// process.
pub fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(|value| ignore_panic(|| drop(value)));
}

/// Wakes tasks one by one, each under a guard: a user that polls a future itself supplies the
/// waker.
pub fn wake_each(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(|waker| ignore_panic(|| waker.wake()));
}
