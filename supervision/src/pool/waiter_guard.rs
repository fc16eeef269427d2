//! The submitter's side of a wait for room.

use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::host::ignore_panic;

use super::job_handle::JobControl;
use super::job_state::JobResult;
use super::new_job::{AdmittedJob, NewJob};
use super::shared::Shared;
use super::wait_queue::{Admission, AdmissionCell};

/// A waiting submitter. Dropping it leaves the wait queue.
pub(super) struct WaiterGuard<'a, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pool: &'a Shared<J, T, E>,
    ticket: u64,
    cell: Arc<AdmissionCell<J, T, E>>,
}

impl<J, T, E> WaiterGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Resolves when the job is admitted, or returned because the pool accepts no more jobs.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<AdmittedJob<J, T, E>, J>> {
        self.cell.poll(cx)
    }
}

impl<J, T, E> Drop for WaiterGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Removes the job from the wait queue. If the job was admitted and the submitter has not
    /// observed that, the job is cancelled.
    fn drop(&mut self) {
        let left = self.pool.lock_state().waiters.remove(self.ticket);
        ignore_panic(|| drop(left));
        match self.cell.take() {
            Some(Ok(task)) if task.cancel() => self.pool.cancelled(task.id),
            Some(Err(job)) => ignore_panic(|| drop(job)),
            Some(Ok(_)) | None => {}
        }
        let waker = self.cell.set(Admission::Taken);
        ignore_panic(|| drop(waker));
    }
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Adds a job to the wait queue. If there is room, or the pool accepts no more jobs, the result
    /// is available at once.
    pub(super) fn enqueue_waiter(&self, new_job: NewJob<J, T, E>) -> WaiterGuard<'_, J, T, E> {
        let mut guard = self.lock_synced();
        let (ticket, cell) = guard.state.waiters.push(new_job);
        guard.end();
        WaiterGuard { pool: self, ticket, cell }
    }
}
