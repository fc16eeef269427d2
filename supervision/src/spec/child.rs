//! The spec of one child.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::host::sync::OnceLock;
use perennial_actors::{Actor, Address, Capacity, ExitReason, MailboxConfig, Pid, SpawnError};
use perennial_registry::Name;

use super::actor_node::{ActorNode, ActorStart, Extras, Start, StopHook, UnresponsiveHook};
use super::error::SpecError;
use super::probe::Probe;
use crate::node::{ChildNode, Claims, OwnedNode, StartParams};
use crate::policy::{Backoff, ChildPolicy, Restart, Shutdown};
use crate::report::LivenessFailure;

/// The spec of a child that is an actor with messages `M`.
///
/// By default the child is permanent, restarts without a delay, has 5 seconds to stop, has no limit
/// for its start, and has a mailbox for 1,024 messages. In a
/// [dynamic supervisor](crate::DynamicSupervisor) it is transient by default.
///
/// `K` is `()` for a child that can be restarted. For one that is [started once](Child::once) it is
/// [`OwnedArgs`](perennial_actors::OwnedArgs): such a child is temporary, and has no `restart` and
/// no `backoff`.
#[must_use = "a child does nothing until it is given to a supervisor that is started"]
pub struct Child<M: Send + 'static, K = ()> {
    id: Arc<str>,
    pub(super) policy: ChildPolicy,
    /// The restart type in a dynamic supervisor.
    restart_if_dynamic: Restart,
    pub(super) kept: K,
    mailbox: MailboxConfig,
    mailbox_too_late: bool,
    name: Option<Name<M>>,
    pub(super) probe: Option<Probe<M>>,
    identity: OnceLock<Identity<M>>,
    start: Arc<dyn Start<M>>,
    stop_hook: Option<Arc<StopHook>>,
    unresponsive_hook: Option<Arc<UnresponsiveHook>>,
    is_internal: bool,
}

impl<M: Send + 'static> Child<M> {
    /// Creates a child that is an actor `A`. Each incarnation starts from the same `args`.
    pub fn new<A: Actor<Msg = M>>(id: impl Into<Arc<str>>, args: A::Args) -> Self {
        let start = Arc::new(ActorStart::<_, A>::new(args));
        Self::with(id.into(), ChildPolicy::default(), Restart::Transient, (), start)
    }

    /// Creates a child whose incarnations `start` begins.
    pub(crate) fn started_by(
        id: impl Into<Arc<str>>,
        start: impl Fn(&Identity<M>, StartParams) -> Result<Pid, SpawnError> + Send + Sync + 'static,
    ) -> Self {
        Self::with(id.into(), ChildPolicy::default(), Restart::Transient, (), Arc::new(start))
    }

    /// Sets which exits cause a restart. This replaces a [condition](Self::restart_if).
    pub fn restart(mut self, restart: Restart) -> Self {
        self.policy.set_restart(restart);
        self.restart_if_dynamic = restart;
        self
    }

    /// Sets a delay before each restart, which grows with each failure.
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
        start: Arc<dyn Start<M>>,
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
            stop_hook: None,
            unresponsive_hook: None,
            is_internal: false,
        }
    }

    /// Sets the id.
    pub(crate) fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = id.into();
        self
    }

    /// Makes each start of the child decline unless `wanted` returns `true`.
    pub(crate) fn enabled_if(mut self, wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let start = self.start;
        self.start = Arc::new(move |identity: &Identity<M>, params| {
            if !wanted() {
                return Err(SpawnError::Failed(ExitReason::Ignore));
            }
            start.clone().start(identity, params)
        });
        self
    }

    /// Makes exits a part of the child's work: see [`ChildPolicy`].
    pub(crate) const fn renews(mut self) -> Self {
        self.policy.renews = true;
        self
    }

    /// Makes the child stop before its siblings: see [`ChildPolicy`].
    pub(crate) const fn stops_first(mut self) -> Self {
        self.policy.stops_first = true;
        self
    }

    /// Makes the child a part of the spec of its supervisor: see [`ChildPolicy`].
    pub(crate) const fn joins_spec(mut self) -> Self {
        self.policy.joins_spec = true;
        self
    }

    /// Marks its messages as the library's own: they are not counted when they are dropped.
    pub(crate) const fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    /// Marks the child as a task, which has no handlers: see [`ChildPolicy`].
    pub(crate) const fn without_handlers(mut self) -> Self {
        self.policy.is_task = true;
        self
    }

    /// Sets a hook that runs before an incarnation is stopped in order, which excludes a stop of an
    /// unresponsive one. Its flag is set if the incarnation drains before it stops.
    pub(crate) fn stop_hook(mut self, hook: impl Fn(Pid, bool) + Send + Sync + 'static) -> Self {
        self.stop_hook = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that runs before an incarnation is stopped because it failed a check.
    pub(crate) fn unresponsive_hook(
        mut self,
        hook: impl Fn(Pid, LivenessFailure) + Send + Sync + 'static,
    ) -> Self {
        self.unresponsive_hook = Some(Arc::new(hook));
        self
    }

    /// Binds a name to the child from the start of its tree to its end. The name resolves to the
    /// same mailbox across every restart.
    pub fn named(mut self, name: Name<M>) -> Self {
        self.name = Some(name);
        self
    }

    /// Lets the exit of the child shut its supervisor down: see
    /// [`AutoShutdown`](crate::AutoShutdown). A significant child must not be permanent.
    pub const fn significant(mut self) -> Self {
        self.policy.significant = true;
        self
    }

    /// Sets how the supervisor stops the child.
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.policy.shutdown = shutdown;
        self
    }

    /// Sets the longest time that a start may take. A start is complete when `init` returns or, if
    /// `init` deferred that, when the actor [is ready](perennial_actors::Context::ready). After
    /// this time the child is killed, and its start has failed.
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.policy.start_timeout = Some(timeout);
        self
    }

    /// Sets the mailbox. Call this before [`address`](Self::address): otherwise the spec fails its
    /// check with [`SpecError::MailboxTooLate`].
    pub fn mailbox(mut self, mailbox: MailboxConfig) -> Self {
        self.mailbox_too_late |= self.identity.get().is_some();
        self.mailbox = mailbox;
        self
    }

    /// Returns the address. It is valid at once, and across every restart. The mailbox accepts
    /// messages from the start of the tree on.
    #[must_use]
    pub fn address(&self) -> Address<M> {
        let identity = self.identity();
        identity.set_id(self.id.clone());
        identity.address()
    }

    fn identity(&self) -> &Identity<M> {
        self.identity.get_or_init(|| Identity::new(self.mailbox))
    }
}

