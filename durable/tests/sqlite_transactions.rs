//! Jobs are stored in the caller's own transaction: all of it is there or nothing, and no other
//! request is touched.

use std::path::PathBuf;
use std::sync::Arc;

use perennial_actors::System;
use perennial_durable::pool::Durable;
use perennial_durable::sqlite::{SqliteStore, TransactionError, rusqlite};
use perennial_durable::{Batch, JobFilter, JobId, NewJob, Op, Store, Timestamp};
use tempfile::TempDir;

use crate::support::{payload, squares};

fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("jobs.db");
    (folder, path)
}

fn new_job(text: &str) -> NewJob {
    NewJob::new("q", payload(text))
}

/// Counts the rows of the caller's table, and the jobs.
async fn counts(store: &SqliteStore) -> (i64, usize) {
    let rows = store.transaction(|orders| {
        orders.execute_batch("CREATE TABLE IF NOT EXISTS orders (item TEXT)")?;
        orders.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))
    });
    (
        rows.await.expect("the store can be read"),
        store.jobs(JobFilter::default()).await.expect("the store can be read").len(),
    )
}

fn order(orders: &rusqlite::Connection) {
    orders.execute("INSERT INTO orders VALUES ('a book')", []).expect("a row");
}

#[tokio::test]
async fn a_job_and_a_row_are_one_commit_and_the_pool_is_told() {
    let (_folder, path) = file();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    counts(&store).await;
    let pool = squares().durable(store.clone());
    let numbers = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    let job = numbers.submit(7).priority(9).prepare().unwrap();
    let id = store.transaction(move |orders| {
        order(orders);
        orders.enqueue(job)
    });
    let id = id.await.unwrap();
    assert_eq!(numbers.job(id).outcome().await, Ok(49));
    assert_eq!(counts(&store).await, (1, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn an_error_and_a_panic_undo_the_transaction_and_no_other() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    counts(&store).await;
    let commit = |text: &str| store.commit(Batch::of(Timestamp(1), Op::Enqueue(Box::new(new_job(text)))));
    // They are handed over together.
    let before = commit("before");
    let failed = store.transaction(|orders| {
        order(orders);
        orders.enqueue(new_job("failed")).unwrap();
        Err::<(), _>("no".to_owned())
    });
    let between = commit("between");
    let panicked = store.transaction(|orders| -> Result<(), String> {
        order(orders);
        orders.enqueue(new_job("panicked")).unwrap();
        panic!("oh");
    });
    let after = commit("after");
    assert!(before.await.is_ok() && between.await.is_ok() && after.await.is_ok());
    assert_eq!(failed.await, Err(TransactionError::Aborted("no".to_owned())));
    let panicked = panicked.await;
    assert!(
        matches!(panicked, Err(TransactionError::Panicked(ref text)) if text.contains("oh")),
        "{panicked:?}"
    );
    assert_eq!(counts(&store).await, (0, 3));
}

#[tokio::test]
async fn a_closure_that_ends_the_transaction_itself_is_told_and_the_store_goes_on() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    counts(&store).await;
    let ended = store.transaction(|orders| {
        order(orders);
        orders.execute_batch("COMMIT")
    });
    assert!(matches!(ended.await, Err(TransactionError::Unknown(_))));
    assert_eq!(counts(&store).await, (1, 0));
    let dropped = store.transaction(|orders| orders.enqueue(new_job("a")));
    drop(dropped);
    assert_eq!(counts(&store).await, (1, 1), "a dropped future does not undo its transaction");
}

#[tokio::test]
async fn transactions_outlive_the_process_and_see_the_ones_before() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..20_i64 {
        let seen = store.transaction(move |jobs| {
            jobs.enqueue(new_job(&number.to_string()))?;
            jobs.query_row("SELECT count(*) FROM jobs", [], |row| row.get::<_, i64>(0))
        });
        assert_eq!(seen.await, Ok(number + 1));
    }
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    let ids: Vec<_> = store.jobs(JobFilter::default()).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(ids, (1..=20).map(JobId).collect::<Vec<_>>());
}

/// A job is stored by several statements. A closure may go on if one of them has failed.
#[tokio::test]
async fn a_job_that_cannot_be_stored_leaves_nothing_in_the_transaction() {
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).unwrap();
    counts(&store).await;
    let refused = store.transaction(|orders| {
        order(orders);
        orders.execute_batch(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON waiting_jobs \
            BEGIN SELECT raise(FAIL, 'full'); END",
        )?;
        let refused = orders.enqueue(new_job("refused"));
        orders.execute_batch("DROP TRIGGER refuse")?;
        Ok::<_, rusqlite::Error>(refused)
    });
    let error = refused.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(counts(&store).await, (1, 0));
    store.check().await.unwrap();
}
