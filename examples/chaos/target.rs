//! The workers as the injector sees them, whatever they do: something to crash, and to wait for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use perennial::{ActorHandle, Name, ProcessState, System, Whereis};
use tokio::time;

use super::hasher::{Hashers, Job};
use super::trap::Rig;

/// How often somebody who is waited for is looked after.
const LOOK: Duration = Duration::from_millis(10);

/// A worker that can be attacked.
pub struct Target {
    pub name: String,
    pub rig: Arc<Rig>,
    /// Somebody waits for it to come back: let it.
    engaged: AtomicBool,
    reach: Box<dyn Fn() -> Option<ActorHandle> + Send + Sync>,
    poke: Box<dyn Fn() + Send + Sync>,
}

impl Target {
    /// An actor, reached by its name each time, as anybody would; and what tells it to look for a trap.
    pub fn named<M: Send + 'static>(
        system: &System,
        name: Name<M>,
        rig: Arc<Rig>,
        poke: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        let text = name.to_string();
        let system = system.clone();
        let find = Arc::new(move || system.whereis(&name).ok());
        let reach = find.clone();
        Self {
            name: text,
            rig,
            engaged: AtomicBool::new(false),
            reach: Box::new(move || reach().map(|address| address.handle())),
            // If it does not get there, another fault was faster.
            poke: Box::new(move || drop(find().map(|address| address.cast(poke())))),
        }
    }

    /// A worker of a pool. Whoever is free looks for a trap: they share it.
    pub fn pooled(pool: &Hashers, slot: usize, rig: Arc<Rig>) -> Self {
        let (supervisor, pool, found) = (pool.supervisor().clone(), pool.clone(), OnceLock::new());
        let reach = move || {
            let known = found.get().cloned();
            let handle = known.or_else(|| {
                let slot = slot.to_string();
                let handle = supervisor.tree().at([slot.as_str()])?.handle.clone();
                Some(found.get_or_init(|| handle).clone())
            })?;
            (handle.state() != ProcessState::Closed).then_some(handle)
        };
        Self {
            name: format!("hasher {slot}"),
            rig,
            engaged: AtomicBool::new(false),
            reach: Box::new(reach),
            // If there is no room, there are files that do as well.
            poke: Box::new(move || drop(pool.submit(Job::Poke).try_submit())),
        }
    }

    /// Claims it for one attack; false if another one is not over.
    pub fn engage(&self) -> bool {
        !self.engaged.swap(true, Ordering::AcqRel)
    }

    pub fn release(&self) {
        self.engaged.store(false, Ordering::Release);
    }

    /// The means to kill it; none if nobody serves it, and nobody is due to.
    pub fn handle(&self) -> Option<ActorHandle> {
        (self.reach)()
    }

    /// Has it look for a trap when it is idle.
    pub fn poke(&self) {
        (self.poke)();
    }

    /// Waits until an incarnation after `crashed` has begun.
    pub async fn back_after(&self, crashed: u32) -> Result<(), String> {
        while time::timeout(LOOK, self.rig.risen_after(crashed)).await.is_err() {
            if self.handle().is_none() {
                return Err("nobody is due to take its place".to_owned());
            }
        }
        Ok(())
    }
}
