//! The decision after a failure, and which slots of a schedule are due, as tables.

use std::time::Duration;

use perennial_supervision::Backoff;
use perennial_supervision::pool::Retry;

use super::due::{Due, due};
use super::retry::after_failure;
use super::schedule::{Missed, Schedule};
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

/// Returns the seconds of a time of day, in UTC, as the zone has it.
fn at(zone: &str, text: &str) -> Timestamp {
    let zoned = text.parse::<jiff::civil::DateTime>().unwrap().in_tz(zone).unwrap();
    Timestamp(u64::try_from(zoned.timestamp().as_millisecond()).unwrap())
}

/// Returns the slots of an expression between two times in Berlin, as clocks there show them.
fn slots(expression: &str, from: &str, to: &str) -> Vec<String> {
    let zone = "Europe/Berlin";
    let schedule = Schedule::cron(expression).unwrap().time_zone(zone).unwrap();
    let (mut next, end) = (schedule.next_after(at(zone, from)), at(zone, to));
    let mut found = Vec::new();
    while let Some(slot) = next.filter(|slot| *slot <= end) {
        let seconds = i64::try_from(slot.0 / 1_000).unwrap();
        let zoned = jiff::Timestamp::from_second(seconds).unwrap().in_tz(zone).unwrap();
        found.push(zoned.strftime("%d %H:%M%z").to_string());
        assert_eq!(schedule.latest_at(slot), Some(slot));
        assert_eq!(schedule.latest_at(slot.saturating_add(Duration::from_millis(500))), Some(slot));
        next = schedule.next_after(slot);
    }
    found
}

#[test]
fn a_time_of_day_that_does_not_exist_is_made_up_for_and_one_that_happens_twice_is_once() {
    // In 2026 the clocks go from 2 to 3 on 29 March, and from 3 to 2 on 25 October.
    let rows: [(&str, &str, &str, &[&str]); 6] = [
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-30T12:00", &["29 03:00+0200", "30 02:30+0200"]),
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-26T12:00", &["25 02:30+0200", "26 02:30+0100"]),
        ("0 3 * * *", "2026-03-28T12:00", "2026-03-29T12:00", &["29 03:00+0200"]),
        // Intervals follow the time that passes.
        (
            "0 * * * *",
            "2026-03-29T00:30",
            "2026-03-29T04:00",
            &["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"],
        ),
        (
            "0 * * * *",
            "2026-10-25T01:30",
            "2026-10-25T03:00",
            &["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"],
        ),
        ("*/30 2 * * *", "2026-03-28T12:00", "2026-03-29T12:00", &[]),
    ];
    for (expression, from, to, expected) in rows {
        assert_eq!(slots(expression, from, to), expected, "{expression} from {from}");
    }
}

/// The rule, the last slot that is done with, now, at most so many, the slots, the position after
/// them, and the next slot.
type DueRow = (Missed, u64, u64, usize, &'static [u64], u64, u64);

#[test]
fn slots_that_are_due_and_missed_are_what_the_rule_says() {
    use Missed::{All, Once, Skip};
    let every = Schedule::every(Duration::from_secs(600));
    let minute = |minutes: u64| Timestamp(minutes * 60_000);
    // The slots are at minutes 0, 10, 20 and so on.
    let rows: [DueRow; 12] = [
        (Skip, 100, 109, 9, &[], 100, 110),
        (Skip, 100, 110, 9, &[110], 110, 120),
        // Not missed yet.
        (Skip, 100, 121, 9, &[], 100, 130),
        (Skip, 100, 120, 9, &[120], 120, 130),
        (Skip, 100, 500_005, 9, &[], 100, 500_010),
        (Once, 100, 110, 9, &[110], 110, 120),
        (Once, 100, 115, 9, &[110], 110, 120),
        (Once, 100, 145, 9, &[140], 140, 150),
        // The latest that was missed, and one that is due now.
        (Once, 100, 150, 9, &[140, 150], 150, 160),
        (All, 100, 135, 9, &[110, 120, 130], 130, 140),
        (All, 100, 500_005, 2, &[110, 120], 120, 130),
        (All, 100, 100, 9, &[], 100, 110),
    ];
    for (missed, position, now, max, expected, after, next) in rows {
        let found = due(&every.clone().missed(missed), minute(position), minute(now), max);
        let slots = expected.iter().copied().map(minute).collect();
        let expected = Due { slots, position: minute(after), next: Some(minute(next)) };
        assert_eq!(found, expected, "{missed:?}, {position}, {now}");
    }
}

#[test]
fn a_schedule_of_years_that_was_missed_is_decided_on_at_once() {
    let seconds = Schedule::cron("* * * * * *").unwrap().missed(Missed::Once);
    let found = due(&seconds, Timestamp(0), Timestamp(1_700_000_000_500), 100);
    assert_eq!((found.slots.len(), found.slots[0]), (61, Timestamp(1_699_999_940_000)));
    let never = Schedule::cron("0 0 30 2 *").unwrap();
    assert_eq!(never.next_after(NOW), None);
    assert_eq!(due(&never, Timestamp(0), NOW, 100).slots, []);
}
