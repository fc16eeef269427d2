//! A check by code of the user, which runs in a task of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::catch_panics;
use perennial_actors::host::sync::{AtomicBool, Ordering};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The result of a check of a [`Probe`](crate::Probe) or a
/// [`WorkerProbe`](crate::pool::WorkerProbe): a success or a failure.
pub trait CheckResult: Send + 'static {
    /// Returns `true` if the check has succeeded.
    fn is_success(&self) -> bool;
}

/// `true` is a success.
impl CheckResult for bool {
    fn is_success(&self) -> bool {
        *self
    }
}

/// `Ok` is a success, whatever its value.
impl<T: Send + 'static, E: Send + 'static> CheckResult for Result<T, E> {
    fn is_success(&self) -> bool {
        self.is_ok()
    }
}

/// Runs one check at a time.
#[derive(Clone, Default)]
pub(crate) struct CheckRunner {
    is_running: Arc<AtomicBool>,
}

impl CheckRunner {
    /// Runs a check in a task of its own. Returns `false` if it fails, panics or takes longer than
    /// `limit`, which drops it. A check that blocks its thread cannot be dropped: until it has
    /// ended, no other is begun and each fails at once.
    pub(crate) async fn run<F>(&self, limit: Duration, check: impl FnOnce() -> F + Send + 'static) -> bool
    where
        F: Future<Output: CheckResult> + Send + 'static,
    {
        if self.is_running.swap(true, Ordering::AcqRel) {
            return false;
        }
        let running = Running(self.is_running.clone());
        // The result is dropped under the guard too.
        let guarded = catch_panics(None, async move { check().await.is_success() });
        let mut task = AbortOnDrop(tokio::spawn(async move {
            let succeeded = guarded.await.unwrap_or(false);
            drop(running);
            succeeded
        }));
        matches!(timeout(limit, &mut task.0).await, Ok(Ok(true)))
    }
}

/// Marks a check as running until it is dropped.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A task that is aborted when this is dropped.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