impl<M: Send + 'static, K> From<Child<M, K>> for ChildSpec {
    fn from(child: Child<M, K>) -> Self {
        let error = if child.mailbox_too_late {
            Some(SpecError::MailboxTooLate { id: child.id.clone() })
        } else {
            let is_zero = child.mailbox.capacity().is_some_and(Capacity::is_zero);
            is_zero.then(|| SpecError::ZeroCapacity { id: child.id.clone() })
        };
        let extras = Extras {
            name: child.name,
            probe: child.probe,
            stop_hook: child.stop_hook,
            unresponsive_hook: child.unresponsive_hook,
            is_internal: child.is_internal,
        };
        let node = ActorNode {
            identity: child.identity.into_inner().unwrap_or_else(|| Identity::new(child.mailbox)),
            start: child.start,
            extras: extras.boxed(),
            claims: Claims::default(),
        };
        Self {
            id: child.id,
            policy: Arc::new(child.policy),
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

/// The spec of a child, independent of its message type. A supervisor accepts any value that
/// converts into it.
///
/// A spec owns the identity of its child, and only one owner may start and stop it. Therefore it is
/// not `Clone`. A supervisor loses this ownership when
/// [`delete_child`](crate::SupervisorHandle::delete_child) returns the spec.
#[must_use = "a child does nothing until it is given to a supervisor that is started"]
pub struct ChildSpec {
    pub(crate) id: Arc<str>,
    /// Shared by the children of a supervisor that have the same.
    pub(crate) policy: Arc<ChildPolicy>,
    /// The restart type in a dynamic supervisor. It differs from the one in `policy` unless a
    /// restart type was set.
    pub(crate) restart_if_dynamic: Restart,
    pub(crate) node: OwnedNode,
    pub(crate) error: Option<Box<SpecError>>,
}

impl ChildSpec {
    /// Returns the id, which is unique among siblings.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Returns another spec of the same child, for the same owner. It is not public: a second
    /// supervisor with it would be a second owner.
    pub(crate) fn share(&self) -> Self {
        let Self { id, policy, restart_if_dynamic, node, error } = self;
        let (id, policy, error) = (id.clone(), policy.clone(), error.clone());
        Self { id, policy, restart_if_dynamic: *restart_if_dynamic, node: node.share(), error }
    }

    /// Returns a spec of the same child without a claim: only its owner starts and stops the child.
    pub(crate) fn unclaimed(&self) -> Self {
        let mut spec = self.share();
        spec.node.transfer();
        spec
    }

    /// Returns a spec of the same child that owns it, if the child has no owner. `self` must have
    /// no claim.
    pub(crate) fn claim(&mut self) -> Option<Self> {
        if !self.node.reclaim() {
            return None;
        }
        let claimed = self.share();
        self.node.transfer();
        Some(claimed)
    }

    /// Returns the spec of a supervisor as a child. Its default restart type is permanent also in a
    /// dynamic supervisor, because a supervisor that exceeds its intensity exits normally.
    pub(crate) fn of_supervisor(
        id: Arc<str>,
        policy: ChildPolicy,
        node: impl ChildNode + 'static,
        error: Option<SpecError>,
    ) -> Self {
        let restart_if_dynamic = policy.restart;
        let (policy, node) = (Arc::new(policy), OwnedNode::new(node));
        Self { id, policy, restart_if_dynamic, node, error: error.map(Box::new) }
    }

    /// Returns the settings of the child.
    #[must_use]
    pub fn policy(&self) -> &ChildPolicy {
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
