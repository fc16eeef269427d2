//! A commit that fails is reported as what it is, and the store recovers from it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use perennial_actors::host::sync::{AtomicU32, Ordering};
use rusqlite::ffi::{self, SQLITE_FULL, SQLITE_IOERR_FSYNC};
use rusqlite::{Connection, Error, StatementStatus};
use tempfile::TempDir;

use super::cache::Cache;
use super::open::open;
use super::queries;
use super::queue::{Work, WorkQueue};
use super::schema::{APPLICATION, STEPS};
use super::store::SqliteStore;
use super::tables::{READY, SqliteTables};
use super::writer::{self, Transaction};
use crate::batch::{Applied, AttemptEnd, Batch, Conflict, Op};
use crate::engine::Tables as _;
use crate::error::{CommitErrorKind, StoreError};
use crate::history::AttemptFailure;
use crate::memory::MemoryStore;
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, Timestamp};
use crate::request::Request;
use crate::store::{JobFilter, Store};

fn batch(text: &str) -> Batch {
    let payload = Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes: text.into() };
    Batch::of(Timestamp(1), Op::Enqueue(Box::new(NewJob::new("q", payload))))
}

fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jobs.db");
    (folder, path)
}

fn failure(code: i32) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), Some("injected".to_owned()))
}

/// Makes the second commit of the process fail by this code, before or after the real one.
macro_rules! fail_second {
    ($code:expr, $is_applied:expr) => {{
        static COMMITS: AtomicU32 = AtomicU32::new(0);
        fn commit(connection: &Connection) -> Result<(), Error> {
            if COMMITS.fetch_add(1, Ordering::SeqCst) != 1 {
                return writer::commit(connection);
            }
            if $is_applied {
                writer::commit(connection)?;
            }
            Err(failure($code))
        }
        commit
    }};
}

/// The statement that ends a first attempt writes the history without reading the job.
#[tokio::test]
async fn the_history_of_a_first_attempt_is_stored_as_any_other() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    let Op::Enqueue(mut job) = batch("a").ops.remove(0) else { panic!("a job") };
    job.retention = Duration::from_millis(u64::MAX);
    let lease = Op::Lease { queue: "q".to_owned(), max: 1 };
    let output = job.payload.clone();
    let ops = vec![Op::Enqueue(job), lease];
    store.commit(Batch { now: Timestamp(2), ops }).await.unwrap();
    let end = AttemptEnd::Completed(Some(output.clone()));
    let finish = Op::Finish { job: JobId(1), attempt: 1, end };
    store.commit(Batch::of(Timestamp(5), finish)).await.unwrap();
    let record = store.job(JobId(1)).await.unwrap().unwrap();
    assert_eq!((record.state, record.output, record.epoch), (RecordState::Completed, Some(output), None));
    let [attempt] = &record.history[..] else { panic!("{:?}", record.history) };
    let times = (attempt.number, attempt.epoch, attempt.started, attempt.ended);
    assert_eq!(times, (1, store.epoch(), Timestamp(2), Timestamp(5)));
    let other = Connection::open(&path).unwrap();
    let read = |sql: &str| other.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(read("SELECT history FROM jobs"), serde_json::to_string(&record.history).unwrap());
    assert_eq!(read("SELECT retained_until || '' FROM jobs"), i64::MAX.to_string(), "the latest time");
}

