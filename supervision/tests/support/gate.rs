//! Blocking closures that a test lets return, and closures that poll their context.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use perennial_actors::System;
use perennial_supervision::pool::{JobContext, Pool, PoolHandle};
use perennial_supervision::{App, SupervisorHandle};
use tokio::sync::mpsc as channel;
use tokio::task::yield_now;
use tokio::time::{advance, timeout};

pub(crate) type Call = fn(u64) -> Result<u64, &'static str>;
pub(crate) type Blocked = Pool<Call>;
pub(crate) type Handle = PoolHandle<Call>;

/// Blocks closures until it is opened, and counts them.
pub(crate) struct Gate {
    running: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) begun: AtomicUsize,
    begins: channel::UnboundedSender<()>,
    until: Mutex<mpsc::Receiver<()>>,
    is_open: AtomicBool,
}

impl Gate {
    /// Returns a gate, and a guard that opens it when it is dropped.
    pub(crate) fn new() -> (Arc<Self>, Opener) {
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

    pub(crate) fn pass(&self, job: u64) -> u64 {
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

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

/// Opens a gate when it is dropped.
pub(crate) struct Opener {
    begun: channel::UnboundedReceiver<()>,
    _opener: mpsc::Sender<()>,
}

impl Opener {
    /// Waits until this many more closures have started.
    pub(crate) async fn have_begun(&mut self, many: usize) {
        for _ in 0..many {
            self.begun.recv().await.expect("the gate is there");
        }
    }
}

/// Advances the paused time, which does not advance by itself while a closure runs on a thread.
pub(crate) async fn pass(millis: u32) {
    for _ in 0..millis {
        advance(Duration::from_millis(1)).await;
        for _ in 0..20 {
            yield_now().await;
        }
    }
}

pub(crate) fn blocked(gate: &Arc<Gate>, size: usize) -> Blocked {
    let gate = gate.clone();
    Pool::from_blocking_fn("blockers", size, move |job: u64| Ok(gate.pass(job))).attempts(100)
}

pub(crate) async fn start(pool: Blocked) -> (App<SupervisorHandle>, Handle) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("it starts"), handle)
}

/// The longest real time that something takes: a test fails instead of hanging.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Returns the output of a future that is ready now, while closures run.
pub(crate) async fn ready<T>(future: impl IntoFuture<Output = T>) -> T {
    timeout(Duration::ZERO, future).await.expect("it is ready")
}

/// Waits in real time until no call outlives its attempt, and the paused time stands still.
pub(crate) async fn have_returned(pool: &Handle) {
    let began = Instant::now();
    while pool.stats().terminating > 0 {
        assert!(began.elapsed() < LIMIT, "a call does not return");
        yield_now().await;
    }
}

/// A pool whose closures return once `told` is true of their context. Each sends its job when it
/// begins and its attempt when it was told, or 0 if it never was.
pub(crate) fn polling(
    size: usize,
    told: fn(&JobContext<'static>) -> bool,
) -> (Blocked, channel::UnboundedReceiver<u64>) {
    let (sender, received) = channel::unbounded_channel();
    let function = move |job: u64, ctx: JobContext<'static>| {
        let (began, _) = (Instant::now(), sender.send(job));
        while !told(&ctx) {
            if began.elapsed() > LIMIT {
                let _ = sender.send(0);
                return Err("never told");
            }
            thread::yield_now();
        }
        let _ = sender.send(ctx.attempt().into());
        Ok(job)
    };
    (Pool::from_blocking_fn_with_context("pollers", size, function), received)
}
