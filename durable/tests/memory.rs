//! The store in memory keeps the promises of stores, and those of its handles.

use perennial_durable::conformance::{Report, run};
use perennial_durable::{Batch, CommitErrorKind, MemoryStore, NewJob, Op, Store, StoreError, Timestamp};

use crate::support::{memory, payload};

#[tokio::test]
async fn it_passes_the_conformance_suite() {
    let report: Report = run(memory).await;
    assert!(report.is_passed(), "{report}");
}

#[tokio::test]
async fn a_process_that_was_given_up_cannot_commit_and_another_goes_on() {
    let store = MemoryStore::new();
    let other = store.join();
    store.end();
    let batch = Batch::of(Timestamp(1), Op::Enqueue(Box::new(NewJob::new("q", payload("a")))));
    let error = store.commit(batch.clone()).await.unwrap_err();
    assert_eq!(error.kind, CommitErrorKind::NotApplied(StoreError::EpochEnded));
    assert_eq!(error.batch, batch);
    assert!(other.commit(batch).await.is_ok());
}
