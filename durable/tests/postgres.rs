//! The store in a server keeps the promises of stores, and those of its server.

use perennial_durable::conformance::run;
use perennial_durable::postgres::PostgresStore;
use perennial_durable::{
    Applied, Batch, JobFilter, NewJob, Op, OpenError, RecordState, Store, StoreError, Timestamp, Unique,
};

use crate::support::payload;
use crate::support::postgres::{new_schema, server};

const NOW: Timestamp = Timestamp(1_000);

fn job(text: &str) -> NewJob {
    NewJob::new("q", payload(text))
}

fn unique(text: &str) -> NewJob {
    let unique = Unique { key: "u".to_owned(), over_counts: false, period: None };
    NewJob { unique: Some(unique), ..job(text) }
}

async fn apply(store: &PostgresStore, op: Op) -> Applied {
    store.commit(Batch::of(NOW, op)).await.expect("a commit").pop().expect("an effect")
}

async fn enqueue(store: &PostgresStore, job: NewJob) -> Applied {
    apply(store, Op::Enqueue(Box::new(job))).await
}

#[tokio::test]
async fn it_passes_the_conformance_suite() {
    let Some(server) = server() else { return };
    let report = run(|| server.opener()).await;
    assert!(report.is_passed(), "{report}");
}

#[tokio::test]
async fn batches_that_were_handed_over_are_committed_when_the_store_is_dropped() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let store = builder.clone().connect().await.unwrap();
    for number in 0..100 {
        drop(store.commit(Batch::of(NOW, Op::Enqueue(Box::new(job(&number.to_string()))))));
    }
    drop(store);
    let store = builder.connect().await.unwrap();
    assert_eq!(store.jobs(JobFilter::default()).await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_batch_that_the_server_refuses_does_not_refuse_those_beside_it() {
    let Some(server) = server() else { return };
    let store = server.builder().connect().await.unwrap();
    // PostgreSQL has no text with a zero.
    let refused = NewJob { key: Some("\0".to_owned()), ..job("refused") };
    let batch = |job: NewJob| Batch::of(NOW, Op::Enqueue(Box::new(job)));
    let before = store.commit(batch(job("before")));
    let refused = store.commit(batch(refused));
    let after = store.commit(batch(job("after")));
    assert!(before.await.is_ok());
    let error = refused.await.unwrap_err();
    assert!(error.to_string().starts_with("nothing was stored"), "{error}");
    assert!(after.await.is_ok());
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 2);
}

#[tokio::test]
async fn a_batch_that_leases_and_does_more_is_one_step() {
    let Some(server) = server() else { return };
    let store = server.builder().connect().await.unwrap();
    let lease = || Op::Lease { queue: "q".to_owned(), max: 9 };
    let enqueue = |text: &str| Op::Enqueue(Box::new(job(text)));
    let ops = vec![enqueue("a"), lease(), enqueue("b"), lease()];
    let applied = store.commit(Batch { now: NOW, ops }).await.unwrap();
    let leased = |applied: &Applied| matches!(applied, Applied::Leased(leased) if leased.jobs.len() == 1);
    assert!(leased(&applied[1]) && leased(&applied[3]), "{applied:?}");
    let late = Op::Cancel(perennial_durable::JobId(1));
    let stale = Op::Finish {
        job: perennial_durable::JobId(99),
        attempt: 1,
        end: perennial_durable::AttemptEnd::Completed(None),
    };
    let error =
        store.commit(Batch { now: NOW, ops: vec![late, enqueue("c"), lease(), stale] }).await.unwrap_err();
    assert!(error.to_string().starts_with("operation 3"), "{error}");
    let info = store.queue("q").await.unwrap();
    assert_eq!((info.count(RecordState::Running), info.count(RecordState::Queued)), (2, 0));
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_says_so_and_does_not_show_it() {
    let Some(server) = server() else { return };
    let error = PostgresStore::connect(server.url_with("hunter2")).await.unwrap_err();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    assert!(!format!("{:?}", PostgresStore::builder(server.url_with("hunter2"))).contains("hunter2"));
}

#[tokio::test]
async fn an_address_without_a_server_is_an_error_that_says_so() {
    let error = PostgresStore::connect("postgres://me@127.0.0.1:1/db").await.unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::Disconnected(_))), "{error}");
    let error = PostgresStore::connect("postgres://me@localhost/db?sslmode=sometimes").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no sslmode sometimes");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let store = builder.clone().connect().await.unwrap();
    let meta = format!("\"{}\".meta", store.schema());
    drop(store);
    let admin = server.admin().await;
    admin.execute(&format!("UPDATE {meta} SET value = 99 WHERE name = 'version'"), &[]).await.unwrap();
    let refused = builder.connect().await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused}");
    let row =
        admin.query_one(&format!("SELECT value FROM {meta} WHERE name = 'version'"), &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 99);
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    let Some(server) = server() else { return };
    let schema = new_schema();
    let theirs = format!("CREATE SCHEMA \"{schema}\"; CREATE TABLE \"{schema}\".theirs (a int)");
    server.admin().await.batch_execute(&theirs).await.unwrap();
    let refused = PostgresStore::builder(server.url()).schema(schema).connect().await.unwrap_err();
    assert!(matches!(refused, OpenError::NotAStore { .. }), "{refused}");
}

#[tokio::test]
async fn processes_that_start_together_make_one_schema_and_get_an_epoch_each() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let opening = (0..8).map(|_| tokio::spawn(builder.clone().connect()));
    let mut epochs = Vec::new();
    let mut stores = Vec::new();
    for opened in opening.collect::<Vec<_>>() {
        let store = opened.await.unwrap().unwrap();
        epochs.push(store.epoch());
        stores.push(store);
    }
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 8);
    for store in &stores {
        enqueue(store, job("a")).await;
    }
    assert_eq!(stores[0].queue("q").await.unwrap().count(RecordState::Queued), 8);
}

#[tokio::test]
async fn a_job_of_a_transaction_of_the_caller_is_there_when_that_is_committed() {
    let Some(server) = server() else { return };
    let store = server.builder().connect().await.unwrap();
    let mut client = server.admin().await;
    let mut changes = store.changes();

    let transaction = client.transaction().await.unwrap();
    let enqueued = store.enqueue_in(&transaction, job("undone")).await.unwrap();
    assert!(matches!(enqueued, Applied::Enqueued(_)));
    transaction.rollback().await.unwrap();
    assert_eq!(store.queue("q").await.unwrap().count(RecordState::Queued), 0);

    let transaction = client.transaction().await.unwrap();
    let all = NewJob {
        priority: 3,
        due: Timestamp(u64::MAX >> 2),
        expires: Some(Timestamp(u64::MAX >> 1)),
        key: Some("k".to_owned()),
        at_most_once: true,
        retention: std::time::Duration::from_secs(5),
        attempts: 4,
        lost_attempts: 2,
        ..unique("done")
    };
    let Applied::Enqueued(id) = store.enqueue_in(&transaction, all.clone()).await.unwrap() else {
        panic!("it is new");
    };
    assert_eq!(store.enqueue_in(&transaction, all.clone()).await.unwrap(), Applied::Existing(id));
    assert_eq!(store.job(id).await.unwrap(), None, "it is not committed");
    changes.mark_unchanged();
    transaction.commit().await.unwrap();
    changes.changed().await.unwrap();
    let record = store.job(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.job), (RecordState::Delayed, all));
    assert_eq!(enqueue(&store, unique("again")).await, Applied::Existing(id));
}
