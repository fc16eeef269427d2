//! One child: an actor, how it is started, restarted, watched and stopped.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use perennial_actors::host::{Foreign, Identity};
use perennial_actors::{Actor, Address, Capacity, ExitReason, MailboxConfig, Pid, SpawnError};
use perennial_registry::Name;

use super::actor_node::{ActorNode, DismissFn, StartFn};
use super::error::SpecError;
use super::probe::Probe;
use crate::node::{ChildNode, Claims, OwnedNode, StartParams};
use crate::policy::{Backoff, ChildPolicy, Liveness, Restart, Shutdown};

/// The spec of a child that is an actor with messages `M`.
///
/// Unless set otherwise it is permanent, comes back at once, has 5 seconds to stop and as long as it likes to start, and
/// holds 1,024 messages. In a [dynamic supervisor](crate::DynamicSupervisor) it is transient unless
/// set otherwise.
///
/// `K` is `()` for a child that can be restarted. For one that is [started once](Child::once) it is
/// [`OwnedArgs`](perennial_actors::OwnedArgs): such a child is temporary, and has no `restart` and no `backoff`.
#[must_use = "a child does nothing until it is given to a supervisor that is started"]
pub struct Child<M: Send + 'static, K = ()> {
    id: Arc<str>,
    policy: ChildPolicy,
    /// The restart type in a dynamic supervisor.
    restart_if_dynamic: Restart,
    pub(super) kept: K,
    mailbox: MailboxConfig,
    mailbox_too_late: bool,
    name: Option<Name<M>>,
    probe: Option<Probe<M>>,
    identity: OnceLock<Arc<Identity<M>>>,
    start: Arc<StartFn<M>>,
    on_dismissal: Option<Arc<DismissFn>>,
    is_internal: bool,
}

/// What every incarnation of an actor starts from. It is dropped in a task of its own, wherever the last reference is dropped.
struct SharedArgs<T: Send + 'static>(Arc<Foreign<T>>);

impl<T: Send + 'static> Clone for SharedArgs<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Borrow<T> for SharedArgs<T> {
    fn borrow(&self) -> &T {
        &self.0
    }
}

impl<M: Send + 'static> Child<M> {
    /// A child that is an actor `A`, each of whose incarnations starts from the same `args`.
    pub fn new<A: Actor<Msg = M>>(id: impl Into<Arc<str>>, args: A::Args) -> Self {
        let args = SharedArgs(Arc::new(Foreign::new(args)));
        Self::started_by(id, move |identity, birth| {
            identity.start::<A>(args.clone(), birth.parent, birth.run)
        })
    }

    /// A child whose incarnations are started so, whatever they are.
    pub(crate) fn started_by(
        id: impl Into<Arc<str>>,
        start: impl Fn(&Identity<M>, StartParams) -> Result<Pid, SpawnError> + Send + Sync + 'static,
    ) -> Self {
        Self::with(id.into(), ChildPolicy::default(), Restart::Transient, (), Arc::new(start))
    }

    /// Sets which of its ends call for a restart.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.policy.restart = restart;
        self.restart_if_dynamic = restart;
        self
    }

    /// Makes it wait before it is restarted, longer each time.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = Some(Arc::new(backoff));
        self
    }
}

