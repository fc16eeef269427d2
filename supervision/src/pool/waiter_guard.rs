//! A submitter that waits for room, from its side.

use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::host::ignore_panic;

use super::new_job::{NewJob, AdmittedJob};
use super::job_handle::JobControl;
use super::wait_queue::{Admission, AdmissionCell};
use super::shared::Shared;
use super::job_state::JobResult;

/// A submitter in line, for as long as it waits.
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
    /// Returns the job once it was taken in, or given back because the pool takes none in any more.
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
    /// One that waits no more leaves the line. If its job was taken in and it has not heard of
    /// that, the job is cancelled.
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
    /// Puts a job in line. If there is room, or the pool takes none in any more, what becomes of it
    /// is known at once.
    pub(super) fn enqueue_waiter(&self, new_job: NewJob<J, T, E>) -> WaiterGuard<'_, J, T, E> {
        let mut guard = self.lock_synced();
        let (ticket, cell) = guard.state.waiters.push(new_job);
        guard.end();
        WaiterGuard { pool: self, ticket, cell }
    }
}
