//! Watches for actors that wait for each other in a circle of calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::{ActorHandle, CallWait, CallWatch};
use tokio::task::JoinHandle;

use crate::cycles::cycles;
use crate::event::{EventKind, WaitingActor};
use crate::operations::{Operations, Shared};

/// A call that has waited for less is no part of a deadlock yet.
const WAITED: Duration = Duration::from_millis(500);

/// The time between two searches.
const PERIOD: Duration = Duration::from_millis(250);

/// Watches a system for deadlocks until it is dropped: see [`Operations::watch_deadlocks`].
pub struct DeadlockWatch {
    task: JoinHandle<()>,
}

impl Operations {
    /// Records which calls wait from now on, and reports each circle of actors that wait for each
    /// other as an [`EventKind::Deadlock`], within a second of its last call. It is reported once
    /// for as long as it lasts. Its calls end with their timeouts, as without the report.
    ///
    /// A call counts while it is awaited in a handler that has been running for as long. While a
    /// system is watched, a call that has to wait costs two locks more.
    ///
    /// Must be called in a tokio runtime with timers: the watch is a task there. It ends with the
    /// last `Operations` of the system.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let operations = Operations::of(&System::new());
    /// let watch = operations.watch_deadlocks();
    /// // ... as long as the program runs
    /// drop(watch);
    /// # }
    /// ```
    #[must_use = "the watch ends when it is dropped"]
    pub fn watch_deadlocks(&self) -> DeadlockWatch {
        let calls = self.system().watch_calls();
        let shared = Arc::downgrade(self.shared());
        DeadlockWatch { task: tokio::spawn(search(calls, shared)) }
    }
}

/// Searches until the system is not observed any more.
async fn search(calls: CallWatch, shared: Weak<Shared>) {
    let mut known = BTreeSet::new();
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(shared) = shared.upgrade() else { return };
        let found = circles(&calls.waits(WAITED));
        for (circle, waits) in &found {
            if !known.contains(circle) {
                shared.record(EventKind::Deadlock { cycle: waits.clone() });
            }
        }
        known = found.into_keys().collect();
    }
}

/// Returns the circles of calls that wait, each with the actors on it.
fn circles(waits: &[CallWait]) -> BTreeMap<Vec<u64>, Vec<WaitingActor>> {
    let edges: Vec<(u64, u64)> =
        waits.iter().map(|wait| (wait.caller.identity(), wait.callee.identity())).collect();
    let waiting = |from: u64, to: u64| {
        let wait =
            waits.iter().find(|wait| (wait.caller.identity(), wait.callee.identity()) == (from, to))?;
        Some(waiting_actor(&wait.caller, wait.waited))
    };
    let with_actors = |circle: Vec<u64>| {
        let next = circle.iter().cycle().skip(1);
        let actors = circle.iter().zip(next).filter_map(|(from, to)| waiting(*from, *to)).collect();
        (circle, actors)
    };
    cycles(&edges).into_iter().map(with_actors).collect()
}

fn waiting_actor(actor: &ActorHandle, waited: Duration) -> WaitingActor {
    WaitingActor { pid: actor.pid(), label: actor.label().unwrap_or_default(), waited }
}

impl Drop for DeadlockWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for DeadlockWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlockWatch").finish_non_exhaustive()
    }
}
