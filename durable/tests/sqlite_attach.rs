//! A second process that attaches to the file of a running one.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::Durable;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Applied, Batch, CommitErrorKind, Conflict, EventFilter, JobFilter, NewJob, Op, OpenError, RecordState,
    Store, Timestamp,
};
use tempfile::TempDir;

use crate::support::{payload, squares};

fn now() -> Timestamp {
    Timestamp(u64::MAX / 4)
}

#[tokio::test]
async fn what_an_attached_process_changes_is_noticed_by_the_running_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jobs.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let pool = squares().durable(store.clone());
    let numbers = pool.handle();
    numbers.pause().await.unwrap();
    let app = pool.start(&System::new()).await.unwrap();
    let job = numbers.submit(7).await.unwrap();

    let attached = SqliteStore::attach(&path).unwrap();
    assert_eq!(attached.epoch(), store.epoch(), "no epoch has begun");
    assert_eq!(attached.queue("squares").await.unwrap().count(RecordState::Queued), 1);
    assert!(attached.queue("squares").await.unwrap().paused);
    let resume = Op::Pause { queue: "squares".to_owned(), paused: false };
    attached.commit(Batch::of(now(), resume)).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(30), job.outcome()).await;
    assert_eq!(outcome.expect("it was noticed"), Ok(49));
    drop(attached);
    // The file is still that of the running process, which goes on.
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::InUse { .. })));
    assert_eq!(numbers.submit(8).await.unwrap().outcome().await, Ok(64));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn an_attached_process_submits_and_removes_and_leases_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jobs.db");
    let store = SqliteStore::open(&path).unwrap();
    let attached = SqliteStore::attach(&path).unwrap();
    let enqueue = Op::Enqueue(Box::new(NewJob::new("q", payload("a"))));
    let applied = attached.commit(Batch::of(now(), enqueue)).await.unwrap();
    let [Applied::Enqueued(id)] = applied[..] else { panic!("{applied:?}") };
    assert!(store.job(id).await.unwrap().is_some());
    let lease = Op::Lease { queue: "q".to_owned(), max: 1 };
    let refused = attached.commit(Batch::of(now(), lease)).await.unwrap_err();
    assert!(matches!(refused.kind, CommitErrorKind::NotApplied(_)), "{refused}");
    let removed = attached.commit(Batch::of(now(), Op::Remove(id))).await.unwrap();
    assert_eq!(removed, [Applied::Changed(true)]);
    assert_eq!(store.jobs(JobFilter::default()).await.unwrap(), []);
}

fn append(writer: u64, expected: u64) -> Op {
    Op::Append { journal: "account".to_owned(), writer, expected, events: vec![payload("e")] }
}

/// The running process knows the ends of its journals without a look at the file.
#[tokio::test]
async fn what_an_attached_process_does_to_a_journal_is_seen_by_the_writer() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("journals.db");
    let store = SqliteStore::open(&path).unwrap();
    let attached = SqliteStore::attach(&path).unwrap();
    let commit = async |store: &SqliteStore, op| store.commit(Batch::of(now(), op)).await;
    let journal = "account".to_owned();
    commit(&store, Op::Claim { journal: journal.clone() }).await.unwrap();
    assert_eq!(commit(&store, append(1, 0)).await.unwrap(), [Applied::Appended(1)]);
    assert_eq!(commit(&attached, append(1, 1)).await.unwrap(), [Applied::Appended(2)]);
    let refused = commit(&store, append(1, 1)).await.unwrap_err();
    let wrong = Conflict::WrongSequence { journal: journal.clone(), expected: 1, found: 2 };
    assert_eq!(refused.kind, CommitErrorKind::Conflict { op: 0, conflict: wrong });
    assert_eq!(commit(&store, append(1, 2)).await.unwrap(), [Applied::Appended(3)]);
    let events = store.events(EventFilter::default()).await.unwrap();
    assert!(events.windows(2).all(|pair| pair[0].position < pair[1].position), "{events:?}");
    commit(&attached, Op::Erase { journal: journal.clone() }).await.unwrap();
    let refused = commit(&store, append(1, 3)).await.unwrap_err();
    let stale = Conflict::StaleWriter { journal, writer: 1, latest: 2 };
    assert_eq!(refused.kind, CommitErrorKind::Conflict { op: 0, conflict: stale });
}

#[test]
fn a_file_that_is_not_there_or_no_store_is_not_attached_and_not_made() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.db");
    let refused = SqliteStore::attach(&missing).unwrap_err();
    assert!(matches!(refused, OpenError::NotAStore { .. }), "{refused}");
    assert!(!missing.exists());
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let refused = SqliteStore::attach(&empty).unwrap_err();
    assert!(refused.to_string().contains("schema is version 0"), "{refused}");
    assert_eq!(std::fs::read(&empty).unwrap(), b"");
}
