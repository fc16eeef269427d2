//! The decision after a failure, as a table.

use std::time::Duration;

use perennial_supervision::Backoff;
use perennial_supervision::pool::Retry;

use super::retry::after_failure;
use crate::batch::AttemptEnd;
use crate::history::{AttemptFailure, AttemptRecord};
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, Timestamp};

const NOW: Timestamp = Timestamp(1_000_000);

fn error() -> AttemptFailure {
    AttemptFailure::Error("no".to_owned())
}

fn crash() -> AttemptFailure {
    AttemptFailure::WorkerEnded("panicked".to_owned())
}

/// A running job with 3 attempts and 2 lost ones, and these failures before.
fn record(before: &[AttemptFailure]) -> JobRecord {
    let payload = Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes: Vec::new() };
    let job = NewJob { attempts: 3, lost_attempts: 2, ..NewJob::new("q", payload) };
    let mut record = JobRecord::new(JobId(1), job, NOW);
    record.state = RecordState::Running;
    record.history = before
        .iter()
        .map(|failure| {
            let (started, ended, failure) = (NOW, NOW, Some(failure.clone()));
            AttemptRecord { number: 1, epoch: Epoch(1), started, ended, failure, progress: None }
        })
        .collect();
    record
}

/// What follows: the delay until the next attempt, or the state of the job.
#[derive(Debug, PartialEq)]
enum Next {
    After(u64),
    Is(RecordState),
}

fn next(record: &JobRecord, failure: AttemptFailure, retry: Retry) -> Next {
    let backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(60)).jitter(0.0);
    match after_failure(record, failure, retry, Some(&backoff), 0.5, NOW) {
        AttemptEnd::Retry { due, .. } => Next::After(due.since(NOW).as_secs()),
        AttemptEnd::Dead(_) => Next::Is(RecordState::Dead),
        AttemptEnd::Unknown(_) => Next::Is(RecordState::Unknown),
        AttemptEnd::Completed(_) => Next::Is(RecordState::Completed),
    }
}

#[test]
fn errors_lost_workers_and_ended_processes_are_followed_by_what_the_table_says() {
    use AttemptFailure::{Cancelled, ProcessEnded, Released, TimedOut};
    let dead = || Next::Is(RecordState::Dead);
    let undecodable = || AttemptFailure::Undecodable("no".to_owned());
    let long = Retry::After(Duration::from_secs(77));
    let rows = [
        (vec![], error(), Retry::Never, dead()),
        (vec![], error(), Retry::Backoff, Next::After(10)),
        (vec![error()], error(), Retry::Backoff, Next::After(20)),
        (vec![], error(), long, Next::After(77)),
        (vec![error(), error()], error(), long, dead()),
        (vec![error(), TimedOut], TimedOut, Retry::Backoff, dead()),
        (vec![], TimedOut, Retry::Backoff, Next::After(10)),
        // Lost workers and processes are counted apart, and both for the delay.
        (vec![error(), error()], crash(), Retry::Backoff, Next::After(40)),
        (vec![crash()], error(), Retry::Backoff, Next::After(20)),
        (vec![crash()], crash(), Retry::Backoff, dead()),
        (vec![], ProcessEnded, Retry::Never, Next::After(0)),
        (vec![ProcessEnded], ProcessEnded, Retry::Never, dead()),
        // An attempt that was given back has used up nothing.
        (vec![ProcessEnded], Released, Retry::Never, Next::After(0)),
        (vec![Released, Released, Released], error(), Retry::Backoff, Next::After(10)),
        (vec![], undecodable(), Retry::Never, dead()),
        (vec![], Cancelled, Retry::Never, dead()),
    ];
    for (before, failure, retry, expected) in rows {
        let found = next(&record(&before), failure.clone(), retry);
        assert_eq!(found, expected, "{before:?}, then {failure:?} and {retry:?}");
    }
}

#[test]
fn a_job_that_must_not_start_twice_is_unknown_when_its_process_ended_and_dead_when_it_failed() {
    let mut once = record(&[]);
    once.job.at_most_once = true;
    assert_eq!(next(&once, AttemptFailure::ProcessEnded, Retry::Never), Next::Is(RecordState::Unknown));
    assert_eq!(next(&once, crash(), Retry::Backoff), Next::Is(RecordState::Dead));
    assert_eq!(next(&once, error(), Retry::Backoff), Next::Is(RecordState::Dead));
    // No worker has seen it.
    assert_eq!(next(&once, AttemptFailure::Released, Retry::Never), Next::After(0));
}

#[test]
fn failures_before_a_retry_by_hand_do_not_count() {
    let mut retried = record(&[error(), error()]);
    retried.forgiven = 2;
    assert_eq!(next(&retried, error(), Retry::Backoff), Next::After(10));
}
