//! The threads on which jobs of blocking workers run: one for each slot, however its worker ends.
//!
//! A closure on such a thread cannot be dropped. Its worker can: the job exceeds its time limit, is cancelled, or the worker is killed.
//! The thread of a slot is therefore free only when the closure has returned, and the slot has no other job until then. So no more closures
//! run at once than there are slots, and a stop can wait for those that still run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::policy::Shutdown;

/// How long a keeper has to see that all threads are free, in a pool whose workers have no time to stop.
const MIN_SHUTDOWN: Duration = Duration::from_secs(1);

/// The thread of one slot. Clones are of the same slot.
#[derive(Clone)]
pub(super) struct Thread(Arc<Semaphore>);

impl Default for Thread {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Thread {
    /// Returns `true` if no closure runs on it.
    pub(super) fn is_free(&self) -> bool {
        self.0.available_permits() > 0
    }

    /// Waits until no closure runs on it.
    pub(super) async fn freed(&self) {
        // It is never closed.
        drop(self.0.acquire().await);
    }

    /// Takes the thread, when it is free, until what is returned is dropped.
    pub(super) async fn occupy(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_owned().await.ok()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("is_free", &self.is_free()).finish()
    }
}

/// The threads of all slots of a pool.
pub(super) struct Threads(Box<[Thread]>);

impl Threads {
    pub(super) fn new(slots: usize) -> Self {
        Self(std::iter::repeat_with(Thread::default).take(slots).collect())
    }

    pub(super) fn of(&self, slot: usize) -> Thread {
        self.0.get(slot).cloned().unwrap_or_default()
    }

    async fn all_freed(&self) {
        for thread in &self.0 {
            thread.freed().await;
        }
    }

    /// Waits until all are free, but not for longer than this. Returns how many are not.
    pub(super) async fn freed_within(&self, time: Option<Duration>) -> usize {
        match time {
            Some(time) => drop(timeout(time, self.all_freed()).await),
            None => self.all_freed().await,
        }
        self.0.iter().filter(|thread| !thread.is_free()).count()
    }
}

/// Returns how long a worker that is stopped so may take; without end, if none.
pub(super) const fn shutdown_time(shutdown: Shutdown) -> Option<Duration> {
    match shutdown {
        Shutdown::BrutalKill => Some(Duration::ZERO),
        Shutdown::Timeout(time) | Shutdown::Drain(time) => Some(time),
        Shutdown::Infinity => None,
    }
}

/// Keeps a pool from ending before its threads are free: a child that stops last, and is late if they are not free in its time.
pub(super) struct ThreadWaiter(Arc<Threads>);

impl ThreadWaiter {
    /// How the keeper of workers that are stopped so is stopped.
    pub(super) const fn shutdown(workers: Shutdown) -> Shutdown {
        match workers {
            Shutdown::BrutalKill => Shutdown::Timeout(MIN_SHUTDOWN),
            other => other,
        }
    }
}

impl Actor for ThreadWaiter {
    type Msg = ();
    type Args = Arc<Threads>;

    async fn init(threads: &Arc<Threads>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(threads.clone()))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.0.all_freed().await;
    }
}