impl<M: Send + 'static, K> Child<M, K> {
    pub(super) fn with(
        id: Arc<str>,
        policy: ChildPolicy,
        restart_if_dynamic: Restart,
        kept: K,
        start: Arc<StartFn<M>>,
    ) -> Self {
        Self {
            id,
            policy,
            restart_if_dynamic,
            kept,
            mailbox: MailboxConfig::default(),
            mailbox_too_late: false,
            name: None,
            probe: None,
            identity: OnceLock::new(),
            start,
            on_dismissal: None,
            is_internal: false,
        }
    }

    /// Gives it another id.
    pub(crate) fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = id.into();
        self
    }

    /// Makes it decline to start unless this is so.
    pub(crate) fn enabled_if(mut self, wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let start = self.start;
        self.start = Arc::new(move |identity, birth| {
            if wanted() { start(identity, birth) } else { Err(SpawnError::Failed(ExitReason::Ignore)) }
        });
        self
    }

    /// Makes its ends a part of its work: see [`ChildPolicy`].
    pub(crate) const fn renews(mut self) -> Self {
        self.policy.renews = true;
        self
    }

    /// Makes its messages the library's own: those that are dropped are not counted.
    pub(crate) const fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    /// Has this told which incarnation is about to be stopped for another cause than that it hangs, and whether it is to handle
    /// what is queued before.
    pub(crate) fn on_dismissal(mut self, told: impl Fn(Pid, bool) + Send + Sync + 'static) -> Self {
        self.on_dismissal = Some(Arc::new(told));
        self
    }

    /// Binds a name to it, from the start of the tree to its end: through every restart it leads to the same mailbox.
    pub fn named(mut self, name: Name<M>) -> Self {
        self.name = Some(name);
        self
    }

    /// Makes its own end count for its supervisor's: see [`AutoShutdown`](crate::AutoShutdown). Not if it is permanent.
    pub const fn significant(mut self) -> Self {
        self.policy.significant = true;
        self
    }

    /// Sets how it is stopped.
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.policy.shutdown = shutdown;
        self
    }

    /// Sets how long its start may take, until its init has returned or, if that put it off, until it [says that it is
    /// ready](perennial_actors::Context::ready). After that it is killed, and its start has failed.
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.policy.start_timeout = Some(timeout);
        self
    }

    /// Restarts it when a handler takes longer than this: see [`Liveness`]. Whether it awaits for ever, blocks its thread or spins.
    ///
    /// It is noticed before one and a half deadlines have passed, two and a half if the handler never awaits. A supervisor can notice
    /// nothing while there is no thread for it: on a runtime with one thread, a handler that never awaits stops everything, and on any
    /// other it takes one thread until it comes back.
    ///
    /// Tokio keeps the task that a thread has woken last for that thread (its issue 4941). A supervisor that watches is never left
    /// there by its children. Somebody else may be: whom a handler wakes last before it blocks, say the caller whom it answers, waits
    /// until it comes back. An actor that waits so is in no handler, and only a [`probe`](Self::probe) finds it.
    pub fn handler_deadline(self, deadline: Duration) -> Self {
        self.liveness(|liveness| liveness.handler_deadline = Some(deadline))
    }

    /// Restarts it when it does not answer a question: see [`Probe`] and [`Liveness`].
    pub fn probe(self, probe: Probe<M>) -> Self {
        let policy = probe.policy;
        let mut child = self.liveness(|liveness| liveness.probe = Some(policy));
        child.probe = Some(probe);
        child
    }

    fn liveness(mut self, set: impl FnOnce(&mut Liveness)) -> Self {
        let mut liveness = self.policy.liveness.as_deref().cloned().unwrap_or_default();
        set(&mut liveness);
        self.policy.liveness = Some(Arc::new(liveness));
        self
    }

    /// Sets its mailbox. To be done before [`address`](Self::address) is asked for.
    pub fn mailbox(mut self, mailbox: MailboxConfig) -> Self {
        self.mailbox_too_late |= self.identity.get().is_some();
        self.mailbox = mailbox;
        self
    }

    /// Its address, good from now on and through every restart. Messages are accepted from the start of the tree on.
    #[must_use]
    pub fn address(&self) -> Address<M> {
        let identity = self.identity();
        identity.set_id(self.id.clone());
        identity.address()
    }

    fn identity(&self) -> &Arc<Identity<M>> {
        self.identity.get_or_init(|| Arc::new(Identity::new(self.mailbox)))
    }
}

impl<M: Send + 'static, K> From<Child<M, K>> for ChildSpec {
    fn from(child: Child<M, K>) -> Self {
        let identity = child.identity().clone();
        let error = if child.mailbox_too_late {
            Some(SpecError::MailboxTooLate { id: child.id.clone() })
        } else {
            let is_zero = child.mailbox.capacity().is_some_and(Capacity::is_zero);
            is_zero.then(|| SpecError::ZeroCapacity { id: child.id.clone() })
        };
        let node = ActorNode {
            identity,
            name: child.name,
            probe: child.probe,
            start: child.start,
            on_dismissal: child.on_dismissal,
            claims: Claims::default(),
            is_internal: child.is_internal,
        };
        Self {
            id: child.id,
            policy: child.policy,
            restart_if_dynamic: child.restart_if_dynamic,
            node: OwnedNode::new(node),
            error: error.map(Box::new),
        }
    }
}

impl<M: Send + 'static, K> fmt::Debug for Child<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("id", &self.id).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Any child, whatever its messages: what a supervisor takes.
///
/// It is the right to command the identity of the child, which one owner has at a time: it is not
/// cloned, and a supervisor that has given it away, after
/// [`delete_child`](crate::SupervisorHandle::delete_child), commands that identity no more.
#[must_use = "a child does nothing until it is given to a supervisor that is started"]
pub struct ChildSpec {
    pub(crate) id: Arc<str>,
    pub(crate) policy: ChildPolicy,
    /// The restart type in a dynamic supervisor. It differs from that of the policy if none was set.
    pub(crate) restart_if_dynamic: Restart,
    pub(crate) node: OwnedNode,
    pub(crate) error: Option<Box<SpecError>>,
}

impl ChildSpec {
    /// Its id among its siblings.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Another spec of the same child, for the same owner. Not public: started twice, it would have two owners.
    pub(crate) fn share(&self) -> Self {
        let Self { id, policy, restart_if_dynamic, node, error } = self;
        let (id, policy, error) = (id.clone(), policy.clone(), error.clone());
        Self { id, policy, restart_if_dynamic: *restart_if_dynamic, node: node.share(), error }
    }

    /// Returns the spec of a supervisor as a child. If its restart type is not set it is permanent
    /// everywhere: it ends in order also when it gives up.
    pub(crate) fn of_supervisor(
        id: Arc<str>,
        policy: ChildPolicy,
        node: impl ChildNode + 'static,
        error: Option<SpecError>,
    ) -> Self {
        let restart_if_dynamic = policy.restart;
        Self { id, policy, restart_if_dynamic, node: OwnedNode::new(node), error: error.map(Box::new) }
    }

    /// How it is to be treated.
    #[must_use]
    pub const fn policy(&self) -> &ChildPolicy {
        &self.policy
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
