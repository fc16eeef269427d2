//! A server that ends sessions, restarts, is full or is read only: the store reports it and
//! recovers.

use std::sync::Arc;

use perennial_actors::System;
use perennial_durable::pool::Durable;
use perennial_durable::postgres::PostgresStore;
use perennial_durable::{
    Applied, Batch, CommitErrorKind, JobFilter, NewJob, Op, RecordState, Store, StoreError, Timestamp,
};
use tokio_postgres::Client;

use crate::support::postgres::{Server, server};
use crate::support::{payload, slow_squares};

const NOW: Timestamp = Timestamp(1_000);

/// The sessions of a process, by the locks that they hold.
const SESSIONS: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' \
    AND granted AND (classid::bigint << 32) + objid::bigint \
    = hashtextextended('perennial ' || $1::text, $2) ORDER BY pid";

fn enqueue(text: &str) -> Batch {
    let job = NewJob { key: Some(text.to_owned()), ..NewJob::new("q", payload(text)) };
    Batch::of(NOW, Op::Enqueue(Box::new(job)))
}

async fn sessions(admin: &Client, store: &PostgresStore) -> Vec<i32> {
    let epoch = i64::try_from(store.epoch().0).expect("a small number");
    let rows = admin.query(SESSIONS, &[&store.schema(), &epoch]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn queued(store: &PostgresStore) -> u64 {
    store.queue("q").await.expect("counts").count(RecordState::Queued)
}

#[tokio::test]
async fn sessions_that_are_ended_one_by_one_are_connected_again() {
    let Some(server) = server() else { return };
    let admin = server.admin().await;
    let builder = server.builder().readers(1);
    let store = builder.clone().connect().await.unwrap();
    let other = builder.connect().await.unwrap();
    store.commit(enqueue("leased")).await.unwrap();
    let lease = Op::Lease { queue: "q".to_owned(), max: 1 };
    store.commit(Batch::of(NOW, lease)).await.unwrap();
    store.check().await.unwrap();
    let first = sessions(&admin, &store).await;
    assert_eq!(first.len(), 3);
    for (index, ended) in first.iter().enumerate() {
        admin.execute("SELECT pg_terminate_backend($1)", &[ended]).await.unwrap();
        store.commit(enqueue(&index.to_string())).await.unwrap();
        assert_eq!(queued(&store).await, index as u64 + 1);
        while sessions(&admin, &store).await.iter().filter(|pid| *pid != ended).count() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(other.orphans("q", 9).await.unwrap(), Vec::new(), "its epoch goes on");
    }
}

#[tokio::test]
async fn a_restart_of_the_server_ends_no_epoch_and_loses_nothing() {
    const JOBS: u64 = 300;
    let Some(server) = Server::start(&[]) else { return };
    let builder = server.builder();
    let store = Arc::new(builder.clone().connect().await.unwrap());
    let other = builder.connect().await.unwrap();
    let pool = slow_squares().durable(store.clone()).prefetch(16);
    let squares = pool.handle();
    let mut jobs = Vec::new();
    for n in 0..JOBS {
        jobs.push((n, squares.submit(n).await.unwrap()));
    }
    let app = pool.start(&System::new()).await.unwrap();
    for part in 0..2 {
        while store.queue("squares").await.map_or(0, |info| info.count(RecordState::Completed))
            < 50 + part * 50
        {
            tokio::task::yield_now().await;
        }
        server.control(&["restart", "-m", "immediate"]);
    }
    for (n, job) in jobs {
        // A read may find no server.
        let outcome = loop {
            match job.outcome().await {
                Ok(output) => break output,
                Err(perennial_durable::pool::OutcomeError::Store(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(outcome, n * n);
    }
    assert!(app.shutdown().await.is_clean());
    for record in store.jobs(JobFilter::default()).await.unwrap() {
        let completed = record.history.iter().filter(|attempt| attempt.failure.is_none()).count();
        assert_eq!((record.state, completed), (RecordState::Completed, 1), "{record:?}");
    }
    assert!(store.commit(Batch::default()).await.is_ok() && other.commit(Batch::default()).await.is_ok());
}

/// Runs a trigger before or at the commit of a job with this key.
async fn on_insert(admin: &Client, store: &PostgresStore, when: &str, key: &str, body: &str) {
    let schema = format!("\"{}\"", store.schema());
    let sql = format!(
        "CREATE FUNCTION {schema}.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$; \
        CREATE {when} ON {schema}.jobs {} FOR EACH ROW WHEN (NEW.key = '{key}') EXECUTE FUNCTION {schema}.act()",
        if when.starts_with("CONSTRAINT") { "DEFERRABLE INITIALLY DEFERRED" } else { "" }
    );
    admin.batch_execute(&sql).await.expect("an answer");
}

#[tokio::test]
async fn a_commit_whose_connection_broke_is_unknown_and_is_there_or_not() {
    let Some(server) = Server::start(&[]) else { return };
    let admin = server.admin().await;
    let store = server.builder().connect().await.unwrap();
    let die = "PERFORM pg_terminate_backend(pg_backend_pid())";
    on_insert(&admin, &store, "CONSTRAINT TRIGGER dies AFTER INSERT", "dies", die).await;
    let error = store.commit(enqueue("dies")).await.unwrap_err();
    assert!(matches!(error.kind, CommitErrorKind::Unknown(StoreError::Disconnected(_))), "{error}");
    assert_eq!((error.batch, queued(&store).await), (enqueue("dies"), 0));

    // It is applied and waits for a standby when its session is ended.
    let set = |value: &str| format!("ALTER SYSTEM SET synchronous_standby_names = '{value}'");
    admin.execute(&set("none"), &[]).await.unwrap();
    admin.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut unknown = None;
    for round in 0.. {
        let commit = tokio::spawn(store.commit(enqueue(&format!("waits {round}"))));
        while !commit.is_finished() {
            for row in admin.query(waiting, &[]).await.unwrap() {
                admin.execute("SELECT pg_terminate_backend($1)", &[&row.get::<_, i32>(0)]).await.unwrap();
            }
        }
        if let Err(error) = commit.await.unwrap() {
            unknown = Some((round, error));
            break;
        }
    }
    admin.execute(&set(""), &[]).await.unwrap();
    admin.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    let (round, error) = unknown.unwrap();
    assert!(matches!(error.kind, CommitErrorKind::Unknown(StoreError::Disconnected(_))), "{error}");
    assert_eq!(queued(&store).await, round + 1, "it is there, once");
}

#[tokio::test]
async fn a_batch_that_finds_the_server_full_is_not_applied_and_those_beside_it_are() {
    let Some(server) = server() else { return };
    let admin = server.admin().await;
    let store = server.builder().connect().await.unwrap();
    let full = "RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'no space'";
    on_insert(&admin, &store, "TRIGGER fills BEFORE INSERT", "large", full).await;
    let (small, large, other) = (enqueue("small"), enqueue("large"), enqueue("other"));
    let commits = [store.commit(small), store.commit(large), store.commit(other)];
    let [small, large, other] = commits;
    assert!(matches!(small.await.unwrap()[..], [Applied::Enqueued(_)]));
    let error = large.await.unwrap_err();
    assert_eq!(error.kind, CommitErrorKind::NotApplied(StoreError::Full("no space".to_owned())));
    assert!(other.await.is_ok());
    assert_eq!(queued(&store).await, 2);
}

#[tokio::test]
async fn a_server_that_is_read_only_is_waited_for() {
    let Some(server) = Server::start(&[]) else { return };
    let admin = server.admin().await;
    let store = server.builder().connect().await.unwrap();
    let set = |value: &str| format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
    admin.execute(&set("on"), &[]).await.unwrap();
    admin.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    let (applied, error) = {
        let mut applied = 0;
        loop {
            match store.commit(enqueue("a")).await {
                Ok(_) => applied += 1,
                Err(error) => break (applied, error),
            }
        }
    };
    let CommitErrorKind::NotApplied(busy) = error.kind else { panic!("{error}") };
    assert!(matches!(busy, StoreError::Busy(_)) && busy.is_transient(), "{busy}");
    assert_eq!(queued(&store).await, applied);
    admin.execute(&set("off"), &[]).await.unwrap();
    admin.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    while store.commit(enqueue("b")).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(queued(&store).await, applied + 1);
}
