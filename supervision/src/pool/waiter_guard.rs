//! A submitter that waits for room, from its side.

use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::host::ignore_panic;

use super::job_handle::JobControl;
use super::job_state::JobResult;
use super::new_job::{NewJob, TaskOf};
use super::shared::Shared;
use super::wait_queue::{Admission, Place};

/// A submitter in line, for as long as it waits.
pub(super) struct WaiterGuard<'a, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pool: &'a Shared<J, T, E>,
    ticket: u64,
    place: Arc<Place<J, T, E>>,
}

impl<J, T, E> WaiterGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Returns the job once it was taken in, or given back because the pool takes none in any more.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<TaskOf<J, T, E>, J>> {
        self.place.poll(cx)
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
        let left = self.pool.lock_state().line.remove(self.ticket);
        ignore_panic(|| drop(left));
        match self.place.take() {
            Some(Ok(task)) if task.cancel() => self.pool.cancelled(task.id),
            Some(Err(job)) => ignore_panic(|| drop(job)),
            Some(Ok(_)) | None => {}
        }
        let waker = self.place.set(Admission::Told);
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
    pub(super) fn join_line(&self, draft: NewJob<J, T, E>) -> WaiterGuard<'_, J, T, E> {
        let mut session = self.lock_synced();
        let (ticket, place) = session.state.line.push(draft);
        session.end();
        WaiterGuard { pool: self, ticket, place }
    }
}
