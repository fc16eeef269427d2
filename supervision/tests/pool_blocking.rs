//! Blocking closures, which cannot be dropped: how many run at once, and how a stop waits for them
//! or reports them.

#[path = "support/pool.rs"]
mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::pool::{Pool, PoolHandle, PoolShutdown};
use perennial_supervision::{App, Shutdown, SupervisorHandle};
use support::{ms, now, quiet, secs};
use tokio::sync::mpsc as channel;
use tokio::task::yield_now;
use tokio::time::advance;

/// Blocks closures until it is opened, and counts them.
struct Gate {
    running: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
    begins: channel::UnboundedSender<()>,
    until: Mutex<mpsc::Receiver<()>>,
    is_open: AtomicBool,
}

type Call = fn(u64) -> Result<u64, &'static str>;
type Blocked = Pool<Call>;
type Handle = PoolHandle<Call>;

impl Gate {
    /// Returns a gate, and a guard that opens it when it is dropped.
    fn new() -> (Arc<Self>, Opener) {
        let (opener, until) = mpsc::channel();
        let (begins, begun) = channel::unbounded_channel();
        let gate = Self {
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            begins,
            until: Mutex::new(until),
            is_open: AtomicBool::new(false),
        };
        (Arc::new(gate), Opener { begun, _opener: opener })
    }

    fn pass(&self, job: u64) -> u64 {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _ = self.begins.send(());
        if !self.is_open.load(Ordering::SeqCst) && self.until.lock().expect("not poisoned").recv().is_err() {
            self.is_open.store(true, Ordering::SeqCst);
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        job
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

/// Opens a gate when it is dropped.
struct Opener {
    begun: channel::UnboundedReceiver<()>,
    _opener: mpsc::Sender<()>,
}

impl Opener {
    /// Waits until this many more closures have started.
    async fn have_begun(&mut self, many: usize) {
        for _ in 0..many {
            self.begun.recv().await.expect("the gate is there");
        }
    }
}

/// Advances the paused time, which does not advance by itself while a closure runs on a thread.
async fn pass(millis: u32) {
    for _ in 0..millis {
        advance(ms(1)).await;
        for _ in 0..20 {
            yield_now().await;
        }
    }
}

fn blocked(gate: &Arc<Gate>, size: usize) -> Blocked {
    let gate = gate.clone();
    Pool::from_blocking_fn("blockers", size, move |job: u64| Ok(gate.pass(job))).attempts(100)
}

async fn start(pool: Blocked) -> (App<SupervisorHandle>, Handle) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("it starts"), handle)
}

#[tokio::test(start_paused = true)]
async fn no_more_closures_run_at_once_than_there_are_workers_whatever_the_time_limit() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 2).time_limit(ms(5))).await;
    let jobs: Vec<_> = (0..6).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(2).await;
    pass(60).await;
    assert_eq!(
        (gate.running(), gate.begun.load(Ordering::SeqCst)),
        (2, 2),
        "their attempts are over, they are not"
    );
    assert_eq!((pool.stats().running, pool.stats().queued), (0, 6), "their jobs wait for a worker");
    drop(opener);
    for (number, job) in (0..).zip(jobs) {
        assert_eq!(job.await.expect("it is done"), number);
    }
    assert!(gate.most.load(Ordering::SeqCst) <= 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_killed_is_followed_by_one_that_waits_for_its_closure() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 1)).await;
    let job = now(pool.submit(7));
    opener.have_begun(1).await;
    for _ in 0..3 {
        let tree = app.tree();
        tree.at(["0"]).expect("it is there").handle.kill().expect("it lives");
        pass(20).await;
        assert_eq!((gate.running(), pool.stats().workers.running), (1, 1));
    }
    assert_eq!(pool.stats().queued, 1);
    drop(opener);
    assert_eq!(job.await.expect("it is done"), 7);
    assert_eq!(gate.most.load(Ordering::SeqCst), 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_is_cancelled_keeps_its_worker_until_it_returns() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 1)).await;
    let first = now(pool.submit(1));
    opener.have_begun(1).await;
    assert!(first.cancel());
    let second = now(pool.submit(2));
    pass(20).await;
    assert_eq!(gate.begun.load(Ordering::SeqCst), 1);
    drop(opener);
    assert_eq!(second.await.expect("it is done"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_now_waits_for_closures_that_return_in_time() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 4)).await;
    let jobs: Vec<_> = (0..4).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(4).await;
    let stopping = tokio::spawn({
        let pool = pool.clone();
        async move { pool.stop(PoolShutdown::Abort).await }
    });
    pass(20).await;
    assert!(!stopping.is_finished());
    drop(opener);
    let report = stopping.await.expect("it does not panic");
    assert_eq!((report.dropped, report.unstopped, gate.running()), (4, 0, 0));
    assert!(app.shutdown().await.is_clean());
    drop(jobs);
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_shutdown_report_closures_that_still_run() {
    let (gate, mut opener) = Gate::new();
    let pool = blocked(&gate, 2).shutdown(Shutdown::Timeout(ms(50)));
    let (app, pool) = start(pool).await;
    let jobs: Vec<_> = (0..2).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(2).await;
    let stopping = tokio::spawn(async move { pool.stop(PoolShutdown::Abort).await });
    pass(60).await;
    let report = stopping.await.expect("it does not panic");
    assert_eq!((report.dropped, report.unstopped, gate.running()), (2, 2, 2));
    let stopping = tokio::spawn(async move { app.shutdown().await });
    pass(60).await;
    let report = stopping.await.expect("it does not panic");
    let late: Vec<&str> = report.unstopped.iter().map(|late| &*late.path).collect();
    assert_eq!((late, gate.running()), (vec!["blockers/threads"], 2));
    drop((opener, jobs));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_closures_within_the_time_of_their_workers() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 2).time_limit(ms(5)).attempts(1)).await;
    let jobs: Vec<_> = (0..2).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(2).await;
    pass(10).await;
    for job in jobs {
        job.await.expect_err("its time is over");
    }
    let stopping = tokio::spawn(async move { app.shutdown().await });
    pass(20).await;
    assert!(!stopping.is_finished());
    drop(opener);
    assert!(stopping.await.expect("it does not panic").is_clean());
    assert_eq!(gate.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_closures_stops_at_once_when_none_runs() {
    for shutdown in [Shutdown::BrutalKill, Shutdown::Timeout(Duration::ZERO), Shutdown::Infinity] {
        let (app, pool) = start(Pool::from_blocking_fn("blockers", 3, Ok).shutdown(shutdown)).await;
        assert_eq!(now(pool.submit(1)).await.expect("it is done"), 1);
        quiet().await;
        let began = tokio::time::Instant::now();
        assert_eq!(pool.stop(PoolShutdown::Abort).await.unstopped, 0);
        let report = app.shutdown().await;
        assert!(report.is_clean() || shutdown == Shutdown::Timeout(Duration::ZERO), "{report:?}");
        assert!(began.elapsed() < secs(1));
    }
}
