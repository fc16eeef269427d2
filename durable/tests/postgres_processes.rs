//! Worker processes on one server, of which some are killed or frozen.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::Durable;
use perennial_durable::postgres::PostgresStore;
use perennial_durable::{
    AttemptFailure, Batch, Bincode, CommitErrorKind, Epoch, JobFilter, JobRecord, NewJob, Op, RecordState,
    Store, StoreError, Timestamp, encode,
};

use crate::support::postgres::{Server, new_schema, server};
use crate::support::slow_squares;
use crate::support::this_program;

const URL: &str = "PERENNIAL_WORKER_URL";
const SCHEMA: &str = "PERENNIAL_WORKER_SCHEMA";

/// A process that is frozen for longer is given up.
const LEASE: Duration = Duration::from_millis(800);

/// A process that works.
struct Worker {
    process: Child,
    epoch: Epoch,
    output: BufReader<ChildStdout>,
}

impl Worker {
    fn start(server: &Server, schema: &str) -> Self {
        let mut command = this_program("postgres_processes::the_process_that_works");
        command.env(URL, server.url()).env(SCHEMA, schema).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let epoch = word_after(&mut output, "epoch ").parse().expect("a number");
        Self { process, epoch: Epoch(epoch), output }
    }

    fn signal(&self, signal: &str) {
        let arguments = [signal.to_owned(), self.process.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().expect("a program").success());
    }

    fn kill(&mut self) {
        self.process.kill().expect("a process");
        self.process.wait().expect("its end");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads lines up to one that begins so.
fn word_after(output: &mut impl BufRead, beginning: &str) -> String {
    for line in output.lines() {
        if let Some((_, word)) = line.expect("a line").split_once(beginning) {
            return word.to_owned();
        }
    }
    panic!("the process ended by itself");
}

async fn open(server: &Server, schema: &str) -> Arc<PostgresStore> {
    let builder = PostgresStore::builder(server.url()).schema(schema).lease(LEASE);
    Arc::new(builder.connect().await.expect("a store"))
}

async fn enqueue(store: &dyn Store, jobs: u64) {
    let commits = (0..jobs).map(|n| {
        let payload = encode::<_, Bincode>(&n).expect("bytes");
        let (retention, lost_attempts) = (Duration::from_secs(3_600), u32::MAX);
        let new = NewJob { retention, lost_attempts, ..NewJob::new("squares", payload) };
        store.commit(Batch::of(Timestamp(1), Op::Enqueue(Box::new(new))))
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.expect("a commit");
    }
}

async fn running(store: &dyn Store, epoch: Epoch) -> Vec<JobRecord> {
    let queue = Some("squares".to_owned());
    let filter = JobFilter { queue, state: Some(RecordState::Running), ..JobFilter::default() };
    let mut running = store.jobs(filter).await.expect("jobs");
    running.retain(|record| record.epoch == Some(epoch));
    running
}

async fn completed(store: &dyn Store) -> u64 {
    store.queue("squares").await.expect("a queue").count(RecordState::Completed)
}

#[tokio::test]
async fn of_four_processes_one_is_killed_and_one_frozen_and_every_job_ends_once() {
    const JOBS: u64 = 1_200;
    let Some(server) = server() else { return };
    let schema = new_schema();
    let store = open(server, &schema).await;
    enqueue(&*store, JOBS).await;
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::start(server, &schema)).collect();
    let mut changes = store.changes();
    while completed(&*store).await < 100 {
        changes.changed().await.unwrap();
    }
    workers[0].kill();
    // It is frozen while it works.
    let frozen = loop {
        workers[1].signal("-STOP");
        let frozen = running(&*store, workers[1].epoch).await;
        if !frozen.is_empty() {
            break frozen;
        }
        workers[1].signal("-CONT");
        changes.changed().await.unwrap();
    };
    for worker in &workers[..2] {
        while !running(&*store, worker.epoch).await.is_empty() {
            changes.changed().await.unwrap();
        }
    }
    workers[1].signal("-CONT");
    assert_eq!(word_after(&mut workers[1].output, "given up: "), StoreError::EpochEnded.to_string());
    while completed(&*store).await < JOBS {
        changes.changed().await.unwrap();
    }
    drop(workers);
    let records = store.jobs(JobFilter::default()).await.unwrap();
    assert_eq!(records.len(), usize::try_from(JOBS).unwrap());
    for record in &records {
        let completed = record.history.iter().filter(|attempt| attempt.failure.is_none()).count();
        assert_eq!((record.state, completed), (RecordState::Completed, 1), "{record:?}");
    }
    // The server may have had a commit of it, which it carried out meanwhile.
    let mut lost = 0;
    for taken in frozen {
        let record = store.job(taken.id).await.unwrap().unwrap();
        let attempt = record.history.iter().find(|attempt| Some(attempt.epoch) == taken.epoch).unwrap();
        if attempt.failure.is_some() {
            assert_eq!(attempt.failure, Some(AttemptFailure::ProcessEnded), "{record:?}");
            lost += 1;
        }
    }
    assert!(lost > 0, "no attempt ran when its process was frozen");
}

/// Works until its epoch has ended. It does nothing without a server.
#[test]
fn the_process_that_works() {
    let (Ok(url), Ok(schema)) = (env::var(URL), env::var(SCHEMA)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        let store = PostgresStore::builder(url).schema(schema).lease(LEASE).connect().await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let mut output = std::io::stdout();
        let mut print = |line: String| writeln!(output, "{line}").and_then(|()| output.flush()).unwrap();
        print(format!("epoch {}", store.epoch().0));
        let _app = slow_squares().durable(store.clone()).prefetch(8).start(&System::new()).await.unwrap();
        let mut changes = store.changes();
        loop {
            if let Err(error) = store.commit(Batch::default()).await
                && let CommitErrorKind::NotApplied(StoreError::EpochEnded) = error.kind
            {
                return print(format!("given up: {}", StoreError::EpochEnded));
            }
            changes.changed().await.unwrap();
        }
    });
}

/// Also while a process that is up at the same time looks on.
#[tokio::test]
async fn the_next_process_takes_over_the_jobs_of_each_process_that_was_killed() {
    let Some(server) = server() else { return };
    let schema = new_schema();
    let store = open(server, &schema).await;
    enqueue(&*store, 1_000).await;
    drop(store);
    for _ in 0..5 {
        let mut worker = Worker::start(server, &schema);
        let observer = open(server, &schema).await;
        let mut changes = observer.changes();
        while running(&*observer, worker.epoch).await.is_empty() {
            changes.changed().await.unwrap();
        }
        drop(observer);
        worker.kill();
        let store = open(server, &schema).await;
        let app = slow_squares().durable(store.clone()).prefetch(8).start(&System::new()).await.unwrap();
        while !running(&*store, worker.epoch).await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(app.shutdown().await.is_clean());
    }
}
