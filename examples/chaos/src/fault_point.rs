//! Fault points: where a worker fails on purpose.
//!
//! A panic or an error has to come from the worker's own code. The injector arms a fault; the
//! worker checks its fault point while it handles a message, and triggers the oldest armed fault
//! there. The hashers share their armed faults, because they share their jobs: the one that takes
//! the next job triggers the fault. A fault point also publishes the newest incarnation that has
//! started.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use perennial::{ExitReason, Pid};
use tokio::sync::{oneshot, watch};

use super::plan::FaultKind;

/// A fault that a worker has triggered.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// The number of the worker among those that share their faults.
    pub worker: usize,
    pub incarnation: u32,
    pub at: Instant,
}

/// A fault that waits for a worker.
#[derive(Debug)]
struct Armed {
    kind: FaultKind,
    triggered: oneshot::Sender<Crash>,
}

/// The payload of a planned panic. The panic hook does not print it.
#[derive(Debug)]
pub struct PlannedPanic;

#[derive(Debug, thiserror::Error)]
#[error("a planned failure")]
struct PlannedFailure;

/// The fault point of one worker, for all its incarnations.
#[derive(Debug)]
pub struct FaultPoint {
    /// The faults that are armed, oldest first.
    armed: Arc<Mutex<VecDeque<Armed>>>,
    /// The number of the worker among those that share `armed`.
    worker: usize,
    /// How many of the next starts fail, of all workers that share `armed`.
    failing_starts: Arc<AtomicU32>,
    /// The newest incarnation that has started.
    started: watch::Sender<u32>,
}

impl FaultPoint {
    /// Returns the fault points of workers that share their armed faults.
    pub fn shared(workers: usize) -> Vec<Arc<Self>> {
        let armed: Arc<Mutex<VecDeque<Armed>>> = Arc::default();
        let failing_starts: Arc<AtomicU32> = Arc::default();
        let point = |worker| Self {
            armed: armed.clone(),
            worker,
            failing_starts: failing_starts.clone(),
            started: watch::Sender::new(0),
        };
        (0..workers).map(point).map(Arc::new).collect()
    }

    /// Returns the fault point of a worker that shares with no other.
    pub fn single() -> Arc<Self> {
        Self::shared(1).remove(0)
    }

    /// Arms a fault. The receiver resolves when a worker triggers it. Dropping the receiver disarms
    /// the fault.
    pub fn arm(&self, kind: FaultKind) -> oneshot::Receiver<Crash> {
        let (triggered, crash) = oneshot::channel();
        self.armed().push_back(Armed { kind, triggered });
        crash
    }

    /// Triggers the oldest armed fault, if there is one: panics, or returns an error.
    pub fn check(&self, pid: Pid) -> Result<(), ExitReason> {
        let crash = Crash { worker: self.worker, incarnation: pid.incarnation(), at: Instant::now() };
        loop {
            // The lock is released before the panic.
            let Some(Armed { kind, triggered }) = self.armed().pop_front() else { return Ok(()) };
            match triggered.send(crash) {
                // It was disarmed.
                Err(_) => {}
                Ok(()) if kind == FaultKind::Panic => std::panic::panic_any(PlannedPanic),
                Ok(()) => return Err(PlannedFailure.into()),
            }
        }
    }

    /// Makes the next `count` starts fail, of all workers that share their faults.
    pub fn fail_starts(&self, count: u32) {
        self.failing_starts.store(count, Ordering::Relaxed);
    }

    /// Fails if this start is one of those that [`fail_starts`](Self::fail_starts) asked for.
    pub fn start(&self) -> Result<(), ExitReason> {
        let one_less = |left: u32| left.checked_sub(1);
        let fails = self.failing_starts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        if fails { Err(PlannedFailure.into()) } else { Ok(()) }
    }

    /// Publishes that an incarnation has started.
    pub fn set_started(&self, pid: Pid) {
        self.started.send_replace(pid.incarnation());
    }

    /// Returns the newest incarnation that has started, 0 before the first.
    pub fn latest(&self) -> u32 {
        *self.started.borrow()
    }

    /// Waits until an incarnation after this one has started.
    pub async fn started_after(&self, incarnation: u32) {
        // The sender lives as long as `self`.
        let _ = self.started.subscribe().wait_for(|started| *started > incarnation).await;
    }

    fn armed(&self) -> MutexGuard<'_, VecDeque<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
