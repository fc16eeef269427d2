//! How a fault gets inside a worker: somebody arms a trap, and the worker's own code steps into it. And how the worker says that it is
//! back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use perennial::{ExitReason, Pid};
use tokio::sync::{Notify, watch};

use super::plan::Way;

/// A crash that was caused on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// Who, of those who share the trap.
    pub number: usize,
    /// Which incarnation.
    pub incarnation: u32,
    pub at: Instant,
}

/// A trap, for whoever steps into it first.
#[derive(Debug, Default)]
pub struct Trap {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    NotArmed,
    Armed(Way),
    Sprung(Crash),
}

/// The payload of a planned panic: it tells the panic hook to keep quiet.
#[derive(Debug)]
pub struct PlannedPanic;

#[derive(Debug, thiserror::Error)]
#[error("a planned failure")]
struct PlannedFailure;

impl Trap {
    /// Arms it; false if it is in use already, or if nobody can step into such a thing.
    pub fn arm(&self, way: Way) -> bool {
        let mut state = self.state();
        let arms = way != Way::Kill && matches!(*state, State::NotArmed);
        if arms {
            *state = State::Armed(way);
        }
        arms
    }

    /// Takes it away, if nobody has stepped into it.
    pub fn disarm(&self) {
        let mut state = self.state();
        if matches!(*state, State::Armed(_)) {
            *state = State::NotArmed;
            self.news.notify_one();
        }
    }

    /// Waits for the crash that it causes; none if it was taken away. To be asked by whoever armed it.
    pub async fn sprung(&self) -> Option<Crash> {
        loop {
            let state = *self.state();
            match state {
                // Keeps the permit of a notification that came in between.
                State::Armed(_) => self.news.notified().await,
                State::NotArmed => return None,
                State::Sprung(crash) => {
                    *self.state() = State::NotArmed;
                    return Some(crash);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ties a worker to the attack, for all its incarnations.
#[derive(Debug)]
pub struct Rig {
    pub trap: Arc<Trap>,
    /// Which of those who share the trap.
    number: usize,
    /// How many of the next starts fail, of those that share the trap.
    failing_starts: Arc<AtomicU32>,
    /// The newest incarnation that has begun.
    risen: watch::Sender<u32>,
}

impl Rig {
    /// So many workers that share a trap.
    pub fn sharing(workers: usize) -> Vec<Arc<Self>> {
        let trap = Arc::new(Trap::default());
        let failing_starts = Arc::new(AtomicU32::new(0));
        let rig = |number| Self {
            trap: trap.clone(),
            number,
            failing_starts: failing_starts.clone(),
            risen: watch::Sender::new(0),
        };
        (0..workers).map(rig).map(Arc::new).collect()
    }

    /// A worker with a trap of its own.
    pub fn alone() -> Arc<Self> {
        Self::sharing(1).remove(0)
    }

    /// Makes the next starts fail, so many of all that share the trap.
    pub fn fail_starts(&self, count: u32) {
        self.failing_starts.store(count, Ordering::Relaxed);
    }

    /// Fails if this start is one of those that fail.
    pub fn start(&self) -> Result<(), ExitReason> {
        let one_less = |left: u32| left.checked_sub(1);
        let fails = self.failing_starts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        if fails { Err(ExitReason::failed(PlannedFailure)) } else { Ok(()) }
    }

    /// An incarnation says that it has begun.
    pub fn rise(&self, pid: Pid) {
        self.risen.send_replace(pid.incarnation());
    }

    /// Waits until one after this incarnation has begun.
    pub async fn risen_after(&self, incarnation: u32) {
        // The sender lives as long as this does.
        let _ = self.risen.subscribe().wait_for(|risen| *risen > incarnation).await;
    }

    /// Walks over the trap.
    pub fn step(&self, pid: Pid) -> Result<(), ExitReason> {
        let way = {
            let mut state = self.trap.state();
            let State::Armed(way) = *state else { return Ok(()) };
            let (number, incarnation) = (self.number, pid.incarnation());
            *state = State::Sprung(Crash { number, incarnation, at: Instant::now() });
            way
        };
        self.trap.news.notify_one();
        if way == Way::Panic {
            std::panic::panic_any(PlannedPanic);
        }
        Err(PlannedFailure.into())
    }
}
