//! Steps that the checks share.

use std::fmt::Debug;

use super::opener::Failure;
use crate::batch::{Applied, AttemptEnd, Batch, Conflict, Leased, Op};
use crate::error::{CommitError, CommitErrorKind, StoreError};
use crate::history::AttemptFailure;
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, Timestamp};
use crate::store::Store;

/// The time of the first operations.
pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// The queue of most checks.
pub(super) const QUEUE: &str = "mails";

/// Returns a time that is later than [`NOW`] by some seconds.
pub(super) const fn at(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1_000)
}

pub(super) fn payload(text: &str) -> Payload {
    Payload { tag: "text".to_owned(), version: 3, codec: "raw".to_owned(), bytes: text.as_bytes().to_vec() }
}

pub(super) fn job(text: &str) -> NewJob {
    NewJob::new(QUEUE, payload(text))
}

pub(super) fn error(text: &str) -> AttemptFailure {
    AttemptFailure::Error(text.to_owned())
}

pub(super) fn ensure(holds: bool, promise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(promise.to_owned()) }
}

pub(super) fn same<T: Debug + PartialEq>(found: &T, expected: &T, of: &str) -> Result<(), Failure> {
    if found == expected { Ok(()) } else { Err(format!("{of} is {found:?}, not {expected:?}")) }
}

fn shown(error: &StoreError) -> Failure {
    error.to_string()
}

pub(super) async fn commit(store: &dyn Store, now: Timestamp, ops: Vec<Op>) -> Result<Vec<Applied>, Failure> {
    store.commit(Batch { now, ops }).await.map_err(|error| error.to_string())
}

/// Commits one operation and returns its effect.
pub(super) async fn apply(store: &dyn Store, now: Timestamp, op: Op) -> Result<Applied, Failure> {
    let mut applied = commit(store, now, vec![op]).await?;
    applied.pop().ok_or_else(|| "an operation has no effect".to_owned())
}

pub(super) async fn enqueue(store: &dyn Store, new: NewJob) -> Result<JobId, Failure> {
    enqueue_at(store, NOW, new).await
}

pub(super) async fn enqueue_at(store: &dyn Store, now: Timestamp, new: NewJob) -> Result<JobId, Failure> {
    match apply(store, now, Op::Enqueue(Box::new(new))).await? {
        Applied::Enqueued(id) => Ok(id),
        other => Err(format!("the job is not stored: {other:?}")),
    }
}

pub(super) async fn lease(store: &dyn Store, now: Timestamp, max: usize) -> Result<Leased, Failure> {
    lease_of(store, QUEUE, now, max).await
}

pub(super) async fn lease_of(
    store: &dyn Store,
    queue: &str,
    now: Timestamp,
    max: usize,
) -> Result<Leased, Failure> {
    match apply(store, now, Op::Lease { queue: queue.to_owned(), max }).await? {
        Applied::Leased(leased) => Ok(leased),
        other => Err(format!("a lease has the effect {other:?}")),
    }
}

/// Leases exactly one job.
pub(super) async fn lease_one(store: &dyn Store, now: Timestamp) -> Result<JobRecord, Failure> {
    let mut leased = lease(store, now, 1).await?;
    leased.jobs.pop().ok_or_else(|| "no job is leased".to_owned())
}

pub(super) async fn finish(
    store: &dyn Store,
    now: Timestamp,
    leased: &JobRecord,
    end: AttemptEnd,
) -> Result<(), Failure> {
    let op = Op::Finish { job: leased.id, attempt: leased.attempt, end };
    same(&apply(store, now, op).await?, &Applied::Done, "the effect of an end")
}

pub(super) async fn get(store: &dyn Store, id: JobId) -> Result<Option<JobRecord>, Failure> {
    store.job(id).await.map_err(|error| shown(&error))
}

pub(super) async fn record(store: &dyn Store, id: JobId) -> Result<JobRecord, Failure> {
    get(store, id).await?.ok_or_else(|| format!("job {id} is gone"))
}

pub(super) fn ids(jobs: &[JobRecord]) -> Vec<JobId> {
    jobs.iter().map(|record| record.id).collect()
}

pub(super) async fn read<T>(answer: crate::store::StoreFuture<Result<T, StoreError>>) -> Result<T, Failure> {
    answer.await.map_err(|error| shown(&error))
}

/// Expects that a batch is refused at an operation, and returns the conflict.
pub(super) async fn refused(
    store: &dyn Store,
    now: Timestamp,
    ops: Vec<Op>,
    index: usize,
) -> Result<Conflict, Failure> {
    let batch = Batch { now, ops };
    match store.commit(batch.clone()).await {
        Err(CommitError { kind: CommitErrorKind::Conflict { op, conflict }, batch: returned }) => {
            same(&op, &index, "the index of the conflict")?;
            same(&returned, &batch, "the batch that is returned")?;
            Ok(conflict)
        }
        other => Err(format!("a conflict was expected, and the answer is {other:?}")),
    }
}

/// Expects that the end of an attempt is refused because it does not run.
pub(super) async fn refused_as_stale(
    store: &dyn Store,
    now: Timestamp,
    leased: &JobRecord,
) -> Result<(), Failure> {
    let op = Op::Finish { job: leased.id, attempt: leased.attempt, end: AttemptEnd::Completed(None) };
    match refused(store, now, vec![op], 0).await? {
        Conflict::StaleAttempt { job, attempt, .. } if (job, attempt) == (leased.id, leased.attempt) => {
            Ok(())
        }
        other => Err(format!("a late outcome is refused with {other:?}")),
    }
}
