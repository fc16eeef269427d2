//! The interface between a supervisor and a child, which is an actor or a supervisor with children
//! of its own.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::{AtomicUsize, Ordering};
use perennial_actors::host::{Identity, Label, MailboxConsumer, Parent};
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};
use perennial_registry::BindError;
use tokio::runtime;

use crate::dropped::DropCounters;
use crate::link::RactorLink;
use crate::policy::ChildPolicy;
use crate::report::LivenessFailure;
use crate::status::SupervisorStatus;
use crate::tree::{ChildState, StopProgress, UnstoppedChild};

/// A child, from its first opening to its final exit.
pub(crate) trait ChildNode: Send + Sync {
    /// Opens the mailbox of this node alone, and binds its name. May be called again. See
    /// [`open`](crate::nesting::open).
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError>;

    /// Closes the mailbox of this node alone. Returns how many messages were dropped, or `None` if
    /// it was closed before. See [`close`](crate::nesting::close).
    fn close_alone(&self, reason: &ExitReason) -> Option<u64>;

    /// Starts the next incarnation, which reports to the parent in `params`.
    fn start(&self, params: StartParams) -> Result<Pid, SpawnError>;

    /// Detaches the mailbox from an incarnation that does not exit after a kill. Returns `true` if
    /// that incarnation had it.
    fn abandon(&self, pid: Pid) -> bool;

    /// Returns a handle that stops, kills and monitors the child.
    fn handle(&self) -> ActorHandle;

    /// Returns the claims of its owner.
    fn claims(&self) -> &Claims;

    /// Stops the child because its supervisor was killed.
    fn kill_orphan(&self) {
        // An error says that there is no incarnation to kill.
        let _ = self.handle().kill();
    }

    /// Stops the child for good. It, or the children below it, handle queued messages first if they
    /// are set to drain.
    fn drain(&self, reason: ExitReason) {
        // If the child has exited by itself, its exit is in the inbox of its parent.
        let _ = self.handle().drain(reason);
    }

    /// Returns `true` if its messages belong to the user. Only those are counted when they are
    /// dropped.
    fn counts_dropped(&self) -> bool {
        true
    }

    /// Returns `true` if [`notify_stop`](Self::notify_stop) does anything.
    fn has_stop_hook(&self) -> bool {
        false
    }

    /// Runs the stop hook for the live incarnation, which is about to be stopped in order. If it
    /// `drains`, it handles its queued work first. Not called for an unresponsive child.
    fn notify_stop(&self, drains: bool) {
        let _ = drains;
    }

    /// Runs the hook for an incarnation that failed a check and is about to be stopped.
    fn notify_unresponsive(&self, pid: Pid, failure: LivenessFailure) {
        let _ = (pid, failure);
    }

    /// Sets why there is no incarnation, and in how long the next one starts.
    fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration);

    /// Sends a probe, if the child has one. The future resolves to `true` if the child answers in
    /// time.
    fn probe(&self) -> Option<Pin<Box<dyn Future<Output = bool> + Send>>> {
        None
    }

    /// Returns the node as a supervisor, or `None` if it has no children.
    fn group(&self) -> Option<&dyn Group> {
        None
    }

    /// Moves the nodes below this one into `queue`, if this is the last reference to it. See
    /// [`DropQueue`].
    fn dismantle(self: Arc<Self>, queue: &mut DropQueue) {
        let _ = queue;
    }
}

/// A node with children. No method here calls the same method of a child: a tree may be deeper than
/// the stack.
pub(crate) trait Group {
    /// Returns the children with which every incarnation starts, and their ids.
    fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)>;

    /// Returns the counters of its tree.
    fn drop_counters(&self) -> Arc<DropCounters>;

    /// Sets the counters of its tree, before it is opened.
    fn set_drop_counters(&self, counters: Arc<DropCounters>);

    /// Returns the current children in start order, as the tree shows them.
    fn list_children(&self) -> Vec<ListedChild>;

    /// Returns the status of its current or last incarnation at this path, and the number of
    /// restarts that it tolerates now.
    fn status(&self, path: Arc<str>) -> (Option<SupervisorStatus>, Option<u32>) {
        let _ = path;
        (None, None)
    }

    /// Adds the children that did not stop in time in the last stop. Returns all children.
    fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>>;
}

