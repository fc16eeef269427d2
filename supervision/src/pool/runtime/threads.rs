//! The threads of blocking workers: one for each slot, shared by all incarnations of its worker.
//!
//! A call on such a thread cannot be dropped, but its job or worker can end: the job exceeds its
//! time limit, is cancelled, or the worker is killed. The thread of a slot is therefore free only
//! when the call has returned, and the slot takes no other job until then. So at most as many calls
//! run at once as there are slots, and a stop can wait for running calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use perennial_actors::{Actor, Context, ExitReason, System};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::policy::Shutdown;

/// The shutdown time of the thread waiter in a pool whose workers have none.
const MIN_SHUTDOWN: Duration = Duration::from_secs(1);

/// The thread of one slot. Clones refer to the same slot.
#[derive(Clone, Default)]
pub(crate) struct Thread(Arc<ThreadState>);

struct ThreadState {
    /// One permit, which a call holds.
    free: Arc<Semaphore>,
    calls: Mutex<Calls>,
}

/// The calls on a thread.
#[derive(Default)]
struct Calls {
    /// The call that holds the permit. It is removed before the permit is released.
    running: Option<Call>,
    /// The last incarnation that has ended; 0 if none. It begins no call any more.
    last_ended: u32,
}

/// A call on a thread.
struct Call {
    system: System,
    on_return: Option<Box<dyn FnOnce() + Send>>,
}

impl Default for ThreadState {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(1)), calls: Mutex::default() }
    }
}

impl Thread {
    /// Returns `true` if no call runs on it.
    pub(crate) fn is_free(&self) -> bool {
        self.0.free.available_permits() > 0
    }

    /// Waits until no call runs on it.
    pub(crate) async fn freed(&self) {
        // The semaphore is never closed.
        drop(self.0.free.acquire().await);
    }

    /// Waits until the thread is free and occupies it for a call of an incarnation, until the
    /// returned value is dropped. Returns `None` if the incarnation has ended.
    pub(crate) async fn occupy(&self, incarnation: u32, system: System) -> Option<OccupiedThread> {
        // The semaphore is never closed.
        let permit = self.0.free.clone().acquire_owned().await.ok();
        let mut calls = self.0.calls.lock();
        if incarnation <= calls.last_ended {
            return None;
        }
        calls.running = Some(Call { system, on_return: None });
        Some(OccupiedThread { thread: self.clone(), _permit: permit })
    }

    /// Records the end of an incarnation, or its abandonment. It may still run, but begins no call
    /// any more. So after this, a thread that has no call gets none of that incarnation.
    pub(crate) fn end_incarnation(&self, incarnation: u32) {
        let mut calls = self.0.calls.lock();
        calls.last_ended = calls.last_ended.max(incarnation);
    }

    /// Runs `on_return` when the call that runs now has returned, before the thread is free.
    /// Returns the system of that call, or `None` if none runs or a closure is set already.
    pub(crate) fn on_return(&self, on_return: impl FnOnce() + Send + 'static) -> Option<System> {
        let mut calls = self.0.calls.lock();
        let call = calls.running.as_mut().filter(|call| call.on_return.is_none())?;
        call.on_return = Some(Box::new(on_return));
        Some(call.system.clone())
    }
}

/// A thread on which a call runs, or is to run.
pub(crate) struct OccupiedThread {
    thread: Thread,
    /// Released last.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The call has returned, or does not take place.
impl Drop for OccupiedThread {
    fn drop(&mut self) {
        let mut call = self.thread.0.calls.lock().running.take();
        if let Some(on_return) = call.as_mut().and_then(|call| call.on_return.take()) {
            on_return();
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("is_free", &self.is_free()).finish()
    }
}

/// The threads of all slots of a pool.
#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<Thread>>);

impl Threads {
    /// Returns the thread of a slot, which is added if it is new.
    pub(crate) fn of(&self, slot: usize) -> Thread {
        let mut threads = self.0.lock();
        let len = threads.len().max(slot + 1);
        threads.resize_with(len, Thread::default);
        threads[slot].clone()
    }

    async fn all_freed(&self) {
        // Also those of slots that are added meanwhile.
        let thread = |slot: usize| self.0.lock().get(slot).cloned();
        let mut slot = 0;
        while let Some(thread) = thread(slot) {
            thread.freed().await;
            slot += 1;
        }
    }

    /// Waits until all threads are free, at most this long.
    pub(crate) async fn freed_within(&self, time: Option<Duration>) {
        match time {
            Some(time) => drop(timeout(time, self.all_freed()).await),
            None => self.all_freed().await,
        }
    }
}

/// Returns the shutdown time of a worker, or `None` if it is unlimited.
pub(crate) const fn shutdown_time(shutdown: Shutdown) -> Option<Duration> {
    match shutdown {
        Shutdown::BrutalKill => Some(Duration::ZERO),
        Shutdown::Timeout(time) | Shutdown::Drain(time) => Some(time),
        Shutdown::Infinity => None,
    }
}

/// A child that stops last and delays the end of its pool until all threads are free. If they are
/// not free within its shutdown time, it is reported as unstopped.
pub(crate) struct ThreadWaiter(Arc<Threads>);

impl ThreadWaiter {
    /// Returns the shutdown of the thread waiter, given that of the workers.
    pub(crate) const fn shutdown(workers: Shutdown) -> Shutdown {
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
