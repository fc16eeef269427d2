//! The lock and the atomics of this crate, through one door: under `--cfg model` they are loom's, so that the very
//! protocol that runs in production is the one that is model-checked.
//!
//! A lock here is never poisoned: what it guards is changed by short straight code that does not call out, and a
//! panic in a handler happens outside every lock.

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

pub(crate) use imp::MutexGuard;
pub(crate) use imp::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Something that only whoever has it to himself gets at. So it may be shared though it may not be used so, and what holds it
/// can be lent across an await.
pub(crate) struct SyncWrapper<T>(std::sync::Mutex<T>);

impl<T> SyncWrapper<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn get(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A mutual exclusion lock that passes over poisoning.
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
