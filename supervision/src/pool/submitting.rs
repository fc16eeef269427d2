//! The future of a submission: it waits for room.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::admission::AdmitError;
use super::job_handle::JobHandle;
use super::job_state::ResultSink;
use super::new_job::NewJob;
use super::submit::{Submission, SubmitError, handle, wait_in_line};

/// A job that is submitted as soon as there is room.
#[must_use = "a job is submitted when this is awaited"]
pub struct SubmitFuture<J, T, E>(Step<J, T, E>);

enum Step<J, T, E> {
    First(Submission<J, T, E>),
    InLine(Waits<J, T, E>),
    Over,
}

type Submitted<J, T, E> = Result<JobHandle<T, E>, SubmitError<J>>;

type Waits<J, T, E> = Pin<Box<dyn Future<Output = Submitted<J, T, E>> + Send>>;

/// Nothing in it is ever pinned but what is in a box of its own.
impl<J, T, E> Unpin for SubmitFuture<J, T, E> {}

impl<J, T, E> Future for SubmitFuture<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Submitted<J, T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waits =
            match std::mem::replace(&mut self.0, Step::Over) {
                Step::First(Submission { pool, job, terms }) => {
                    let draft = NewJob { terms, job, sink: ResultSink::here() };
                    match pool.admit(draft, |task| handle(&pool, task)) {
                        Ok(handle) => return Poll::Ready(Ok(handle)),
                        Err(AdmitError::Closed(job)) => return Poll::Ready(Err(SubmitError::Closed(job))),
                        Err(AdmitError::Full(draft)) => Box::pin(async move {
                            wait_in_line(&pool, draft).await.map(|task| handle(&pool, &task))
                        }),
                    }
                }
                Step::InLine(waits) => waits,
                Step::Over => return Poll::Pending,
            };
        let submitted = waits.as_mut().poll(cx);
        if submitted.is_pending() {
            self.0 = Step::InLine(waits);
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
        SubmitFuture(Step::First(self))
    }
}

impl<J, T, E> fmt::Debug for SubmitFuture<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitting").finish_non_exhaustive()
    }
}
