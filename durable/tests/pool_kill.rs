//! A process with a durable pool is killed with SIGKILL at random moments: each job is done, and
//! the next process goes on at once.
//!
//! `PERENNIAL_KILLS` is the number of kills, 15 by default.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial_actors::System;
use perennial_durable::pool::Durable;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Batch, Bincode, JobFilter, JobId, NewJob, Op, RecordState, Store, Timestamp, encode,
};
use tempfile::TempDir;

use crate::support::{squares, this_program};

const FILE: &str = "PERENNIAL_KILLED_FILE";
const JOBS: u64 = 2_000;

fn start(path: &Path) -> Child {
    this_program("pool_kill::the_process_that_is_killed")
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}

#[test]
fn every_job_is_done_although_the_process_is_killed_again_and_again() {
    let kills: u32 = env::var("PERENNIAL_KILLS").map_or(15, |kills| kills.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jobs.db");
    let store = SqliteStore::open(&path).unwrap();
    let commits: Vec<_> = (0..JOBS)
        .map(|n| {
            let retention = Duration::from_secs(3_600);
            let payload = encode::<_, Bincode>(&n).unwrap();
            let new = NewJob { retention, lost_attempts: u32::MAX, ..NewJob::new("squares", payload) };
            store.commit(Batch::of(Timestamp(1), Op::Enqueue(Box::new(new))))
        })
        .collect();
    commits.into_iter().for_each(|commit| drop(block_on(commit).unwrap()));
    drop(store);
    for kill in 0..kills {
        let mut child = start(&path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // It lives for some outcomes, fewer or more in each round.
        let outcomes = (u64::from(kill) * 37) % 100;
        let mut printed = 0;
        while printed < outcomes {
            printed += u64::from(lines.next().unwrap().unwrap().starts_with("done"));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).unwrap());
    block_on(async {
        let orphans = store.orphans("squares", usize::MAX).await.unwrap().len();
        let began = Instant::now();
        let pool = squares().durable(store.clone()).prefetch(64);
        let numbers = pool.handle();
        let app = pool.start(&System::new()).await.unwrap();
        while !store.orphans("squares", 1).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        println!("{orphans} orphans were rescued after {:?}", began.elapsed());
        for n in 0..JOBS {
            assert_eq!(numbers.job(JobId(n + 1)).outcome().await, Ok(n * n));
        }
        assert!(app.shutdown().await.is_clean());
    });
    for record in block_on(store.jobs(JobFilter::default())).unwrap() {
        let completed = record.history.iter().filter(|attempt| attempt.failure.is_none()).count();
        assert_eq!((record.state, completed), (RecordState::Completed, 1), "{record:?}");
    }
    block_on(store.check()).unwrap();
}

/// Does the jobs of a file, and prints a line after each. It does nothing without a file.
#[test]
fn the_process_that_is_killed() {
    let Ok(path) = env::var(FILE) else { return };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path).unwrap());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async move {
        let pool = squares().durable(store.clone()).prefetch(8);
        let numbers = pool.handle();
        let _app = pool.start(&System::new()).await.unwrap();
        let mut output = std::io::stdout();
        for n in 0..JOBS {
            let job = numbers.job(JobId(n + 1));
            if job.record().await.unwrap().unwrap().state == RecordState::Completed {
                continue;
            }
            job.outcome().await.unwrap();
            writeln!(output, "done {n}").and_then(|()| output.flush()).unwrap();
        }
        // All is done: it lives until it is killed.
        loop {
            writeln!(output, "done").and_then(|()| output.flush()).unwrap();
            tokio::task::yield_now().await;
        }
    });
}
