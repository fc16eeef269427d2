//! The futures that submit durable jobs.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_supervision::pool::Work;

use super::batch::DurableBatch;
use super::event::DurableEvent;
use super::job::DurableJob;
use super::shared::Shared;
use super::submission::{DurableSubmission, ManyDurableJobs};
use super::submit_error::DurableSubmitError;
use crate::batch::{Applied, Op};
use crate::codec::EncodeError;
use crate::error::{CommitError, CommitErrorKind, StoreError};

/// The future that submits a durable job, and resolves with its handle when it is on the disk.
#[must_use = "the result says whether the job is stored"]
pub struct DurableSubmitFuture<W: Work + 'static>(BoxedSubmit<DurableJob<W>, W::Job>);

/// The future that submits durable jobs, and resolves with their batch when all of them are on the
/// disk.
#[must_use = "the result says whether the jobs are stored"]
pub struct DurableSubmitManyFuture<W: Work + 'static>(BoxedSubmit<DurableBatch<W>, Vec<W::Job>>);

/// The boxed future of a submission.
type BoxedSubmit<T, J> = Pin<Box<dyn Future<Output = Result<T, DurableSubmitError<J>>> + Send>>;

impl<W: Work + 'static> Future for DurableSubmitFuture<W> {
    type Output = Result<DurableJob<W>, DurableSubmitError<W::Job>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<W: Work + 'static> Future for DurableSubmitManyFuture<W> {
    type Output = Result<DurableBatch<W>, DurableSubmitError<Vec<W::Job>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<W: Work<Job: 'static> + 'static> IntoFuture for DurableSubmission<W> {
    type Output = Result<DurableJob<W>, DurableSubmitError<W::Job>>;
    type IntoFuture = DurableSubmitFuture<W>;

    fn into_future(self) -> DurableSubmitFuture<W> {
        let now = self.shared.now();
        let new = match self.encoded(&self.job.0, now) {
            Ok(new) => new,
            Err(error) => {
                let refused = DurableSubmitError::Encode(self.job.0, error);
                return DurableSubmitFuture(Box::pin(std::future::ready(Err(refused))));
            }
        };
        let committed = self.shared.commit(Op::Enqueue(Box::new(new)));
        let (shared, job) = (self.shared, self.job.0);
        DurableSubmitFuture(Box::pin(async move {
            match stored(&shared, committed.await, 1) {
                Ok(mut jobs) => jobs.pop().ok_or_else(|| DurableSubmitError::Unknown(job, nothing())),
                Err(unstored) => Err(unstored.with(job)),
            }
        }))
    }
}

impl<W: Work<Job: 'static> + 'static> IntoFuture for DurableSubmission<W, ManyDurableJobs<W::Job>> {
    type Output = Result<DurableBatch<W>, DurableSubmitError<Vec<W::Job>>>;
    type IntoFuture = DurableSubmitManyFuture<W>;

    fn into_future(self) -> DurableSubmitManyFuture<W> {
        let now = self.shared.now();
        let ops = self.job.0.iter().map(|job| Ok(Op::Enqueue(Box::new(self.encoded(job, now)?))));
        let ops = match ops.collect::<Result<Vec<Op>, EncodeError>>() {
            Ok(ops) => ops,
            Err(error) => {
                let refused = DurableSubmitError::Encode(self.job.0, error);
                return DurableSubmitManyFuture(Box::pin(std::future::ready(Err(refused))));
            }
        };
        let committed = self.shared.commit_all(ops);
        let (shared, jobs) = (self.shared, self.job.0);
        DurableSubmitManyFuture(Box::pin(async move {
            match stored(&shared, committed.await, jobs.len()) {
                Ok(handles) => Ok(DurableBatch::new(shared, handles)),
                Err(unstored) => Err(unstored.with(jobs)),
            }
        }))
    }
}

/// Why jobs are not stored, or may not be.
enum Unstored {
    Not(StoreError),
    Unknown(StoreError),
}

impl Unstored {
    fn with<J>(self, jobs: J) -> DurableSubmitError<J> {
        match self {
            Self::Not(error) => DurableSubmitError::NotStored(jobs, error),
            Self::Unknown(error) => DurableSubmitError::Unknown(jobs, error),
        }
    }
}

fn nothing() -> StoreError {
    StoreError::Failed("a submission has another effect than its jobs".to_owned())
}

/// Returns the handles of jobs that were submitted together.
fn stored<W: Work + 'static>(
    shared: &Arc<Shared<W>>,
    answer: Result<Vec<Applied>, CommitError>,
    jobs: usize,
) -> Result<Vec<DurableJob<W>>, Unstored> {
    let applied = answer.map_err(|error| match error.kind {
        CommitErrorKind::NotApplied(error) => Unstored::Not(error),
        CommitErrorKind::Unknown(error) => Unstored::Unknown(error),
        CommitErrorKind::Conflict { conflict, .. } => Unstored::Not(StoreError::Failed(conflict.to_string())),
    })?;
    let handles = applied.iter().filter_map(|effect| match effect {
        Applied::Enqueued(id) => Some(DurableJob::new(shared.clone(), *id, true)),
        Applied::Existing(id) => Some(DurableJob::new(shared.clone(), *id, false)),
        _ => None,
    });
    let handles: Vec<DurableJob<W>> = handles.collect();
    for job in handles.iter().filter(|job| job.is_new()) {
        shared.publish(DurableEvent::Submitted(job.id()));
    }
    if handles.len() == jobs { Ok(handles) } else { Err(Unstored::Unknown(nothing())) }
}

impl<W: Work + 'static> fmt::Debug for DurableSubmitFuture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableSubmitFuture").finish_non_exhaustive()
    }
}

impl<W: Work + 'static> fmt::Debug for DurableSubmitManyFuture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableSubmitManyFuture").finish_non_exhaustive()
    }
}
