//! A child that is an actor, behind the interface that its supervisor uses.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Identity, Label};
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};
use perennial_registry::{Name, Registry};

use super::probe::{Answer, Probe};
use crate::node::{ChildNode, Claims, OpenError, StartParams};
use crate::report::LivenessFailure;

/// Starts an incarnation.
pub(crate) type StartFn<M> = dyn Fn(&Identity<M>, StartParams) -> Result<Pid, SpawnError> + Send + Sync;

/// Runs before an incarnation is stopped in order. The flag is set if the incarnation drains before
/// it stops. It is the library's own code, and returns at once.
pub(crate) type StopHook = dyn Fn(Pid, bool) + Send + Sync;

/// Runs before an incarnation is stopped because it failed a check. It is the library's own code,
/// and returns at once.
pub(crate) type UnresponsiveHook = dyn Fn(Pid, LivenessFailure) + Send + Sync;

/// A child that is an actor.
pub(super) struct ActorNode<M: Send + 'static> {
    pub(super) identity: Arc<Identity<M>>,
    pub(super) name: Option<Name<M>>,
    pub(super) probe: Option<Probe<M>>,
    pub(super) start: Arc<StartFn<M>>,
    pub(super) stop_hook: Option<Arc<StopHook>>,
    pub(super) unresponsive_hook: Option<Arc<UnresponsiveHook>>,
    pub(super) claims: Claims,
    /// `true` if the messages are the library's own. They are not counted when they are dropped.
    pub(super) is_internal: bool,
}

impl<M: Send + 'static> ChildNode for ActorNode<M> {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.identity.open(system, || label.clone());
        let Some(name) = &self.name else { return Ok(()) };
        let bound = Registry::of(system).bind_unless_handed_over(name, &self.identity.address());
        bound.map(drop).map_err(|error| {
            // An open node could be started without its name.
            let error = OpenError::from(error);
            self.identity.close(&ExitReason::failed(error.clone()));
            error
        })
    }

    fn close_alone(&self, reason: &ExitReason) -> Option<u64> {
        let dropped = self.identity.close(reason)?;
        Some(if self.is_internal { 0 } else { dropped })
    }

    fn counts_dropped(&self) -> bool {
        !self.is_internal
    }

    fn start(&self, params: StartParams) -> Result<Pid, SpawnError> {
        (self.start)(&self.identity, params)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity.abandon(pid)
    }

    fn has_stop_hook(&self) -> bool {
        self.stop_hook.is_some()
    }

    fn notify_stop(&self, drains: bool) {
        if let (Some(hook), Some(pid)) = (&self.stop_hook, self.handle().pid()) {
            hook(pid, drains);
        }
    }

    fn notify_unresponsive(&self, pid: Pid, failure: LivenessFailure) {
        if let Some(hook) = &self.unresponsive_hook {
            hook(pid, failure);
        }
    }

    fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration) {
        self.identity.set_pending_restart(reason, retry_in);
    }

    fn handle(&self) -> ActorHandle {
        self.identity.address().handle()
    }

    fn claims(&self) -> &Claims {
        &self.claims
    }

    fn probe(&self) -> Option<Answer> {
        self.probe.as_ref().map(|probe| probe.send(self.identity.address()))
    }
}
