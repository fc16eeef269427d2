//! A child that is an actor, behind the interface that its supervisor uses.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Foreign, Identity, Label};
use perennial_actors::{Actor, ActorHandle, ExitReason, Pid, SpawnError, System};
use perennial_registry::{Name, Registry};

use super::probe::{Answer, Probe};
use crate::node::{ChildNode, Claims, OpenError, StartParams};
use crate::report::LivenessFailure;

/// Starts the incarnations of one child.
pub(crate) trait Start<M: Send + 'static>: Send + Sync {
    /// Starts an incarnation, which may share this value.
    fn start(self: Arc<Self>, identity: &Identity<M>, params: StartParams) -> Result<Pid, SpawnError>;
}

impl<M, F> Start<M> for F
where
    M: Send + 'static,
    F: Fn(&Identity<M>, StartParams) -> Result<Pid, SpawnError> + Send + Sync,
{
    fn start(self: Arc<Self>, identity: &Identity<M>, params: StartParams) -> Result<Pid, SpawnError> {
        self(identity, params)
    }
}

/// Starts incarnations of an actor `A` from the same arguments `T`. They are dropped in a task of
/// their own, wherever the last reference is dropped.
pub(super) struct ActorStart<T: Send + 'static, A> {
    args: Foreign<T>,
    actor: PhantomData<fn() -> A>,
}

impl<T: Send + 'static, A> ActorStart<T, A> {
    pub(super) const fn new(args: T) -> Self {
        Self { args: Foreign::new(args), actor: PhantomData }
    }
}

impl<T: Send + Sync + 'static, A: Actor<Args = T>> Start<A::Msg> for ActorStart<T, A> {
    fn start(self: Arc<Self>, identity: &Identity<A::Msg>, params: StartParams) -> Result<Pid, SpawnError> {
        identity.start::<A>(SharedArgs(self), params.parent, params.run)
    }
}

/// The arguments of an incarnation, which it shares with the spec and with other incarnations.
struct SharedArgs<T: Send + 'static, A>(Arc<ActorStart<T, A>>);

impl<T: Send + 'static, A> Borrow<T> for SharedArgs<T, A> {
    fn borrow(&self) -> &T {
        &self.0.args
    }
}

/// Runs before an incarnation is stopped in order. The flag is set if the incarnation drains before
/// it stops. It is the library's own code, and returns at once.
pub(crate) type StopHook = dyn Fn(Pid, bool) + Send + Sync;

/// Runs before an incarnation is stopped because it failed a check. It is the library's own code,
/// and returns at once.
pub(crate) type UnresponsiveHook = dyn Fn(Pid, LivenessFailure) + Send + Sync;

/// A child that is an actor.
pub(super) struct ActorNode<M: Send + 'static> {
    pub(super) identity: Identity<M>,
    pub(super) start: Arc<dyn Start<M>>,
    /// `None` for most children, of which there may be very many.
    pub(super) extras: Option<Box<Extras<M>>>,
    pub(super) claims: Claims,
}

/// The settings that most actors do not have.
pub(super) struct Extras<M: Send + 'static> {
    pub(super) name: Option<Name<M>>,
    pub(super) probe: Option<Probe<M>>,
    pub(super) stop_hook: Option<Arc<StopHook>>,
    pub(super) unresponsive_hook: Option<Arc<UnresponsiveHook>>,
    /// `true` if the messages are the library's own. They are not counted when they are dropped.
    pub(super) is_internal: bool,
}

impl<M: Send + 'static> Extras<M> {
    /// Returns the extras, boxed, or `None` if none is set.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        let Self { name, probe, stop_hook, unresponsive_hook, is_internal } = &self;
        let is_plain = name.is_none() && probe.is_none() && stop_hook.is_none();
        (!is_plain || unresponsive_hook.is_some() || *is_internal).then(|| Box::new(self))
    }
}

impl<M: Send + 'static> ActorNode<M> {
    /// Returns one of the extras, if it is set.
    fn extra<T>(&self, of: impl FnOnce(&Extras<M>) -> Option<&T>) -> Option<&T> {
        self.extras.as_deref().and_then(of)
    }
}

impl<M: Send + 'static> ChildNode for ActorNode<M> {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.identity.open(system, || label.clone());
        let Some(name) = self.extra(|extras| extras.name.as_ref()) else { return Ok(()) };
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
        Some(if self.counts_dropped() { dropped } else { 0 })
    }

    fn counts_dropped(&self) -> bool {
        !self.extras.as_deref().is_some_and(|extras| extras.is_internal)
    }

    fn start(&self, params: StartParams) -> Result<Pid, SpawnError> {
        self.start.clone().start(&self.identity, params)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity.abandon(pid)
    }

    fn has_stop_hook(&self) -> bool {
        self.extra(|extras| extras.stop_hook.as_ref()).is_some()
    }

    fn notify_stop(&self, drains: bool) {
        let hook = self.extra(|extras| extras.stop_hook.as_ref());
        if let (Some(hook), Some(pid)) = (hook, self.handle().pid()) {
            hook(pid, drains);
        }
    }

    fn notify_unresponsive(&self, pid: Pid, failure: LivenessFailure) {
        if let Some(hook) = self.extra(|extras| extras.unresponsive_hook.as_ref()) {
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
        let probe = self.extra(|extras| extras.probe.as_ref())?;
        Some(probe.send(self.identity.address()))
    }
}