/// A child, as its supervisor shows it.
pub(crate) struct ListedChild {
    pub(crate) id: Arc<str>,
    pub(crate) policy: Arc<ChildPolicy>,
    pub(crate) node: Arc<dyn ChildNode>,
    /// Its state, or `None` if its supervisor has no incarnation.
    pub(crate) shown: Option<ChildState>,
    pub(crate) restarts: u64,
    pub(crate) stop: Option<StopProgress>,
}

/// A list of node references that are dropped in a loop. A node that is dropped adds the nodes
/// below it to the list instead of dropping them itself.
#[derive(Default)]
pub(crate) struct DropQueue(Vec<Arc<dyn ChildNode>>);

impl DropQueue {
    /// Adds references. The first one is dropped first.
    pub(crate) fn add(&mut self, nodes: impl DoubleEndedIterator<Item = Arc<dyn ChildNode>>) {
        self.0.extend(nodes.rev());
    }
}

impl Drop for DropQueue {
    fn drop(&mut self) {
        while let Some(node) = self.0.pop() {
            node.dismantle(self);
        }
    }
}

/// The number of claims that the owner of a node has. A node has at most one owner.
#[derive(Debug, Default)]
pub(crate) struct Claims(AtomicUsize);

/// A node and a claim to it: the right to open, start, stop and close it.
///
/// All claims to a node belong to one owner: a supervisor, or the holder of a spec. An owner that
/// transfers its node keeps the node without a claim, and does nothing with it until it can
/// [reclaim](Self::reclaim) it.
pub(crate) struct OwnedNode {
    node: Arc<dyn ChildNode>,
    is_claimed: bool,
}

impl OwnedNode {
    /// Creates the first claim to a new node.
    pub(crate) fn new(node: impl ChildNode + 'static) -> Self {
        Self { node: Arc::new(node), is_claimed: false }.share()
    }

    /// Creates another claim of the same owner.
    pub(crate) fn share(&self) -> Self {
        self.node.claims().0.fetch_add(1, Ordering::Relaxed);
        Self { node: self.node.clone(), is_claimed: true }
    }

    /// Drops this claim, because the node belongs to another owner now.
    pub(crate) fn transfer(&mut self) {
        if std::mem::take(&mut self.is_claimed) {
            self.node.claims().0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Claims a transferred node again. Returns `false` if another owner has a claim.
    pub(crate) fn reclaim(&mut self) -> bool {
        // Synchronizes with the drop of the last claim.
        let claims = &self.node.claims().0;
        self.is_claimed = claims.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        self.is_claimed
    }

    /// Drops this claim. Returns the node, possibly as its last reference.
    pub(crate) fn into_node(self) -> Arc<dyn ChildNode> {
        self.node.clone()
    }

    /// Returns the node without a claim, for operations that its owner has begun and for read
    /// access.
    pub(crate) const fn node(&self) -> &Arc<dyn ChildNode> {
        &self.node
    }

    /// Returns `true` if both refer to the same node.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
    }
}

impl Drop for OwnedNode {
    fn drop(&mut self) {
        self.transfer();
    }
}

impl Deref for OwnedNode {
    type Target = dyn ChildNode;

    fn deref(&self) -> &Self::Target {
        &*self.node
    }
}

impl fmt::Debug for OwnedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedNode").field(&self.handle()).finish()
    }
}

/// The parameters of the start of an incarnation.
pub(crate) struct StartParams {
    /// Receives the start and the exit of the incarnation.
    pub(crate) parent: Arc<dyn Parent>,
    /// The start id that the parent receives with both.
    pub(crate) run: u64,
    /// The supervisor's ractor actor, for a child that links to it.
    pub(crate) link: Option<RactorLink>,
}

impl StartParams {
    /// Attaches the next incarnation of `identity`, and spawns `life` as its task.
    pub(crate) fn begin<M: Send + 'static, L: Future<Output = ()> + Send + 'static>(
        self,
        identity: &Identity<M>,
        life: impl FnOnce(MailboxConsumer<M>) -> L,
    ) -> Result<Pid, SpawnError> {
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let attachment = identity.attach(self.parent, self.run)?;
        let pid = attachment.pid();
        runtime.spawn(life(attachment));
        Ok(pid)
    }
}

/// Why a child cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its name is bound to another mailbox.
    #[error(transparent)]
    Name(#[from] BindError),
}
