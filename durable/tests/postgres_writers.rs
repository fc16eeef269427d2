//! The session that writes is lost, and the server does not notice: what it has begun must not be
//! committed after the next one has begun.

use std::process::Command;
use std::time::Duration;

use perennial_durable::postgres::PostgresStore;
use perennial_durable::{
    Applied, AttemptEnd, Batch, CommitErrorKind, JobRecord, NewJob, Op, RecordState, Store, StoreError,
    Timestamp,
};
use tokio_postgres::Client;

use crate::support::payload;
use crate::support::postgres::{Server, new_schema, server};
use crate::support::proxy::Proxy;

const NOW: Timestamp = Timestamp(1_000);

/// Returns a store that is connected by a proxy, and the name of its schema and of its sessions.
async fn open(server: &Server) -> (PostgresStore, Proxy, String) {
    let schema = new_schema().replace(' ', "-");
    let proxy = Proxy::start(server.port()).await;
    let url = server.url().replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port));
    let builder = PostgresStore::builder(format!("{url}?application_name={schema}")).schema(schema.clone());
    (builder.connect().await.expect("a store"), proxy, schema)
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

fn completed(job: &JobRecord, output: &str) -> Batch {
    let end = AttemptEnd::Completed(Some(payload(output)));
    Batch::of(NOW, Op::Finish { job: job.id, attempt: job.attempt, end })
}

/// Waits until a session of a store waits for a lock that has a number.
async fn wait_for_lock(admin: &Client, schema: &str) {
    let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'advisory'";
    while admin.query(sql, &[&schema]).await.expect("rows").is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_writer_undoes_what_the_one_before_has_begun() {
    let Some(server) = server() else { return };
    let (store, proxy, schema) = open(server).await;
    let (job, admin) = (leased(&store).await, server.admin().await);
    // Only the first update waits, and for as long as the lock is held.
    let wait = format!(
        "CREATE SEQUENCE \"{schema}\".updates; \
        CREATE FUNCTION \"{schema}\".wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF nextval('\"{schema}\".updates') = 1 THEN PERFORM set_config('lock_timeout', '0', true); \
        PERFORM pg_advisory_xact_lock(4711); END IF; RETURN NEW; END $$; \
        CREATE TRIGGER waits BEFORE UPDATE ON \"{schema}\".jobs FOR EACH ROW \
        EXECUTE FUNCTION \"{schema}\".wait(); \
        SELECT pg_advisory_lock(4711)"
    );
    admin.batch_execute(&wait).await.unwrap();
    let first = store.commit(completed(&job, "first"));
    wait_for_lock(&admin, &schema).await;
    proxy.cut();
    let lost = first.await.unwrap_err();
    assert!(matches!(lost.kind, CommitErrorKind::Unknown(StoreError::Disconnected(_))), "{lost}");
    store.commit(completed(&job, "second")).await.unwrap();
    let record = store.job(job.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.output), (RecordState::Completed, Some(payload("second"))));
}

/// A process of the server that is frozen until this is dropped.
struct Frozen(i32);

impl Frozen {
    fn new(process: i32) -> Self {
        assert!(signal(process, "-STOP"));
        Self(process)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, "-CONT");
    }
}

fn signal(process: i32, signal: &str) -> bool {
    Command::new("kill").args([signal, &process.to_string()]).status().expect("a program").success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_writer_waits_until_the_one_before_has_ended() {
    const WRITER: &str = "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) \
        WHERE application_name = $1 AND locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted";
    let Some(server) = server() else { return };
    let (store, proxy, schema) = open(server).await;
    let (job, admin) = (leased(&store).await, server.admin().await);
    let writer: i32 = admin.query_one(WRITER, &[&schema]).await.unwrap().get(0);
    let frozen = Frozen::new(writer);
    let mut commit = store.commit(completed(&job, "out"));
    proxy.cut();
    tokio::select! {
        early = &mut commit => panic!("two sessions write: {early:?}"),
        () = wait_for_lock(&admin, &schema) => {}
    }
    drop(frozen);
    commit.await.unwrap();
    assert_ne!(admin.query_one(WRITER, &[&schema]).await.unwrap().get::<_, i32>(0), writer);
    assert_eq!(store.job(job.id).await.unwrap().unwrap().state, RecordState::Completed);
}
