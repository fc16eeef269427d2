//! Transactions of several processes that meet: each waits for the other's locks, in a known order.

use std::sync::Arc;
use std::time::Duration;

use perennial_durable::postgres::{PostgresBuilder, PostgresStore};
use perennial_durable::{
    Applied, AttemptEnd, Batch, CommitErrorKind, JobRecord, NewJob, Op, RecordState, Store, StoreError,
    Timestamp,
};
use tokio_postgres::{Client, Transaction};

use crate::support::payload;
use crate::support::postgres::{Server, new_schema, server};

const NOW: Timestamp = Timestamp(1_000);

/// Returns the builder of a store whose sessions have the name of its schema.
fn builder(server: &Server) -> (PostgresBuilder, String) {
    let schema = new_schema().replace(' ', "-");
    let url = format!("{}?application_name={schema}", server.url());
    (PostgresStore::builder(url).schema(schema.clone()), schema)
}

/// A job that is leased by a store.
async fn leased(store: &PostgresStore) -> JobRecord {
    let new = NewJob { retention: Duration::from_secs(60), ..NewJob::new("q", payload("a")) };
    let lease = Op::Lease { queue: "q".to_owned(), max: 1 };
    let ops = vec![Op::Enqueue(Box::new(new)), lease];
    match store.commit(Batch { now: NOW, ops }).await.expect("a commit").pop() {
        Some(Applied::Leased(mut leased)) => leased.jobs.pop().expect("a job"),
        other => panic!("{other:?}"),
    }
}

/// Locks the row of a job until the transaction ends.
async fn lock<'a>(client: &'a mut Client, schema: &str, job: &JobRecord) -> Transaction<'a> {
    let transaction = client.transaction().await.expect("a transaction");
    let sql = format!("SELECT 1 FROM \"{schema}\".jobs WHERE id = {} FOR UPDATE", job.id);
    transaction.execute(&sql, &[]).await.expect("a lock");
    transaction
}

