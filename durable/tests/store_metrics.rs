//! The metrics of stores: the time of their transactions, and how many requests share one.

#[allow(dead_code, reason = "this program uses a part of it")]
mod support;

use metrics_util::debugging::DebuggingRecorder;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{Batch, NewJob, Op, Store, Timestamp};
use support::payload;
use support::postgres::server;
use support::recorded::Recorded;
use tempfile::TempDir;

/// The requests of a test.
const REQUESTS: usize = 200;

async fn fill(store: &dyn Store) {
    let enqueue = || Batch::of(Timestamp(1), Op::Enqueue(Box::new(NewJob::new("q", payload("a")))));
    let commits: Vec<_> = (0..REQUESTS).map(|_| store.commit(enqueue())).collect();
    for commit in commits {
        commit.await.expect("a commit");
    }
}

/// Checks what was recorded of the requests of one store.
fn check(seen: &Recorded, store: &str, single: usize) {
    let times = seen.samples(&format!("store_commit_seconds{{store={store}}}"));
    let sizes = seen.samples(&format!("store_batch_size{{store={store}}}"));
    assert_eq!(times.len(), sizes.len());
    assert!(times.iter().all(|time| *time > 0.0 && *time < 60.0), "{times:?}");
    assert_eq!(sizes.iter().sum::<f64>(), (REQUESTS + single) as f64);
    assert!(sizes.len() < REQUESTS, "they share transactions: {sizes:?}");
}

/// One test with the recorder of the program: stores write on threads of their own.
#[tokio::test]
async fn transactions_are_measured_with_the_requests_that_share_them() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("jobs.db")).unwrap();
    fill(&store).await;
    let new = NewJob::new("q", payload("b"));
    store.transaction(move |transaction| transaction.enqueue(new)).await.unwrap();
    // It answers before it records.
    drop(store);
    check(&Recorded::of(&snapshotter), "sqlite", 1);

    let Some(server) = server() else { return };
    let store = server.builder().connect().await.unwrap();
    fill(&store).await;
    drop(store);
    check(&Recorded::of(&snapshotter), "postgres", 0);
}