/// Returns what a store keeps of jobs of which many are stored, leased and completed at once: those
/// of one output together, and others of a second attempt, of no retention and of other outputs.
async fn many_jobs(store: impl Store) -> Vec<JobRecord> {
    let new = |number: u64| {
        let Op::Enqueue(mut job) = batch("a").ops.remove(0) else { panic!("a job") };
        job.retention = Duration::from_secs(if number == 109 { 0 } else { 60 });
        Op::Enqueue(job)
    };
    let end = |text: &str| {
        let Op::Enqueue(job) = batch(text).ops.remove(0) else { panic!("a job") };
        AttemptEnd::Completed(Some(job.payload))
    };
    let finish = |job: u64, attempt, end| Op::Finish { job: JobId(job), attempt, end };
    let lease = || Op::Lease { queue: "q".to_owned(), max: 1_000 };
    let commit = async |now, ops| store.commit(Batch { now: Timestamp(now), ops }).await;

    let applied = commit(1, (1..=150).map(new).collect()).await.unwrap();
    assert!(applied.into_iter().eq((1..=150).map(|id| Applied::Enqueued(JobId(id)))));
    commit(2, vec![lease()]).await.unwrap();
    let failure = AttemptFailure::Error("no".to_owned());
    let again = AttemptEnd::Retry { failure, due: Timestamp(0) };
    commit(3, vec![finish(7, 1, again), lease()]).await.unwrap();
    // 107 jobs at once, and 1.
    let together = (1..=107).filter(|job| *job != 7).map(|job| finish(job, 1, end("b")));
    let ops = together.chain([finish(7, 2, end("b")), finish(108, 1, end("c"))]).collect();
    commit(4, ops).await.unwrap();
    // None of one output, of which some are not kept.
    let gone = (109..=130).map(|job| finish(job, 1, AttemptEnd::Completed(None)));
    commit(5, gone.collect()).await.unwrap();
    // The second to last ends twice, so none does.
    let twice = [131, 132, 133, 132, 134].map(|job| finish(job, 1, end("b")));
    let error = commit(6, twice.to_vec()).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::Conflict { op: 3, .. }), "{error}");
    store.jobs(JobFilter::default()).await.unwrap()
}

#[tokio::test]
async fn jobs_of_one_statement_are_stored_as_each_by_itself() {
    let (_folder, path) = file();
    let mut found = many_jobs(SqliteStore::open(&path).unwrap()).await;
    let mut expected = many_jobs(MemoryStore::new()).await;
    for record in found.iter_mut().chain(&mut expected) {
        record.epoch = record.epoch.map(|_| Epoch(0));
        record.history.iter_mut().for_each(|attempt| attempt.epoch = Epoch(0));
    }
    assert_eq!(found.len(), 149, "one is not kept");
    assert_eq!(found, expected);
}

/// A savepoint is made only when a batch has a conflict: the whole group is applied again then.
#[tokio::test]
async fn a_conflict_undoes_its_batch_and_no_other_of_its_group() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    let (go, wait) = channel::<()>();
    // The writer has all of the others when this ends.
    let blocked = store.transaction(move |_| wait.recv());
    let first = store.commit(batch("a"));
    let mut conflict = batch("b");
    conflict.ops.push(Op::Finish { job: JobId(9), attempt: 1, end: AttemptEnd::Completed(None) });
    let conflict = store.commit(conflict);
    let last = store.commit(batch("c"));
    let lease = store.commit(Batch::of(Timestamp(2), Op::Lease { queue: "q".to_owned(), max: 9 }));
    go.send(()).unwrap();
    blocked.await.unwrap();
    assert_eq!(first.await.unwrap(), [Applied::Enqueued(JobId(1))]);
    let error = conflict.await.unwrap_err();
    let is_found =
        matches!(error.kind, CommitErrorKind::Conflict { op: 1, conflict: Conflict::NoSuchJob(_) });
    assert!(is_found && error.batch.ops.len() == 2, "{error}");
    let [Applied::Enqueued(last)] = last.await.unwrap()[..] else { panic!("a job") };
    let [Applied::Leased(leased)] = &lease.await.unwrap()[..] else { panic!("a lease") };
    let jobs = leased.jobs.iter().map(|record| (record.id, &record.job.payload.bytes[..]));
    assert!(jobs.eq([(JobId(1), &b"a"[..]), (last, &b"c"[..])]), "{leased:?}");
    store.check().await.unwrap();
}

