//! The locks and the atomics of this crate, through one door: under `--cfg model` they are loom's, so that the very protocol that runs
//! in production is the one that is model-checked.

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

#[cfg(model)]
pub(crate) use imp::MutexGuard;
pub(crate) use imp::atomic::{AtomicU64, Ordering};

/// A mutual exclusion lock that passes over poisoning. For `table/loom.rs`.
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

/// Numbers, each handed out once, upwards.
pub(crate) struct IdGen(AtomicU64);

impl Default for IdGen {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl IdGen {
    /// The next one, from 1.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The newest that was handed out.
    pub(crate) fn newest(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
