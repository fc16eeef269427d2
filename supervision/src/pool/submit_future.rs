//! The future of a submission, which waits for room.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::job_handle::JobHandle;
use super::runtime::{ResultSink, Submit};
use super::submission::{Submission, SubmitError};
use super::worker::Work;

/// The future that submits a job when there is room, and resolves with its handle.
#[must_use = "a job is submitted when this is awaited"]
pub struct SubmitFuture<W: Work + 'static>(Submit<W>);

impl<W: Work + 'static> Future for SubmitFuture<W> {
    type Output = Result<JobHandle<W>, SubmitError<W::Job>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let submitted = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(submitted.map(|job| JobHandle::new(job, &self.0.pool)))
    }
}

impl<W: Work + 'static> IntoFuture for Submission<W> {
    type Output = Result<JobHandle<W>, SubmitError<W::Job>>;
    type IntoFuture = SubmitFuture<W>;

    fn into_future(self) -> SubmitFuture<W> {
        SubmitFuture(self.submit_to(ResultSink::single()))
    }
}

impl<W: Work + 'static> fmt::Debug for SubmitFuture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitFuture").finish_non_exhaustive()
    }
}