/// So many submitters share one transaction.
#[tokio::test]
async fn jobs_that_are_submitted_at_once_get_numbers_in_order() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    let committed: Vec<_> = (0..100).map(|number| store.commit(batch(&number.to_string()))).collect();
    for (number, committed) in committed.into_iter().enumerate() {
        let [Applied::Enqueued(id)] = committed.await.unwrap()[..] else { panic!("a job") };
        let record = store.job(id).await.unwrap().unwrap();
        assert_eq!((id.0, record.job.payload.bytes), (number as u64 + 1, number.to_string().into_bytes()));
    }
}

#[tokio::test]
async fn a_failed_sync_is_unknown_and_the_next_commit_opens_the_file_again() {
    let (_folder, path) = file();
    let store = SqliteStore::open_with(&path, fail_second!(SQLITE_IOERR_FSYNC, false)).unwrap();
    store.commit(batch("a")).await.unwrap();
    let error = store.commit(batch("b")).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::Unknown(StoreError::Failed(_))), "{error}");
    assert_eq!(error.batch, batch("b"));
    assert_eq!(store.commit(batch("c")).await.unwrap(), [Applied::Enqueued(JobId(2))]);
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 2);
}

#[tokio::test]
async fn a_commit_that_was_applied_before_it_failed_is_there_when_the_file_is_open_again() {
    let (_folder, path) = file();
    let store = SqliteStore::open_with(&path, fail_second!(SQLITE_IOERR_FSYNC, true)).unwrap();
    store.commit(batch("a")).await.unwrap();
    let error = store.commit(batch("b")).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::Unknown(_)), "{error}");
    let read = store.queue("q").await.unwrap();
    assert_eq!(read.count(RecordState::Queued), 2, "a read opens the file again too");
    store.commit(batch("c")).await.unwrap();
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 3);
}

#[tokio::test]
async fn a_full_disk_applies_nothing_and_the_store_goes_on() {
    let (_folder, path) = file();
    let store = SqliteStore::open_with(&path, fail_second!(SQLITE_FULL, false)).unwrap();
    store.commit(batch("a")).await.unwrap();
    let error = store.commit(batch("b")).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::NotApplied(StoreError::Full(_))), "{error}");
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 1);
    store.commit(error.batch).await.unwrap();
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 2);
}

#[tokio::test]
async fn nothing_is_read_or_written_while_the_file_cannot_be_opened_again() {
    let (folder, path) = file();
    let store = SqliteStore::open_with(&path, fail_second!(SQLITE_IOERR_FSYNC, false)).unwrap();
    store.commit(batch("a")).await.unwrap();
    // Another program reads an old state for ever, so the log cannot be written into the file.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM jobs").unwrap();
    store.commit(batch("b")).await.unwrap_err();
    let read = store.queue("q").await;
    assert!(matches!(read, Err(StoreError::Broken(_))), "{read:?}");
    let error = store.commit(batch("c")).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::NotApplied(StoreError::Broken(_))), "{error}");
    other.execute_batch("COMMIT").unwrap();
    store.commit(error.batch).await.unwrap();
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 2);
    drop(folder);
}

#[tokio::test]
async fn a_file_of_the_first_schema_is_brought_up_to_date_with_its_jobs() {
    let (_folder, path) = file();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(STEPS[0]).unwrap();
    old.pragma_update(None, "application_id", APPLICATION).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let sql = "INSERT INTO jobs VALUES (7, 'q', 'delayed', 1, NULL, 3, 10, 20, NULL, 11, NULL, NULL, 20, \
        NULL, NULL, NULL, NULL, 0, 0, 5, 2, NULL, NULL, 0, \
        '[{\"number\":1,\"epoch\":1,\"started\":11,\"ended\":12,\"failure\":{\"Error\":\"no\"}}]', \
        't', 1, 'raw', x'61', NULL, NULL, NULL, NULL)";
    old.execute(sql, []).unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let record = store.job(JobId(7)).await.unwrap().unwrap();
    assert_eq!((record.state, record.history.len()), (RecordState::Delayed, 1));
    assert_eq!(record.failures().next(), Some(&AttemptFailure::Error("no".to_owned())));
    assert!(record.job.options.is_default());
    store.check().await.unwrap();
}

