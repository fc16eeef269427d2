//! The store in one file keeps the promises of stores, and those of its file.

use std::fs;
use std::path::{Path, PathBuf};

use perennial_durable::conformance::run;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Applied, AttemptEnd, Batch, CommitErrorKind, EventFilter, JobFilter, JobId, JobRecord, NewJob, Op,
    OpenError, RecordState, RecordedProgress, Store, StoreError, Timestamp,
};
use tempfile::TempDir;

use crate::support::{payload, sqlite};

fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("jobs.db");
    (folder, path)
}

fn enqueue(text: &str) -> Batch {
    Batch::of(Timestamp(1), Op::Enqueue(Box::new(NewJob::new("q", payload(text)))))
}

#[tokio::test]
async fn it_passes_the_conformance_suite() {
    let report = run(sqlite).await;
    assert!(report.is_passed(), "{report}");
}

#[tokio::test]
async fn a_second_store_on_the_file_is_refused_until_the_first_is_dropped() {
    let (_folder, path) = file();
    let first = SqliteStore::open(&path).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert_eq!(refused, OpenError::InUse { path: path.display().to_string() });
    drop(first);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_file_of_a_newer_schema_is_refused_and_left_as_it_is() {
    let (_folder, path) = file();
    drop(SqliteStore::open(&path).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let refused = SqliteStore::open(&path).unwrap_err();
    assert_eq!(refused, OpenError::NewerSchema { found: 99, known: 4 });
    let still = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = still.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_file_that_is_no_database_or_belongs_to_another_program_is_refused() {
    let (_folder, path) = file();
    fs::write(&path, "this is no database, however long it may be".repeat(100)).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::NotAStore { .. }), "{refused}");

    let (_folder, path) = file();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::NotAStore { .. }), "{refused}");
}

#[tokio::test]
async fn damage_is_found_by_the_check() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..200 {
        store.commit(enqueue(&"x".repeat(number))).await.unwrap();
    }
    store.check().await.unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    // The last page is one of the jobs.
    bytes[end - 4096..].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert!(matches!(store.check().await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn batches_that_were_handed_over_are_committed_when_the_store_is_dropped() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..100 {
        drop(store.commit(enqueue(&number.to_string())));
    }
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.jobs(JobFilter::default()).await.unwrap().len(), 100);
}

#[tokio::test]
async fn another_program_that_writes_for_long_is_waited_for_and_then_reported() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(enqueue("a")).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::NotApplied(StoreError::Busy(_))), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(error.batch).await.unwrap();
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 1);
}

/// Writes the file that a build with version 2 has left.
fn write_version_2(path: &Path) {
    let old = rusqlite::Connection::open(path).expect("an empty file");
    old.execute_batch(include_str!("fixtures/version_2.sql")).expect("statements of that version");
}

#[tokio::test]
async fn a_file_of_version_2_is_brought_up_to_date_with_all_it_holds() {
    let (_folder, path) = file();
    write_version_2(&path);
    let store = SqliteStore::open(&path).unwrap();
    let lines = include_str!("fixtures/version_2.jsonl").lines();
    let expected: Vec<JobRecord> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(store.jobs(JobFilter::default()).await.unwrap(), expected);
    for record in &expected {
        assert_eq!(store.job(record.id).await.unwrap().as_ref(), Some(record));
    }
    let queues = store.queues().await.unwrap();
    assert!(queues["bills"].paused && !queues["mails"].paused);
    assert_eq!(queues["mails"].count(RecordState::Running), 2);
    assert_eq!(store.events(EventFilter::default()).await.unwrap().len(), 2);
    assert_eq!(store.snapshot("account").await.unwrap().unwrap().state, payload("s"));
    // The latest job of that file was removed, and its number is not given again.
    let applied = store.commit(enqueue("next")).await.unwrap();
    assert_eq!(applied, [Applied::Enqueued(JobId(16))]);
    store.check().await.unwrap();
}