/// Waits until so many sessions of a store wait for locks.
async fn wait_for_waiting(admin: &Client, schema: &str, sessions: i64) {
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
    while admin.query_one(sql, &[&schema]).await.expect("a count").get::<_, i64>(0) < sessions {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_an_outcome_and_a_cancellation_that_meet_the_first_holds() {
    let Some(server) = server() else { return };
    let (builder, schema) = builder(server);
    let (first, second) = (builder.clone().connect().await.unwrap(), builder.connect().await.unwrap());
    let job = leased(&first).await;
    let (admin, mut client) = (server.admin().await, server.admin().await);
    let locked = lock(&mut client, &schema, &job).await;
    let end = AttemptEnd::Completed(Some(payload("out")));
    let outcome = first.commit(Batch::of(NOW, Op::Finish { job: job.id, attempt: job.attempt, end }));
    let cancelled = second.commit(Batch::of(NOW, Op::Cancel(job.id)));
    wait_for_waiting(&admin, &schema, 2).await;
    locked.rollback().await.unwrap();
    let (outcome, cancelled) = (outcome.await, cancelled.await.unwrap());
    let record = first.job(job.id).await.unwrap().unwrap();
    match outcome {
        Ok(_) => {
            assert_eq!((record.state, &cancelled[0]), (RecordState::Completed, &Applied::Changed(false)))
        }
        Err(error) => {
            assert!(matches!(error.kind, CommitErrorKind::Conflict { .. }), "{error}");
            assert_eq!((record.state, &cancelled[0]), (RecordState::Cancelled, &Applied::Changed(true)));
        }
    }
}

async fn lease(store: &PostgresStore) -> Vec<JobRecord> {
    let lease = Op::Lease { queue: "q".to_owned(), max: 9 };
    match store.commit(Batch::of(NOW, lease)).await.expect("a commit").pop() {
        Some(Applied::Leased(leased)) => leased.jobs,
        other => panic!("{other:?}"),
    }
}

/// A job of a key.
fn keyed(priority: u8) -> Batch {
    let new = NewJob { key: Some("k".to_owned()), priority, ..NewJob::new("q", payload("a")) };
    Batch::of(NOW, Op::Enqueue(Box::new(new)))
}

/// Has an update of a job of priority 1 wait for a lock.
async fn wait_at_update(admin: &Client, schema: &str, lock: i32) {
    let wait = format!(
        "CREATE FUNCTION \"{schema}\".wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM pg_advisory_xact_lock({lock}); RETURN NEW; END $$; \
        CREATE TRIGGER waits BEFORE UPDATE ON \"{schema}\".jobs FOR EACH ROW WHEN (NEW.priority = 1) \
        EXECUTE FUNCTION \"{schema}\".wait()"
    );
    admin.batch_execute(&wait).await.expect("an answer");
}

/// Holds a lock until the transaction ends.
async fn hold(client: &mut Client, lock: i32) -> Transaction<'_> {
    let transaction = client.transaction().await.expect("a transaction");
    transaction.execute(&format!("SELECT pg_advisory_xact_lock({lock})"), &[]).await.expect("a lock");
    transaction
}

/// The later job comes first in the queue, and the lease of the other is not to be seen yet.
#[tokio::test]
async fn a_job_is_not_leased_while_another_process_leases_one_of_its_key() {
    let Some(server) = server() else { return };
    let (builder, schema) = builder(server);
    let (first, second) =
        (Arc::new(builder.clone().connect().await.unwrap()), builder.connect().await.unwrap());
    first.commit(keyed(1)).await.unwrap();
    let (admin, mut client) = (server.admin().await, server.admin().await);
    wait_at_update(&admin, &schema, 4711).await;
    let held = hold(&mut client, 4711).await;
    let leasing = tokio::spawn({
        let first = first.clone();
        async move { lease(&first).await }
    });
    wait_for_waiting(&admin, &schema, 1).await;
    second.commit(keyed(9)).await.unwrap();
    assert_eq!(lease(&second).await, []);
    held.rollback().await.unwrap();
    let leased = leasing.await.unwrap();
    assert_eq!(leased.iter().map(|job| job.job.priority).collect::<Vec<_>>(), [1]);
    assert_eq!(lease(&second).await, []);
    let end = AttemptEnd::Completed(None);
    first.commit(Batch::of(NOW, Op::Finish { job: leased[0].id, attempt: 1, end })).await.unwrap();
    assert_eq!(lease(&second).await.len(), 1);
}

/// A statement that leases begins before another process commits its lease, and comes to the lock
/// of the key after it. Between the two, it waits for each row that it reads.
#[tokio::test]
async fn a_lease_that_began_before_another_of_the_same_key_was_committed_leases_none_of_it() {
    let Some(server) = server() else { return };
    let (builder, schema) = builder(server);
    let first = Arc::new(builder.clone().connect().await.unwrap());
    first.commit(keyed(1)).await.unwrap();
    let (admin, mut client, mut other) = (server.admin().await, server.admin().await, server.admin().await);
    wait_at_update(&admin, &schema, 4712).await;
    let wait = format!(
        "CREATE FUNCTION \"{schema}\".wait_to_read() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN \
        PERFORM pg_advisory_lock_shared(4713); PERFORM pg_advisory_unlock_shared(4713); RETURN true; END $$; \
        ALTER TABLE \"{schema}\".jobs RENAME TO all_jobs; \
        CREATE VIEW \"{schema}\".jobs AS SELECT * FROM \"{schema}\".all_jobs WHERE \"{schema}\".wait_to_read()"
    );
    admin.batch_execute(&wait).await.unwrap();
    let second = builder.connect().await.unwrap();
    let update = hold(&mut client, 4712).await;
    let leasing = tokio::spawn({
        let first = first.clone();
        async move { lease(&first).await }
    });
    wait_for_waiting(&admin, &schema, 1).await;
    let key = hold(&mut other, 4713).await;
    second.commit(keyed(9)).await.unwrap();
    let second = Arc::new(second);
    let late = tokio::spawn({
        let second = second.clone();
        async move { lease(&second).await }
    });
    wait_for_waiting(&admin, &schema, 2).await;
    update.rollback().await.unwrap();
    assert_eq!(leasing.await.unwrap().len(), 1);
    key.rollback().await.unwrap();
    assert_eq!(late.await.unwrap(), []);
}

#[tokio::test]
async fn two_claims_of_one_journal_that_meet_have_different_writers() {
    let Some(server) = server() else { return };
    let (builder, schema) = builder(server);
    let (first, second) = (builder.clone().connect().await.unwrap(), builder.connect().await.unwrap());
    let claim = || Batch::of(NOW, Op::Claim { journal: "j".to_owned() });
    first.commit(claim()).await.unwrap();
    let (admin, mut client) = (server.admin().await, server.admin().await);
    let locked = client.transaction().await.unwrap();
    let journal = format!("SELECT 1 FROM \"{schema}\".journals FOR UPDATE");
    locked.execute(&journal, &[]).await.unwrap();
    let claims = [first.commit(claim()), second.commit(claim())];
    wait_for_waiting(&admin, &schema, 2).await;
    locked.rollback().await.unwrap();
    let mut writers = Vec::new();
    for claimed in claims {
        match claimed.await.unwrap()[..] {
            [Applied::Claimed { writer, .. }] => writers.push(writer),
            ref other => panic!("{other:?}"),
        }
    }
    writers.sort_unstable();
    assert_eq!(writers, [2, 3]);
}

/// Removes and leases at this time. Returns how many jobs were removed, leased and expired.
async fn work(store: &PostgresStore, now: Timestamp) -> [usize; 3] {
    let lease = Op::Lease { queue: "q".to_owned(), max: 9 };
    let purged = store.commit(Batch::of(now, Op::Purge { max: 9 })).await.expect("a commit");
    let leased = store.commit(Batch::of(now, lease)).await.expect("a commit");
    match (&purged[..], &leased[..]) {
        ([Applied::Purged(purged)], [Applied::Leased(leased)]) => {
            [*purged, leased.jobs.len(), leased.expired.len()]
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lease_and_a_removal_pass_over_what_another_transaction_has_locked() {
    let Some(server) = server() else { return };
    let (builder, schema) = builder(server);
    let store = builder.connect().await.unwrap();
    let done = leased(&store).await;
    let end = AttemptEnd::Completed(None);
    store.commit(Batch::of(NOW, Op::Finish { job: done.id, attempt: 1, end })).await.unwrap();
    let later = Timestamp(NOW.0 + 100_000);
    let new = NewJob::new("q", payload("a"));
    let delayed = NewJob { due: later, ..new.clone() };
    let expiring = NewJob { expires: Some(later), ..new.clone() };
    let ops = [new, delayed, expiring].map(|new| Op::Enqueue(Box::new(new)));
    store.commit(Batch { now: NOW, ops: ops.into() }).await.unwrap();
    let mut client = server.admin().await;
    let locked = client.transaction().await.unwrap();
    locked.execute(&format!("SELECT 1 FROM \"{schema}\".jobs FOR UPDATE"), &[]).await.unwrap();
    assert_eq!(work(&store, later).await, [0, 0, 0]);
    locked.rollback().await.unwrap();
    assert_eq!(work(&store, later).await, [1, 2, 1]);
}

#[tokio::test]
async fn a_process_is_not_given_up_within_a_transaction_and_is_after_it() {
    let Some(server) = server() else { return };
    let (builder, schema) = builder(server);
    let slow = builder.clone().lease(Duration::from_secs(3_600)).connect().await.unwrap();
    let job = leased(&slow).await;
    let (admin, mut client) = (server.admin().await, server.admin().await);
    let locked = lock(&mut client, &schema, &job).await;
    let end = AttemptEnd::Completed(Some(payload("out")));
    let outcome = slow.commit(Batch::of(NOW, Op::Finish { job: job.id, attempt: job.attempt, end }));
    wait_for_waiting(&admin, &schema, 1).await;
    // Its heartbeats have stopped for long.
    let silence = format!("UPDATE \"{schema}\".processes SET heartbeat = heartbeat - interval '1 day'");
    admin.execute(&silence, &[]).await.unwrap();
    let other = builder.poll_interval(Duration::from_millis(10)).connect().await.unwrap();
    let (mut looks, mut ended) = (other.changes(), other.ended_epochs());
    for _ in 0..5 {
        let look = tokio::time::timeout(Duration::from_secs(30), looks.changed());
        look.await.expect("it does not wait for the process").unwrap();
    }
    let processes = format!("SELECT count(*) FROM \"{schema}\".processes");
    assert_eq!(admin.query_one(&processes, &[]).await.unwrap().get::<_, i64>(0), 2);
    assert!(!ended.has_changed().unwrap());
    locked.rollback().await.unwrap();
    outcome.await.unwrap();
    ended.changed().await.unwrap();
    let refused = slow.commit(Batch::default()).await.unwrap_err();
    assert_eq!(refused.kind, CommitErrorKind::NotApplied(StoreError::EpochEnded));
    assert_eq!(other.job(job.id).await.unwrap().unwrap().state, RecordState::Completed);
}