fn last(answered: usize, millis: u64) -> Transaction {
    Transaction { answered, commit: Duration::from_millis(millis) }
}

#[test]
fn the_next_transaction_waits_as_long_as_the_latest_commit_took() {
    let micros = Duration::from_micros;
    let rows = [
        (Transaction { answered: 64, commit: micros(500) }, micros(10), Some(micros(500))),
        (last(64, 400), micros(10), Some(micros(1_000))),
        // They have gone.
        (last(64, 1), micros(1_000), None),
        // The sync takes no time.
        (Transaction { answered: 64, commit: micros(49) }, Duration::ZERO, None),
        (Transaction::default(), Duration::ZERO, None),
    ];
    for (last, idle, patience) in rows {
        assert_eq!(last.max_wait(idle), patience, "{last:?}, {idle:?}");
    }
}

/// To prepare a statement takes longer than to run it.
#[test]
fn the_statement_that_leases_is_not_prepared_again_for_other_values() {
    let (_folder, path) = file();
    let (connection, _) = open(&path).unwrap();
    for max in [1, 2, 3] {
        assert_eq!(SqliteTables::new(&connection, &mut Cache::default()).ready("q", max), Ok(Vec::new()));
    }
    let statement = connection.prepare_cached(READY).unwrap();
    assert_eq!(statement.get_status(StatementStatus::Run), 3);
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
}

/// The view of all jobs is three tables, and SQLite chooses how to read each.
#[test]
fn a_job_and_the_jobs_of_a_state_are_found_by_indexes() {
    let (_folder, path) = file();
    let (connection, _) = open(&path).unwrap();
    for sql in [queries::JOB, queries::OF_STATE] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let values = rusqlite::params_from_iter(vec![rusqlite::types::Null; count]);
        let steps = statement.query_map(values, |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:?}");
        let ended = steps.iter().find(|step| step.starts_with("SEARCH e")).unwrap();
        let by_index = [
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH e USING INDEX ended_states (queue=? AND state=? AND rowid>?)",
        ];
        assert!(by_index.contains(&ended.as_str()), "{ended}");
    }
}

/// A request that does nothing.
fn nothing() -> Work {
    Work::Batch(Request::new(Batch::default()).0)
}

/// Returns how many requests the next transaction has. So many have come during the latest one, and
/// so many after its answers.
fn gathered(before: usize, after: usize, last: Transaction) -> usize {
    let queue = WorkQueue::default();
    let mut next: VecDeque<_> = (0..before).map(|_| nothing()).collect();
    for _ in 0..after {
        assert!(queue.push(nothing()).is_ok(), "it is open");
    }
    assert!(writer::fill_group(&mut next, &queue, last));
    next.len()
}

#[test]
fn a_group_ends_without_those_that_do_not_come_back() {
    assert_eq!(gathered(0, 3, last(64, 8)), 3);
    assert_eq!(gathered(0, 3, Transaction::default()), 3);
    assert_eq!(gathered(1, 3, last(64, 8)), 4);
}

/// Otherwise two that wait for each other's transactions would have a sync each, for ever.
#[test]
fn one_that_waits_and_one_that_was_answered_are_expected_together() {
    assert_eq!(last(1, 1).expected(1), 2);
    assert_eq!(last(64, 1).expected(3), 67);
    assert_eq!(last(1, 1).expected(0), 1, "the only one");
    assert_eq!(last(writer::MAX_GROUP, 1).expected(2), writer::MAX_GROUP);
}

#[test]
fn the_thread_that_writes_is_woken_when_there_is_enough_and_when_the_queue_is_closed() {
    let queue = WorkQueue::default();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut taken = VecDeque::new();
            while queue.take(10, None, &mut taken) {}
            taken.len()
        });
        let push = || (0..25).for_each(|_| assert!(queue.push(nothing()).is_ok()));
        let senders: Vec<_> = (0..4).map(|_| scope.spawn(push)).collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        queue.close();
        assert!(queue.push(nothing()).is_err());
        assert_eq!(writer.join().unwrap(), 100);
    });
}