/// A program may have tables of its own in the file, and views of those of this library.
#[tokio::test]
async fn views_triggers_and_references_of_a_user_do_not_keep_a_file_from_being_brought_up_to_date() {
    let (_folder, path) = file();
    write_version_2(&path);
    let sql = "CREATE VIEW theirs AS SELECT j.name, j.sequence FROM events AS e JOIN journals AS j \
        ON j.id = e.journal; \
        CREATE VIEW stale AS SELECT * FROM gone; \
        CREATE TABLE projected (position INTEGER REFERENCES events (position)); \
        INSERT INTO projected VALUES (2); \
        CREATE TRIGGER count AFTER INSERT ON projected BEGIN SELECT max(position) FROM events; END;";
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.events(EventFilter::default()).await.unwrap().len(), 2);
    store.check().await.unwrap();
    drop(store);
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute("INSERT INTO projected VALUES (1)", []).unwrap();
    theirs.execute("INSERT INTO projected VALUES (7)", []).unwrap_err();
}

#[tokio::test]
async fn journals_of_a_file_of_version_2_go_on() {
    let (_folder, path) = file();
    write_version_2(&path);
    let old = rusqlite::Connection::open(&path).unwrap();
    // Later events were erased.
    old.execute_batch("UPDATE sqlite_sequence SET seq = 9 WHERE name = 'events'").unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let journal = || "account".to_owned();
    let append = Op::Append { journal: journal(), writer: 2, expected: 2, events: vec![payload("c")] };
    let ops = vec![Op::Claim { journal: journal() }, append];
    let applied = store.commit(Batch { now: Timestamp(1), ops }).await.unwrap();
    assert_eq!(applied, [Applied::Claimed { writer: 2, sequence: 2 }, Applied::Appended(3)]);
    let events = store.events(EventFilter::default()).await.unwrap();
    let places: Vec<_> = events.iter().map(|event| (event.position, event.sequence)).collect();
    assert_eq!(places, [(1, 1), (2, 2), (10, 3)]);
}

#[tokio::test]
async fn jobs_of_a_file_of_version_2_go_on() {
    let (_folder, path) = file();
    write_version_2(&path);
    let store = SqliteStore::open(&path).unwrap();
    let orphans = store.orphans("mails", 10).await.unwrap();
    assert_eq!(ids(&orphans), [10, 11]);
    let finish = |job| Op::Finish { job: JobId(job), attempt: 1, end: AttemptEnd::Completed(None) };
    let lease = Op::Lease { queue: "mails".to_owned(), max: 10 };
    let ops = vec![finish(10), finish(11), lease];
    let applied = store.commit(Batch { now: Timestamp(100_000), ops }).await.unwrap();
    let [.., Applied::Leased(leased)] = &applied[..] else { panic!("{applied:?}") };
    // By priority: 9 and 13 were delayed, 12 was held back by its key, 8 is retried.
    assert_eq!(ids(&leased.jobs), [9, 13, 8, 12]);
    assert_eq!(leased.jobs[0].history.len(), 1);
    let progress = store.job(JobId(10)).await.unwrap().unwrap().last_progress();
    assert_eq!(progress, Some(RecordedProgress { done: 2, total: 5 }));
    let purge = Batch::of(Timestamp(1_000_000), Op::Purge { max: 100 });
    assert_eq!(store.commit(purge).await.unwrap(), [Applied::Purged(7)]);
    let left = store.jobs(JobFilter::default()).await.unwrap();
    assert_eq!(ids(&left), [4, 8, 9, 12, 13, 14], "one of unknown outcome stays");
    store.check().await.unwrap();
}

fn ids(records: &[JobRecord]) -> Vec<u64> {
    records.iter().map(|record| record.id.0).collect()
}

/// The jobs are in four tables. Programs and people read one.
#[tokio::test]
async fn the_columns_of_a_job_are_those_of_version_2() {
    let (_folder, path) = file();
    write_version_2(&path);
    let rows = || {
        let file = rusqlite::Connection::open(&path).expect("a file");
        let mut statement = file.prepare("SELECT * FROM jobs ORDER BY id").expect("a table");
        let names: Vec<_> = statement.column_names().map(str::to_owned).collect();
        let row = |row: &rusqlite::Row<'_>| names.iter().map(|name| row.get(name.as_str())).collect();
        let rows = statement.query_map([], row).expect("rows");
        let rows: Result<Vec<Vec<rusqlite::types::Value>>, _> = rows.collect();
        (names.clone(), rows.expect("values"))
    };
    let before = rows();
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(rows(), before);
}
