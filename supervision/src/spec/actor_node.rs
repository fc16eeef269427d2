//! A child that is an actor, as its supervisor handles it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Guarded, Identity, Label, catch_panics};
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};
use perennial_registry::{Name, Registry};

use super::probe::Probe;
use crate::node::{ChildNode, Claims, OpenError, StartParams};

/// How an incarnation is started.
pub(crate) type StartFn<M> = dyn Fn(&Identity<M>, StartParams) -> Result<Pid, SpawnError> + Send + Sync;

/// What is told which incarnation is about to be stopped in order, and whether it is to handle what is queued before. The library's own code, which is quick.
pub(crate) type DismissFn = dyn Fn(Pid, bool) + Send + Sync;

/// A child that is an actor.
pub(super) struct ActorNode<M: Send + 'static> {
    pub(super) identity: Arc<Identity<M>>,
    pub(super) name: Option<Name<M>>,
    pub(super) probe: Option<Probe<M>>,
    pub(super) start: Arc<StartFn<M>>,
    pub(super) on_dismissal: Option<Arc<DismissFn>>,
    pub(super) claims: Claims,
    /// Whether the messages are the library's own.
    pub(super) is_internal: bool,
}

impl<M: Send + 'static> ChildNode for ActorNode<M> {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.identity.open(system, || label.clone());
        let Some(name) = &self.name else { return Ok(()) };
        let bound = Registry::of(system).bind_unless_handed_over(name, &self.identity.address());
        bound.map(drop).map_err(|error| {
            // Open, it could be started without its name.
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

    fn start(&self, birth: StartParams) -> Result<Pid, SpawnError> {
        (self.start)(&self.identity, birth)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity.abandon(pid)
    }

    fn hears_dismissal(&self) -> bool {
        self.on_dismissal.is_some()
    }

    fn release(&self, drains: bool) {
        if let (Some(told), Some(pid)) = (&self.on_dismissal, self.handle().pid()) {
            told(pid, drains);
        }
    }

    fn announce(&self, reason: ExitReason, retry_in: Duration) {
        self.identity.set_pending_restart(reason, retry_in);
    }

    fn handle(&self) -> ActorHandle {
        self.identity.address().handle()
    }

    fn claims(&self) -> &Claims {
        &self.claims
    }

    fn probe(&self) -> Option<Pin<Box<dyn Future<Output = bool> + Send>>> {
        let probe = self.probe.as_ref()?;
        let (address, question) = (self.identity.address(), probe.question.clone());
        let timeout = probe.policy.timeout;
        // The question is the user's, and may panic as it is made or dropped: then there is no answer.
        let answered =
            async move { Guarded::new(address.call(|reply| question(reply)).timeout(timeout).await).is_ok() };
        Some(Box::pin(async move { catch_panics(None, answered).await.unwrap_or(false) }))
    }
}
