//! The ends of workers: what runs last, and a new worker after a time limit.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{JobContext, JobError, Pool, PoolHandle, Worker, WorkerContext};
use perennial_supervision::{App, Shutdown, SupervisorHandle};
use tokio::time::{Instant, sleep};

use crate::support::pool::{ms, now, quiet, secs, soon};

/// What the workers did, in order.
type Journal = Arc<Mutex<Vec<String>>>;

/// A worker that writes down its jobs and its end, which takes a while.
struct Ending {
    journal: Journal,
    incarnation: u32,
    ends_in: Duration,
}

impl Worker for Ending {
    type Job = Duration;
    type Output = u32;
    type Error = Infallible;
    type Args = (Journal, Duration);

    async fn init((journal, ends_in): &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { journal: journal.clone(), incarnation: at.pid.incarnation(), ends_in: *ends_in })
    }

    async fn work(&mut self, job: &Duration, _: &JobContext<'_>) -> Result<u32, Infallible> {
        assert_ne!(*job, ms(13), "a bug");
        sleep(*job).await;
        Ok(self.incarnation)
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        let kind = match reason {
            ExitReason::Normal => "normal",
            ExitReason::Panicked(_) => "panic",
            _ => "stop",
        };
        self.write(&format!("{} {kind}", self.incarnation));
        sleep(self.ends_in).await;
        self.write(&format!("{} over", self.incarnation));
    }
}

impl Ending {
    fn write(&self, text: &str) {
        self.journal.lock().expect("no thread panics under the lock").push(text.to_owned());
    }
}

fn taken(journal: &Journal) -> Vec<String> {
    std::mem::take(&mut *journal.lock().expect("no thread panics under the lock"))
}

async fn start(
    ends_in: Duration,
    set: impl FnOnce(Pool<Ending>) -> Pool<Ending>,
) -> (App<SupervisorHandle>, PoolHandle<Ending>, Journal) {
    let journal = Journal::default();
    let pool = set(Pool::<Ending>::new("pool", 1, (journal.clone(), ends_in)));
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("it starts"), handle, journal)
}

#[tokio::test(start_paused = true)]
async fn a_worker_terminates_in_order_after_a_renewal_a_crash_a_resize_and_a_stop_but_no_kill() {
    let (app, jobs, journal) = start(ms(10), |pool| pool.max_jobs(1)).await;
    assert_eq!(soon(now(jobs.submit(ms(1)))).await.expect("it is done"), 1);
    sleep(ms(20)).await;
    assert_eq!(taken(&journal), ["1 normal", "1 over"]);
    app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    sleep(ms(20)).await;
    assert!(taken(&journal).is_empty());
    soon(now(jobs.submit(ms(13)).at_most_once())).await.expect_err("it panicked");
    sleep(ms(20)).await;
    assert_eq!(taken(&journal), ["3 panic", "3 over"]);
    jobs.resize(0).await.expect("it shrinks");
    assert_eq!(taken(&journal), ["4 stop", "4 over"]);
    jobs.resize(1).await.expect("it grows");
    assert!(app.shutdown().await.is_clean());
    assert_eq!(taken(&journal).len(), 2, "it stopped in order");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_worker_takes_no_longer_than_its_shutdown_time() {
    let (app, jobs, journal) =
        start(secs(3600), |pool| pool.max_jobs(1).shutdown(Shutdown::Timeout(secs(2)))).await;
    let began = Instant::now();
    assert_eq!(soon(now(jobs.submit(ms(0)))).await.expect("it is done"), 1);
    assert_eq!(soon(now(jobs.submit(ms(0)))).await.expect("it is done"), 2);
    assert!(began.elapsed() >= secs(2) && began.elapsed() < secs(3), "{:?}", began.elapsed());
    assert_eq!(taken(&journal)[0], "1 normal");
    sleep(secs(3)).await;
    let began = Instant::now();
    assert_eq!(app.shutdown().await.unstopped.len(), 1, "it was killed");
    assert!(began.elapsed() < secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_replaces_the_worker_if_the_pool_says_so_and_counts_one_failure() {
    for restarts in [true, false] {
        let (app, jobs, journal) = start(ms(0), |pool| {
            let pool = pool.time_limit(secs(1)).attempts(2).restart_after_timeout(restarts);
            // A restart that counted would end the pool.
            pool.intensity(0, secs(3600))
        })
        .await;
        let began = Instant::now();
        let Err(JobError::Failed(failures)) = soon(now(jobs.submit(secs(9)))).await else {
            panic!("each attempt exceeds its time")
        };
        assert_eq!(failures.len(), 2);
        assert!(began.elapsed() < ms(2100), "no backoff: {:?}", began.elapsed());
        quiet().await;
        let incarnation = soon(now(jobs.submit(ms(0)))).await.expect("it is done");
        let ends = taken(&journal);
        if restarts {
            assert_eq!(
                (incarnation, ends.as_slice()),
                (3, &["1 normal", "1 over", "2 normal", "2 over"].map(str::to_owned)[..])
            );
        } else {
            assert_eq!((incarnation, ends.len()), (1, 0));
        }
        assert!(app.shutdown().await.is_clean());
    }
}
