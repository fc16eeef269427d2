//! The parts that only compute.

use std::path::PathBuf;
use std::time::Duration;

use perennial::durable::{
    AttemptFailure, AttemptRecord, Bincode, Epoch, JobId, JobRecord, NewJob, RecordState, Timestamp, encode,
};

use super::account::{Account, acknowledgements};
use super::jobs::{FileJob, FileResult, hex, unhex};
use super::kills::{Kill, plan, portion};
use super::process::Line;
use super::protocol::{Answer, Request};
use super::verify::{StoredJob, checks};

fn odd() -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(b"a b\n\\\xff".to_vec()).into()
}

#[test]
fn every_line_reads_as_what_was_written_whatever_a_path_is() {
    for request in [Request::File(odd()), Request::Await(7)] {
        assert_eq!(Request::parse(&request.to_string()), Some(request));
    }
    let answers = [
        Answer::Up(3),
        Answer::Rescued(8, Duration::from_micros(1_234)),
        Answer::Stored(7, odd()),
        Answer::Started(odd()),
        Answer::Done(7, "abc".to_owned()),
        Answer::Lost(7, "there is no such job".to_owned()),
    ];
    for answer in answers {
        assert_eq!(Answer::parse(&answer.to_string()), Some(answer));
    }
}

#[test]
fn what_is_no_line_is_ignored() {
    for line in ["", "up", "up x", "stored 7 abc", "done", "file 0", "warning: x", "stored 7 zz"] {
        assert_eq!((Answer::parse(line), Request::parse(line)), (None, None), "{line:?}");
    }
    assert_eq!(unhex(&hex(b"\x00\xff")), Some(vec![0, 255]));
}

#[test]
fn the_same_seed_kills_at_the_same_moments_most_of_them_at_work() {
    let kills = plan(7, 100);
    assert_eq!(kills, plan(7, 100));
    assert_ne!(kills, plan(8, 100));
    let working = kills.iter().filter(|kill| matches!(kill, Kill::Working { .. })).count();
    assert!((70..100).contains(&working), "{working}");
}

#[test]
fn the_processes_get_portions_that_add_up_to_all_files() {
    for (files, kills) in [(0, 3), (5, 3), (3, 100), (100, 1)] {
        let known: Vec<usize> = (0..=kills).map(|index| portion(files, index, kills)).collect();
        assert!(known.is_sorted());
        assert_eq!(known.last(), Some(&files));
    }
}

#[test]
fn a_client_asks_again_for_what_was_not_acknowledged_and_only_for_that() {
    let files: Vec<PathBuf> = ["a", "b", "c"].map(PathBuf::from).to_vec();
    let mut account = Account::default();
    account.note(Answer::Up(1));
    account.note(Answer::Stored(1, "a".into()));
    account.note(Answer::Stored(2, "b".into()));
    account.note(Answer::Done(1, "x".to_owned()));
    let open = account.open_requests(&files);
    assert_eq!(open, [Request::Await(2), Request::File("c".into())]);
    assert_eq!(acknowledgements(&open), 3);
    account.note(Answer::Lost(2, "gone".to_owned()));
    assert_eq!(account.open_requests(&files[..2]), []);
}

/// A job in the store whose attempts ran in these processes; all but the last were cut off.
fn stored(id: u64, path: &str, processes: &[u64]) -> StoredJob {
    let result = FileResult::unread("unread", *processes.last().expect("one"));
    let payload = encode::<_, Bincode>(&FileJob::new(path.as_ref())).expect("bytes");
    let mut record = JobRecord::new(JobId(id), NewJob::new("q", payload), Timestamp(1));
    record.state = RecordState::Completed;
    record.attempt = processes.len() as u32;
    record.output = Some(encode::<_, Bincode>(&result).expect("bytes"));
    for (number, epoch) in (1..).zip(processes) {
        let failure = (number < processes.len() as u32).then_some(AttemptFailure::ProcessEnded);
        let (started, ended, epoch) = (Timestamp(1), Timestamp(2), Epoch(*epoch));
        record.history.push(AttemptRecord { number, epoch, started, ended, failure, progress: None });
    }
    StoredJob::of(record).expect("a job")
}

/// What was acknowledged of two jobs: the first was cut off in process 1.
fn account() -> Account {
    let mut account = Account::default();
    for answer in ["up 1", "stored 1 61", "started 61", "up 2", "stored 2 62", "started 61", "started 62"] {
        account.note(Answer::parse(answer).expect("an answer"));
    }
    account.note(Answer::Done(1, "unread".to_owned()));
    account
}

fn violated(account: &Account, jobs: &[StoredJob]) -> Vec<&'static str> {
    let checks = checks(account, jobs).into_iter();
    checks.filter(|check| !check.passed()).map(|check| check.invariant).collect()
}

const LOST: &str = "no acknowledged job is lost";
const LOST_OUTCOME: &str = "no acknowledged outcome is lost";
const ONCE: &str = "every job ends once";
const LATE: &str = "no late outcome is accepted";
const TOLD: &str = "the histories tell every attempt and every kill";

#[test]
fn each_violation_has_the_name_of_its_invariant() {
    type Change = fn(&mut Vec<StoredJob>, &mut Account);
    let rows: [(&[&str], Change); 10] = [
        (&[], |_, _| {}),
        (&[LOST, TOLD], |jobs, _| drop(jobs.pop())),
        (&[LOST, TOLD], |jobs, _| jobs[1] = stored(2, "other", &[2])),
        (&[LOST_OUTCOME], |_, account| account.note(Answer::Lost(2, "gone".to_owned()))),
        (&[LOST_OUTCOME], |_, account| account.note(Answer::Done(2, "other".to_owned()))),
        (&[ONCE], |jobs, _| jobs[1].record.state = RecordState::Dead),
        (&[ONCE], |jobs, _| jobs[0].record.history[0].failure = None),
        (&[LATE], |jobs, _| jobs[0].result = Some(FileResult::unread("unread", 1))),
        // A process that was not killed; an attempt that no history tells.
        (&[TOLD], |jobs, _| *jobs = vec![stored(1, "a", &[1, 2]), stored(2, "b", &[2, 3])]),
        (&[TOLD], |_, account| account.note(Answer::Started("c".into()))),
    ];
    for (number, (expected, change)) in rows.into_iter().enumerate() {
        let mut jobs = vec![stored(1, "a", &[1, 2]), stored(2, "b", &[2])];
        let mut account = account();
        change(&mut jobs, &mut account);
        assert_eq!(violated(&account, &jobs), expected, "row {number}");
    }
}
