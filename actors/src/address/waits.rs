//! The actors that wait for each other in calls.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::task;

use super::handle::ActorHandle;
use crate::system::{System, WaitingCall};

/// How much later than a call the handler that awaits it may be observed: both are at the first
/// poll of the call.
const OBSERVED_LATER: Duration = Duration::from_millis(100);

/// An actor that waits in a handler for the answer of another one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallWait {
    /// The actor that calls.
    pub caller: ActorHandle,
    /// The actor that is called.
    pub callee: ActorHandle,
    /// For how long the call has waited.
    pub waited: Duration,
}

/// Makes a system record which calls wait, for as long as this exists: see
/// [`System::watch_calls`].
pub struct CallWatch(System);

impl System {
    /// Makes the system record which calls wait, until the returned value is dropped. A system
    /// without such a value records nothing, and a call costs no more.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// let system = System::new();
    /// let watch = system.watch_calls();
    /// assert!(watch.waits(Duration::from_millis(500)).is_empty());
    /// ```
    #[must_use = "the calls are recorded until it is dropped"]
    pub fn watch_calls(&self) -> CallWatch {
        self.call_waits().watch();
        CallWatch(self.clone())
    }
}

impl CallWatch {
    /// Returns the actors that have waited for an answer for at least this time, each in a handler
    /// that has been running for as long as the call. A call that an actor has
    /// [piped](crate::Context::pipe_to_self) or spawned keeps it from nothing and is not among
    /// them. The order is that in which the calls began to wait.
    ///
    /// It asks no actor, so it works for actors that hang. Its time grows with the number of actors
    /// of the system if a call has waited for that long.
    #[must_use]
    pub fn waits(&self, at_least: Duration) -> Vec<CallWait> {
        let waiting = self.0.call_waits().longer_than(at_least);
        if waiting.is_empty() {
            return Vec::new();
        }
        let actors = self.0.processes();
        let by_task: HashMap<task::Id, &ActorHandle> =
            actors.iter().filter_map(|actor| Some((actor.process().mailbox().task()?, actor))).collect();
        let by_number: HashMap<u64, &ActorHandle> =
            actors.iter().map(|actor| (actor.identity(), actor)).collect();
        let wait = |call: WaitingCall| {
            let (caller, callee) = (*by_task.get(&call.caller)?, *by_number.get(&call.callee)?);
            let waited = call.since.elapsed();
            let (_, busy_for) = caller.busy_for()?;
            (busy_for + OBSERVED_LATER >= waited).then(|| CallWait {
                caller: caller.clone(),
                callee: callee.clone(),
                waited,
            })
        };
        waiting.into_iter().filter_map(wait).collect()
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        self.0.call_waits().unwatch();
    }
}

impl fmt::Debug for CallWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallWatch").finish_non_exhaustive()
    }
}
