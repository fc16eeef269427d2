//! How attempts end, and what is kept of them.

use std::time::Duration;

use super::opener::{Failure, Opener};
use super::steps::{
    NOW, apply, at, enqueue, ensure, error, finish, get, job, lease, lease_one, payload, read, record,
    refused, refused_as_stale, same,
};
use crate::batch::{Applied, AttemptEnd, Conflict, Op};
use crate::history::{AttemptFailure, AttemptRecord};
use crate::record::{NewJob, RecordState, RecordedProgress};
use crate::store::Store;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn an_output_is_kept_as_long_as_it_is_retained(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, NewJob { retention: MINUTE, ..job("a") }).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, at(1), &leased, AttemptEnd::Completed(Some(payload("out")))).await?;
    drop(store);
    let store = opener.open().await?;
    let done = record(&*store, id).await?;
    same(&(done.state, done.ended), &(RecordState::Completed, Some(at(1))), "the job")?;
    same(&done.output, &Some(payload("out")), "the output")?;
    let purge = Op::Purge { max: 10 };
    same(&apply(&*store, at(60), purge.clone()).await?, &Applied::Purged(0), "a purge before its time")?;
    same(&apply(&*store, at(61), purge).await?, &Applied::Purged(1), "a purge after it")?;
    same(&get(&*store, id).await?, &None, "the job after the purge")
}

pub(super) async fn a_job_without_retention_is_gone_when_it_has_completed(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, job("a")).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Completed(Some(payload("out")))).await?;
    same(&get(&*store, id).await?, &None, "the job")
}

pub(super) async fn a_retry_waits_until_it_is_due_and_keeps_its_history(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, job("a")).await?;
    let first = lease_one(&*store, NOW).await?;
    finish(&*store, at(1), &first, AttemptEnd::Retry { failure: error("no"), due: at(5) }).await?;
    let waiting = record(&*store, id).await?;
    same(&(waiting.state, waiting.due), &(RecordState::Delayed, at(5)), "the job")?;
    same(&waiting.epoch, &None, "the process of a job that waits")?;
    let attempt = AttemptRecord {
        number: 1,
        epoch: store.epoch(),
        started: NOW,
        ended: at(1),
        failure: Some(error("no")),
        progress: None,
    };
    same(&waiting.history, &vec![attempt], "the history")?;
    same(&lease(&*store, at(4), 1).await?.jobs.len(), &0, "the number of jobs before it is due")?;
    same(&lease_one(&*store, at(5)).await?.attempt, &2, "the next attempt")
}

pub(super) async fn a_late_outcome_is_refused(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let kept = NewJob { retention: MINUTE, ..job("a") };
    let id = enqueue(&*store, kept).await?;
    let first = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &first, AttemptEnd::Retry { failure: AttemptFailure::TimedOut, due: NOW }).await?;
    refused_as_stale(&*store, NOW, &first).await?;
    let second = lease_one(&*store, NOW).await?;
    refused_as_stale(&*store, NOW, &first).await?;
    finish(&*store, NOW, &second, AttemptEnd::Completed(None)).await?;
    refused_as_stale(&*store, NOW, &second).await?;
    same(&record(&*store, id).await?.history.len(), &2, "the number of attempts")?;
    apply(&*store, NOW, Op::Remove(id)).await?;
    let late = Op::Finish { job: id, attempt: 2, end: AttemptEnd::Completed(None) };
    same(&refused(&*store, NOW, vec![late], 0).await?, &Conflict::NoSuchJob(id), "a job that is gone")
}

pub(super) async fn a_cancelled_job_is_over_and_its_attempt_is_stale(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let kept = NewJob { retention: MINUTE, ..job("a") };
    let running = enqueue(&*store, kept.clone()).await?;
    let leased = lease_one(&*store, NOW).await?;
    let waiting = enqueue(&*store, NewJob { due: at(9), ..kept }).await?;
    for id in [running, waiting] {
        same(&apply(&*store, NOW, Op::Cancel(id)).await?, &Applied::Changed(true), "the cancellation")?;
        same(&apply(&*store, NOW, Op::Cancel(id)).await?, &Applied::Changed(false), "another")?;
        same(&record(&*store, id).await?.state, &RecordState::Cancelled, "the job")?;
    }
    refused_as_stale(&*store, NOW, &leased).await?;
    same(&lease(&*store, at(9), 9).await?.jobs.len(), &0, "the number of jobs that are left")
}

pub(super) async fn a_dead_job_is_kept_and_retried_with_all_its_attempts(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, NewJob { retention: MINUTE, ..job("a") }).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Dead(error("no"))).await?;
    same(&apply(&*store, at(9_999), Op::Purge { max: 9 }).await?, &Applied::Purged(0), "a purge")?;
    same(&record(&*store, id).await?.failures().count(), &1, "the number of failures")?;
    same(&apply(&*store, at(5), Op::Retry(id)).await?, &Applied::Changed(true), "the retry")?;
    same(&apply(&*store, at(5), Op::Retry(id)).await?, &Applied::Changed(false), "another")?;
    let again = lease_one(&*store, at(5)).await?;
    same(&(again.id, again.attempt), &(id, 2), "the attempt")?;
    same(&(again.failures().count(), again.history.len()), &(0, 1), "its failures and its history")
}

pub(super) async fn a_job_of_unknown_outcome_is_kept_and_not_leased(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, NewJob { at_most_once: true, ..job("a") }).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Unknown(AttemptFailure::ProcessEnded)).await?;
    drop(store);
    let store = opener.open().await?;
    same(&lease(&*store, at(9_999), 9).await?.jobs.len(), &0, "the number of jobs that are leased")?;
    apply(&*store, at(9_999), Op::Purge { max: 9 }).await?;
    same(&record(&*store, id).await?.state, &RecordState::Unknown, "the job")
}

pub(super) async fn a_job_is_removed_unless_it_runs(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let running = enqueue(&*store, job("a")).await?;
    lease_one(&*store, NOW).await?;
    let waiting = enqueue(&*store, job("b")).await?;
    same(&apply(&*store, NOW, Op::Remove(running)).await?, &Applied::Changed(false), "one that runs")?;
    same(&apply(&*store, NOW, Op::Remove(waiting)).await?, &Applied::Changed(true), "one that waits")?;
    same(&apply(&*store, NOW, Op::Remove(waiting)).await?, &Applied::Changed(false), "one that is gone")?;
    ensure(get(&*store, running).await?.is_some(), "the running job is there")
}

async fn progress_of(store: &dyn Store, id: crate::record::JobId) -> Result<Option<u64>, Failure> {
    Ok(read(store.job(id)).await?.and_then(|record| record.progress).map(|progress| progress.done))
}

pub(super) async fn progress_is_that_of_the_attempt_that_runs(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, job("a")).await?;
    let first = lease_one(&*store, NOW).await?;
    let progress = |attempt, done| {
        let progress = RecordedProgress { done, total: u64::from(u32::MAX) };
        Op::Progress { job: id, attempt, progress }
    };
    apply(&*store, NOW, progress(1, 5)).await?;
    same(&progress_of(&*store, id).await?, &Some(5), "the progress")?;
    finish(&*store, NOW, &first, AttemptEnd::Retry { failure: error("no"), due: NOW }).await?;
    lease_one(&*store, NOW).await?;
    same(&progress_of(&*store, id).await?, &None, "the progress of the next attempt")?;
    match refused(&*store, NOW, vec![progress(1, 6)], 0).await? {
        Conflict::StaleAttempt { latest: 2, .. } => Ok(()),
        other => Err(format!("the progress of an old attempt is refused with {other:?}")),
    }
}
