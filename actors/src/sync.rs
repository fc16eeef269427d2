//! The one door to locks and atomics, for every crate. Under `--cfg model` they are loom's, so the
//! code that runs in production is the code that is model-checked.
//!
//! A lock here is never poisoned. The data under it is changed by short code that calls no foreign
//! code, and a panic in a handler happens outside every lock.

use std::sync::PoisonError;
use std::time::Duration;

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

pub use imp::MutexGuard;
pub(crate) use imp::atomic::fence;
pub use imp::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
// Loom has none, so a model does not see it.
pub use std::sync::OnceLock;

/// A mutual exclusion lock that ignores poisoning.
#[derive(Debug, Default)]
pub struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    /// Returns an unlocked mutex with this value.
    pub fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// Waits until no other thread holds the lock, and takes it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value without locking.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition that threads wait for under a [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(imp::Condvar);

impl Condvar {
    /// Wakes one waiting thread.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Releases the lock and waits for a notification or for `timeout`. Takes the lock again.
    pub fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Duration) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A value reachable only through `&mut`. It is therefore `Sync` without locking, and its owner can
/// be borrowed across an await.
pub(crate) struct SyncWrapper<T>(std::sync::Mutex<T>);

impl<T> SyncWrapper<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn get(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A generator of unique, increasing numbers.
#[derive(Debug, Default)]
pub struct IdGen(AtomicU64);

impl IdGen {
    /// Returns the next number. The first is 1.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Returns the latest number that [`next`](Self::next) returned, or 0.
    pub fn latest(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
