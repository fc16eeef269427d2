//! The submission of a job: it is admitted at once, or after a wait for room.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::host::{catch_panic, dispose, ignore_panic};
use tokio::sync::oneshot;

use super::admission::AdmitError;
use super::job_state::{Admitted, NewJob};
use super::shared::Shared;
use super::wait_queue::PendingAdmission;
use crate::pool::job_id::JobId;
use crate::pool::submit_error::SubmitError;
use crate::pool::worker::Work;

/// The future that submits a job when there is room. Dropping it discards a job that waits.
pub(crate) struct Submit<W: Work + 'static> {
    pub(crate) pool: Arc<Shared<W>>,
    /// The job, until the first poll.
    new_job: Option<NewJob<W>>,
    /// The wait for room, until the answer.
    pending: Option<PendingAdmission<W>>,
}

/// No part of it is pinned.
impl<W: Work + 'static> Unpin for Submit<W> {}

impl<W: Work + 'static> Submit<W> {
    pub(crate) const fn new(pool: Arc<Shared<W>>, new_job: NewJob<W>) -> Self {
        Self { pool, new_job: Some(new_job), pending: None }
    }
}

impl<W: Work + 'static> Future for Submit<W> {
    type Output = Admitted<W>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Admitted<W>> {
        if let Some(new_job) = self.new_job.take() {
            match self.pool.admit(new_job, Arc::clone) {
                Ok(job) => return Poll::Ready(Ok(job)),
                Err(AdmitError::Closed(job)) => return Poll::Ready(Err(SubmitError::Closed(job))),
                Err(AdmitError::Full(new_job)) => self.pending = Some(self.pool.wait_for_room(new_job)),
            }
        }
        let Some(pending) = &mut self.pending else { return Poll::Pending };
        let Poll::Ready(Ok(admitted)) = Pin::new(&mut pending.answer).poll(cx) else { return Poll::Pending };
        self.pending = None;
        Poll::Ready(admitted)
    }
}

impl<W: Work + 'static> Drop for Submit<W> {
    #[inline]
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.pool.stop_waiting(pending);
        }
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Submits a job when there is room, and returns its id.
    pub(crate) async fn admit_or_wait(
        self: &Arc<Self>,
        new_job: NewJob<W>,
    ) -> Result<JobId, SubmitError<W::Job>> {
        // Most jobs find room: for them there is no future to make, and no reference to count.
        match self.admit(new_job, |job| job.id) {
            Ok(id) => Ok(id),
            Err(AdmitError::Closed(job)) => Err(SubmitError::Closed(job)),
            Err(AdmitError::Full(new_job)) => Submit::new(self.clone(), new_job).await.map(|job| job.id),
        }
    }

    /// Adds a job to the wait queue. If there is room, or the pool accepts no more jobs, the answer
    /// is available at once.
    fn wait_for_room(&self, mut new_job: NewJob<W>) -> PendingAdmission<W> {
        if let Some(options) = &mut new_job.options {
            options.begin_expiry(|| self.now());
        }
        self.with_queue(|queue| queue.state.waiters.push(new_job))
    }

    /// Leaves the wait queue. A job that was admitted unobserved is cancelled.
    #[cold]
    fn stop_waiting(&self, mut pending: PendingAdmission<W>) {
        // Drops the waker of the submitter.
        ignore_panic(|| pending.answer.close());
        let waiter = self.lock_state().waiters.remove(&pending);
        ignore_panic(|| drop(waiter));
        if let Ok(admitted) = pending.answer.try_recv() {
            self.cancel_unobserved(&admitted);
            ignore_panic(|| drop(admitted));
        }
        ignore_panic(|| drop(pending));
    }

    /// Answers a submitter that waited for room.
    pub(crate) fn answer(&self, submitter: oneshot::Sender<Admitted<W>>, admitted: Admitted<W>) {
        // The waker of the submitter may panic; the answer is there by then.
        if let Ok(Err(admitted)) = catch_panic(None, || submitter.send(admitted)) {
            self.cancel_unobserved(&admitted);
            // The caller may be a supervisor.
            dispose(admitted);
        }
    }

    /// Cancels an admitted job whose submitter is gone.
    fn cancel_unobserved(&self, admitted: &Admitted<W>) {
        if let Ok(job) = admitted {
            self.cancel(job);
        }
    }
}
