//! The future of a submission, which waits for room.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::admission::AdmitError;
use super::job_handle::JobHandle;
use super::job_state::ResultSink;
use super::new_job::NewJob;
use super::submit::{Submission, SubmitError, handle, wait_for_room};

/// The future that submits a job when there is room, and resolves with its handle.
#[must_use = "a job is submitted when this is awaited"]
pub struct SubmitFuture<J, T, E>(SubmitState<J, T, E>);

enum SubmitState<J, T, E> {
    Start(Submission<J, T, E>),
    Waiting(WaitFuture<J, T, E>),
    Done,
}

type Submitted<J, T, E> = Result<JobHandle<T, E>, SubmitError<J>>;

type WaitFuture<J, T, E> = Pin<Box<dyn Future<Output = Submitted<J, T, E>> + Send>>;

/// No part of it is pinned, except the future in its own box.
impl<J, T, E> Unpin for SubmitFuture<J, T, E> {}

impl<J, T, E> Future for SubmitFuture<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Submitted<J, T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waiting = match std::mem::replace(&mut self.0, SubmitState::Done) {
            SubmitState::Start(Submission { pool, job, options }) => {
                let new_job = NewJob { options, job, sink: ResultSink::single() };
                match pool.admit(new_job, |task| handle(&pool, task)) {
                    Ok(handle) => return Poll::Ready(Ok(handle)),
                    Err(AdmitError::Closed(job)) => return Poll::Ready(Err(SubmitError::Closed(job))),
                    Err(AdmitError::Full(new_job)) => Box::pin(async move {
                        wait_for_room(&pool, new_job).await.map(|task| handle(&pool, &task))
                    }),
                }
            }
            SubmitState::Waiting(waiting) => waiting,
            SubmitState::Done => return Poll::Pending,
        };
        let submitted = waiting.as_mut().poll(cx);
        if submitted.is_pending() {
            self.0 = SubmitState::Waiting(waiting);
        }
        submitted
    }
}

impl<J, T, E> IntoFuture for Submission<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Submitted<J, T, E>;
    type IntoFuture = SubmitFuture<J, T, E>;

    fn into_future(self) -> SubmitFuture<J, T, E> {
        SubmitFuture(SubmitState::Start(self))
    }
}

impl<J, T, E> fmt::Debug for SubmitFuture<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitFuture").finish_non_exhaustive()
    }
}
