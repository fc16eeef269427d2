//! Random changes: workers fail in init, decline, hang in init, stop themselves, panic and are
//! killed, while the pool is resized and restarted, and the futures of these changes are dropped
//! after some polls.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{JobContext, Pool, PoolHandle, PoolShutdown, Worker, WorkerContext};
use perennial_supervision::{App, Backoff, SupervisorHandle};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{ms, secs, soon};

const SLOTS: usize = 8;
const JOBS: usize = 25_000;

/// The random numbers of one run, and whether faults are injected.
struct StormState {
    draws: AtomicU64,
    is_calm: AtomicBool,
}

impl StormState {
    /// Returns a random number below this.
    fn random(&self, below: u64) -> u64 {
        let number = self.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % below
    }

    fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }
}

struct StormWorker {
    storm_state: Arc<StormState>,
    at: WorkerContext,
}

impl Worker for StormWorker {
    type Job = usize;
    type Output = usize;
    type Error = &'static str;
    type Args = Arc<StormState>;

    async fn init(storm_state: &Arc<StormState>, at: &WorkerContext) -> Result<Self, ExitReason> {
        let worker = Self { storm_state: storm_state.clone(), at: at.clone() };
        if storm_state.is_calm() {
            return Ok(worker);
        }
        match storm_state.random(10) {
            0 => Err(ExitReason::failed("no such luck")),
            1 => Err(ExitReason::Ignore),
            2 => std::future::pending().await,
            3 => {
                sleep(ms(storm_state.random(20))).await;
                Ok(worker)
            }
            _ => Ok(worker),
        }
    }

    async fn work(&mut self, job: &usize, _: &JobContext<'_>) -> Result<usize, &'static str> {
        match self.storm_state.random(200) {
            0..4 => self.at.handle.stop(ExitReason::Normal).expect("it lives"),
            4..6 => self.at.handle.stop(ExitReason::shutdown()).expect("it lives"),
            6 => panic!("a bug"),
            7 => return Err("no luck"),
            8..28 => sleep(ms(self.storm_state.random(30))).await,
            _ => {}
        }
        Ok(*job)
    }
}

/// Polls a future this many times and drops it.
async fn poll_often<F: Future>(future: F, polls: u64) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return;
        }
        sleep(ms(1)).await;
    }
}

type StormPool = PoolHandle<StormWorker>;

/// Makes a random change, and does not always wait for it.
async fn change(storm_state: &StormState, pool: &StormPool, app: &App<SupervisorHandle>) {
    let polls = if storm_state.random(4) == 0 { 200 } else { storm_state.random(8) };
    let slot = storm_state.random(SLOTS as u64);
    match storm_state.random(5) {
        0 => poll_often(pool.resize(1 + slot as usize), polls).await,
        1 => poll_often(pool.rolling_restart(), polls).await,
        2 => poll_often(app.supervisor().terminate_child(slot.to_string()), polls).await,
        3 => poll_often(app.supervisor().restart_child(slot.to_string()), polls).await,
        _ => {
            if let Some(worker) = app.tree().at([slot.to_string().as_str()]) {
                let _ = worker.handle.kill();
            }
        }
    }
    sleep(ms(storm_state.random(10))).await;
}

async fn storm(seed: u64) {
    let storm_state = Arc::new(StormState { draws: seed.into(), is_calm: true.into() });
    let pool = Pool::<StormWorker>::new("storm_pool", SLOTS, storm_state.clone())
        .attempts(1_000)
        .retry_errors(true)
        .start_timeout(ms(100))
        .backoff(Backoff::new(ms(5), ms(100)))
        .intensity(u32::MAX, Duration::from_secs(1));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    storm_state.is_calm.store(false, Ordering::Relaxed);
    let submitting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.submit_many(0..JOBS).await.expect("they are accepted").join_all().await }
    });
    let began = Instant::now();
    while !submitting.is_finished() {
        change(&storm_state, &handle, &app).await;
        assert!(began.elapsed() < secs(600), "it comes to an end, seed {seed}: {}", handle.stats());
    }
    let results = submitting.await.expect("it does not panic");
    let done: Vec<usize> = results.into_iter().map(|result| result.expect("it is done")).collect();
    assert!(done.into_iter().eq(0..JOBS), "each once, seed {seed}");
    let wanted = 1 + storm_state.random(SLOTS as u64) as usize;
    // A failed resize keeps the previous target.
    while soon(handle.resize(wanted)).await.is_err() {}
    // Missing workers are restarted after that without any request.
    for _ in 0..20 {
        poll_often(handle.rolling_restart(), storm_state.random(8)).await;
        poll_often(app.supervisor().terminate_child(storm_state.random(SLOTS as u64).to_string()), 1).await;
    }
    storm_state.is_calm.store(true, Ordering::Relaxed);
    sleep(secs(10)).await;
    let running = handle.stats().workers.running;
    let active = app.supervisor().count_children().await.expect("it lives").active - 1;
    assert_eq!((running, active), (wanted, wanted), "seed {seed}");
    let last: Vec<_> = (0..100).map(|job| pool::now(handle.submit(job))).collect();
    soon(handle.stop(PoolShutdown::Drain)).await;
    for (number, job) in (0..).zip(last) {
        assert_eq!(job.await.expect("it is done"), number);
    }
    let stats = handle.stats();
    pool::assert_accounts(&stats);
    assert_eq!((stats.completed, stats.failed, stats.dropped), (JOBS as u64 + 100, 0, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_and_the_wanted_number_runs_after_a_storm_of_changes_first() {
    storm(1).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_and_the_wanted_number_runs_after_a_storm_of_changes_second() {
    storm(2).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_and_the_wanted_number_runs_after_a_storm_of_changes_third() {
    storm(30).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_and_the_wanted_number_runs_after_a_storm_of_changes_fourth() {
    storm(400).await;
}
