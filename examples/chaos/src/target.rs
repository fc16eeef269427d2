//! The workers as the injector sees them: how each is reached, crashed and waited for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use perennial::{ActorHandle, Name, ProcessState, System, Whereis};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time;

use super::fault_point::FaultPoint;
use super::hasher::{Hashers, Job};

/// How often a wait checks that the worker will still be restarted.
pub const POLL: Duration = Duration::from_millis(10);

/// A worker that faults are injected into.
pub struct Target {
    pub name: String,
    pub fault_point: Arc<FaultPoint>,
    /// Held by the fault that kills the worker, until the worker is back.
    kill: Mutex<()>,
    find: Box<dyn Fn() -> Option<ActorHandle> + Send + Sync>,
    poke: Box<dyn Fn() + Send + Sync>,
}

impl Target {
    /// Returns an actor as a target. It is looked up by its name each time, as any user would do.
    /// `poke` makes the message that has the actor check its fault point.
    pub fn named<M: Send + 'static>(
        system: &System,
        name: Name<M>,
        fault_point: Arc<FaultPoint>,
        poke: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        let text = name.to_string();
        let system = system.clone();
        let whereis = Arc::new(move || system.whereis(&name).ok());
        let find = whereis.clone();
        Self {
            name: text,
            fault_point,
            kill: Mutex::default(),
            find: Box::new(move || find().map(|address| address.handle())),
            // A full mailbox has messages that do as well.
            poke: Box::new(move || drop(whereis().map(|address| address.cast(poke())))),
        }
    }

    /// Returns a worker of a pool as a target. A poke is a job, which any idle worker takes: the
    /// workers share their armed faults.
    pub fn pooled(pool: &Hashers, slot: usize, fault_point: Arc<FaultPoint>) -> Self {
        let (supervisor, pool, found) = (pool.supervisor().clone(), pool.clone(), OnceLock::new());
        let find = move || {
            let known = found.get().cloned();
            let handle: ActorHandle = known.or_else(|| {
                let slot = slot.to_string();
                let handle = supervisor.tree().at([slot.as_str()])?.handle.clone();
                Some(found.get_or_init(|| handle).clone())
            })?;
            (handle.state() != ProcessState::Closed).then_some(handle)
        };
        Self {
            name: format!("hasher {slot}"),
            fault_point,
            kill: Mutex::default(),
            find: Box::new(find),
            // A full queue has files that do as well.
            poke: Box::new(move || drop(pool.submit(Job::Poke).try_submit())),
        }
    }

    /// Returns the handle, or `None` if the worker does not run and will not be restarted.
    pub fn handle(&self) -> Option<ActorHandle> {
        (self.find)()
    }

    /// Has the worker check its fault point when it is idle.
    pub fn poke(&self) {
        (self.poke)();
    }

    /// Waits until no other fault is killing this worker.
    pub async fn lock_kill(&self) -> MutexGuard<'_, ()> {
        self.kill.lock().await
    }

    /// Waits until an incarnation after this one has started.
    ///
    /// # Errors
    ///
    /// A text if the worker will not be restarted.
    pub async fn started_after(&self, incarnation: u32) -> Result<(), String> {
        while time::timeout(POLL, self.fault_point.started_after(incarnation)).await.is_err() {
            self.check_restartable()?;
        }
        Ok(())
    }

    /// Returns the handle, or says that the worker will not be restarted.
    pub fn check_restartable(&self) -> Result<ActorHandle, String> {
        self.handle().ok_or_else(|| format!("{} did not come back: it will not be restarted", self.name))
    }
}
