//! The lock and the atomics of this crate. Under `--cfg model` they are loom's, so the code that
//! runs in production is the code that is model-checked.
//!
//! A lock here is never poisoned. The data under it is changed by short code that calls no foreign
//! code, and a panic in a handler happens outside every lock.

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

pub(crate) use imp::MutexGuard;
pub(crate) use imp::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A value reachable only through `&mut`. It is therefore `Sync` without locking, and its owner can
/// be borrowed across an await.
pub(crate) struct SyncWrapper<T>(std::sync::Mutex<T>);

impl<T> SyncWrapper<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn get(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A mutual exclusion lock that ignores poisoning.
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
