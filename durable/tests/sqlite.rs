//! The store in one file keeps the promises of stores, and those of its file.

use std::fs;
use std::path::PathBuf;

use perennial_durable::conformance::run;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Batch, CommitErrorKind, JobFilter, NewJob, Op, OpenError, RecordState, Store, StoreError, Timestamp,
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
    assert_eq!(refused, OpenError::NewerSchema { found: 99, known: 2 });
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
