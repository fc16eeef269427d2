//! A supervisor as a node of a tree: its identity, and the state of its current or last
//! incarnation.

use std::sync::{Arc, Weak};

use perennial_actors::host::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use perennial_actors::host::{Identity, Label, Parent};
use perennial_actors::{Address, MailboxConfig};

use super::inbox::DriverMsg;
use super::state::SupervisorState;
use crate::dropped::DropCounters;
use crate::node::{Claims, DropQueue};
use crate::policy::SupervisorKind;
use crate::spec::{ChildSpec, SpecError, SupervisorSpec};

/// A reference to a supervisor, valid for all its incarnations. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SupervisorNode(pub(super) Arc<Inner>);

/// A weak reference to a supervisor, for values that the supervisor itself owns.
#[derive(Clone)]
pub(crate) struct WeakSupervisorNode(Weak<Inner>);

impl WeakSupervisorNode {
    /// Returns the supervisor while its tree or another reference keeps it.
    pub(crate) fn upgrade(&self) -> Option<SupervisorNode> {
        self.0.upgrade().map(SupervisorNode)
    }
}

/// Returns the supervisor behind a parent, if it is one and still exists.
pub(crate) fn supervisor_of(parent: &dyn Parent) -> Option<SupervisorNode> {
    parent.as_any()?.downcast_ref::<WeakSupervisorNode>()?.upgrade()
}

pub(super) struct Inner {
    id: Arc<str>,
    pub(super) identity: Identity<DriverMsg>,
    state: Mutex<SupervisorState>,
    pub(super) claims: Claims,
    /// `true` if the next stop is final, so that children that are set to drain do so.
    pub(super) drains: AtomicBool,
    pub(super) drop_counters: Mutex<Arc<DropCounters>>,
}

impl Inner {
    /// Moves the nodes below to `queue`.
    pub(super) fn clear_into(&mut self, queue: &mut DropQueue) {
        let state = self.state.get_mut();
        std::mem::take(state).dismantle(queue);
    }
}

impl Drop for Inner {
    /// Drops the nodes below in a loop: a deep tree needs no deep stack.
    fn drop(&mut self) {
        self.clear_into(&mut DropQueue::default());
    }
}

impl SupervisorNode {
    pub(crate) fn new(id: Arc<str>) -> Self {
        // Children report through this mailbox, so it must never be full. Messages that arrive
        // between two incarnations are for the next one.
        let identity = Identity::new(MailboxConfig::unbounded());
        Self(Arc::new(Inner {
            id,
            identity,
            state: Mutex::default(),
            claims: Claims::default(),
            drains: AtomicBool::new(false),
            drop_counters: Mutex::default(),
        }))
    }

    pub(crate) fn downgrade(&self) -> WeakSupervisorNode {
        WeakSupervisorNode(Arc::downgrade(&self.0))
    }

    /// Returns `true` if the supervisor is dynamic.
    pub(crate) fn is_dynamic(&self) -> bool {
        matches!(self.state().plan.kind, SupervisorKind::Dynamic { .. })
    }

    /// Checks a child that is to be started by request, and gives it the restart type that its spec
    /// names for the kind of this supervisor.
    pub(crate) fn check_child(&self, mut child: ChildSpec) -> Result<ChildSpec, SpecError> {
        let state = self.state();
        let is_dynamic = matches!(state.plan.kind, SupervisorKind::Dynamic { .. });
        if is_dynamic && child.policy.restart != child.restart_if_dynamic {
            Arc::make_mut(&mut child.policy).restart = child.restart_if_dynamic;
        }
        let checked = state.plan.check_child(&child, self.id());
        let unneeded = state.share_with_last(&mut child);
        drop(state);
        drop(unneeded);
        checked.map(|()| child)
    }

    /// Sets the spec, before the start.
    pub(crate) fn set_spec(&self, plan: SupervisorSpec) {
        let before = std::mem::replace(&mut self.state().plan, plan);
        drop(before);
    }

    pub(crate) fn address(&self) -> Address<DriverMsg> {
        self.0.identity.address()
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.0.id
    }

    /// Returns `true` if its next stop is final: no other incarnation follows, and children with
    /// [`Shutdown::Drain`](crate::Shutdown::Drain) handle their queued messages first.
    pub(super) fn drains(&self) -> bool {
        self.0.drains.load(Ordering::Relaxed)
    }

    /// Returns the counters of its tree.
    pub(crate) fn drop_counters(&self) -> Arc<DropCounters> {
        self.0.drop_counters.lock().clone()
    }

    /// Returns its path in the tree, or its id before it is first opened.
    pub(super) fn label(&self) -> Label {
        self.0.identity.label().unwrap_or_else(|| Label::root(self.0.id.clone()))
    }

    /// Locks the state. No user code may run under this lock.
    pub(crate) fn state(&self) -> MutexGuard<'_, SupervisorState> {
        self.0.state.lock()
    }
}
