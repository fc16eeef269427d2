//! The locks and atomics of this crate. Under `--cfg model` they are loom's, so the protocol that
//! runs in production is the one that is model-checked.

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

#[cfg(model)]
pub(crate) use imp::MutexGuard;
pub(crate) use imp::atomic::{AtomicU64, Ordering};

/// A mutex that ignores poisoning. `table/loom.rs` uses it.
#[cfg(model)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

#[cfg(model)]
impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(model)]
impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// A generator of unique, increasing numbers.
pub(crate) struct IdGen(AtomicU64);

impl Default for IdGen {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl IdGen {
    /// Returns the next number. The first is 1.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Returns the latest number that [`next`](Self::next) returned, or 0.
    pub(crate) fn newest(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
