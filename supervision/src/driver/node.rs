//! A supervisor as a node of a tree: its identity, and the state of its current or last
//! incarnation.

use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use perennial_actors::host::{Identity, Label, Parent};
use perennial_actors::{ActorHandle, Address, ExitReason, MailboxConfig, Pid, SpawnError, System};

use super::host;
use super::inbox::DriverMsg;
use super::run::Tie;
use super::state::SupervisorState;
use crate::dropped::DropCounters;
use crate::nesting;
use crate::node::{ChildNode, Claims, DropQueue, Group, ListedChild, OpenError, StartParams};
use crate::policy::SupervisorKind;
use crate::spec::{ChildSpec, SpecError, SupervisorSpec};
use crate::tree::UnstoppedChild;

/// A reference to a supervisor, valid for all its incarnations. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SupervisorNode(Arc<Inner>);

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

struct Inner {
    id: Arc<str>,
    identity: Identity<DriverMsg>,
    state: Mutex<SupervisorState>,
    claims: Claims,
    /// `true` if the next stop is final, so that children that are set to drain do so.
    drains: AtomicBool,
    drop_counters: Mutex<Arc<DropCounters>>,
}

impl Inner {
    /// Moves the nodes below to `queue`.
    fn clear_into(&mut self, queue: &mut DropQueue) {
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
        if self.is_dynamic() {
            child.policy.restart = child.restart_if_dynamic;
        }
        let checked = self.state().plan.check_child(&child, self.id());
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

    /// Starts the next incarnation. `tie` runs when all of its children have started. When this
    /// returns, the mailboxes of all children that the incarnation starts are open.
    pub(super) fn begin(&self, params: StartParams, tie: Option<Tie>) -> Result<Pid, SpawnError> {
        params.begin(&self.0.identity, |attachment| {
            self.state().reclaim();
            nesting::reopen_children(self, attachment.system(), &self.label());
            host::run(self.clone(), attachment, tie)
        })
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

impl ChildNode for SupervisorNode {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.0.identity.open(system, || label.clone());
        self.state().reclaim();
        Ok(())
    }

    /// Returns zero: the messages in the mailbox of a supervisor do not belong to the user.
    fn close_alone(&self, reason: &ExitReason) -> Option<u64> {
        self.0.identity.close(reason).map(|_| 0)
    }

    fn drain(&self, reason: ExitReason) {
        self.0.drains.store(true, Ordering::Relaxed);
        // If it has exited by itself, its exit is in the inbox of its parent.
        let _ = self.handle().stop(reason);
    }

    fn counts_dropped(&self) -> bool {
        false
    }

    fn claims(&self) -> &Claims {
        &self.0.claims
    }

    fn start(&self, params: StartParams) -> Result<Pid, SpawnError> {
        self.0.drains.store(false, Ordering::Relaxed);
        self.begin(params, None)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.0.identity.abandon(pid)
    }

    fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration) {
        self.0.identity.set_pending_restart(reason, retry_in);
    }

    fn handle(&self) -> ActorHandle {
        self.address().handle()
    }

    /// Its own children are stopped in order, and it exits as killed after that. As in OTP.
    fn kill_orphan(&self) {
        // An error says that there is no incarnation to stop.
        let _ = self.handle().stop(ExitReason::Killed);
    }

    fn group(&self) -> Option<&dyn Group> {
        Some(self)
    }

    fn dismantle(self: Arc<Self>, queue: &mut DropQueue) {
        if let Some(mut inner) = Arc::into_inner(self).and_then(|node| Arc::into_inner(node.0)) {
            inner.clear_into(queue);
        }
    }
}

impl Group for SupervisorNode {
    fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)> {
        let state = self.state();
        state.plan.children.iter().map(|child| (child.id.clone(), child.node.node().clone())).collect()
    }

    fn drop_counters(&self) -> Arc<DropCounters> {
        self.drop_counters()
    }

    fn set_drop_counters(&self, counters: Arc<DropCounters>) {
        let mut current = self.0.drop_counters.lock();
        let before = std::mem::replace(&mut *current, counters);
        drop(current);
        drop(before);
    }

    fn list_children(&self) -> Vec<ListedChild> {
        self.state().list_children()
    }

    fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>> {
        let state = self.state();
        into.extend(state.unstopped().cloned());
        state.nodes().map(|(_, node)| node.clone()).collect()
    }
}
