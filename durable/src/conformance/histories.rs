//! What is kept of attempts, and for how long.

use std::time::Duration;

use super::opener::{Failure, Opener};
use super::steps::{
    NOW, apply, at, enqueue, error, finish, get, job, lease_one, payload, record, refused_as_stale, same,
};
use crate::batch::{Applied, AttemptEnd, Op};
use crate::history::{AttemptFailure, EarlierAttempts, MAX_HISTORY};
use crate::record::{NewJob, RecordState, RecordedProgress};
use crate::store::Store;

const MINUTE: Duration = Duration::from_secs(60);

/// Ends the next attempt by a failure.
async fn fail(store: &dyn Store, failure: AttemptFailure) -> Result<(), Failure> {
    let leased = lease_one(store, NOW).await?;
    finish(store, NOW, &leased, AttemptEnd::Retry { failure, due: NOW }).await
}

pub(super) async fn the_history_has_the_progress_of_each_attempt(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, job("a")).await?;
    let leased = lease_one(&*store, NOW).await?;
    let progress = RecordedProgress { done: 5, total: 9 };
    apply(&*store, NOW, Op::Progress { job: id, attempt: 1, progress }).await?;
    let end = AttemptEnd::Retry { failure: error("no"), due: NOW };
    finish(&*store, NOW, &leased, end).await?;
    fail(&*store, error("no")).await?;
    let leased = lease_one(&*store, NOW).await?;
    let of_attempts: Vec<_> = leased.history.iter().map(|attempt| attempt.progress).collect();
    same(&of_attempts, &vec![Some(progress), None], "the progress of each attempt")?;
    same(&leased.last_progress(), &Some(progress), "the last progress")?;
    same(&leased.progress, &None, "the progress of the attempt that runs")
}

pub(super) async fn a_long_history_is_cut_and_says_what_was_cut(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, job("a")).await?;
    fail(&*store, error("first")).await?;
    for _ in 0..MAX_HISTORY {
        fail(&*store, AttemptFailure::Released).await?;
    }
    fail(&*store, AttemptFailure::ProcessEnded).await?;
    drop(store);
    let store = opener.open().await?;
    let cut = record(&*store, id).await?;
    same(&cut.history.len(), &MAX_HISTORY, "the length of the history")?;
    let earlier = EarlierAttempts { attempts: 3, failed: 1, lost: 0 };
    same(&cut.failures().next(), &Some(&AttemptFailure::Earlier(earlier)), "the first failure")?;
    same(&cut.failures().last(), &Some(&AttemptFailure::ProcessEnded), "the last")
}

pub(super) async fn a_dead_job_is_removed_when_its_own_retention_is_over(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let mut new = job("a");
    new.options.retain_dead = Some(MINUTE);
    let id = enqueue(&*store, new).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Dead(error("no"))).await?;
    let purge = Op::Purge { max: 9 };
    same(&apply(&*store, at(59), purge.clone()).await?, &Applied::Purged(0), "a purge before its time")?;
    same(&apply(&*store, at(60), purge).await?, &Applied::Purged(1), "a purge after it")?;
    same(&get(&*store, id).await?, &None, "the job")
}

pub(super) async fn a_job_of_unknown_outcome_is_completed_by_hand(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, NewJob { at_most_once: true, retention: MINUTE, ..job("a") }).await?;
    let resolve = |output: Option<&str>| Op::Resolve { job: id, output: output.map(payload) };
    same(&apply(&*store, NOW, resolve(None)).await?, &Applied::Changed(false), "one that waits")?;
    let leased = lease_one(&*store, NOW).await?;
    same(&apply(&*store, NOW, resolve(None)).await?, &Applied::Changed(false), "one that runs")?;
    finish(&*store, NOW, &leased, AttemptEnd::Unknown(AttemptFailure::ProcessEnded)).await?;
    same(
        &apply(&*store, at(1), resolve(Some("out"))).await?,
        &Applied::Changed(true),
        "one that is unknown",
    )?;
    same(&apply(&*store, at(2), resolve(None)).await?, &Applied::Changed(false), "one that has completed")?;
    refused_as_stale(&*store, at(2), &leased).await?;
    let resolved = record(&*store, id).await?;
    same(&(resolved.state, resolved.ended), &(RecordState::Completed, Some(at(1))), "the job")?;
    same(&resolved.output, &Some(payload("out")), "its output")?;
    same(&resolved.retained_until, &Some(at(61)), "the end of its retention")
}
