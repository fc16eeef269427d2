//! What a supervisor needs of a child, whatever it is: an actor, or a supervisor with children of its own.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::host::{Identity, Label, MailboxConsumer, Parent};
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};
use perennial_registry::BindError;
use tokio::runtime;

use crate::dropped::DropCounters;
use crate::link::RactorLink;
use crate::policy::ChildKind;
use crate::tree::{ChildState, UnstoppedChild};

/// A child, from its first opening to its last end.
pub(crate) trait ChildNode: Send + Sync {
    /// Lets messages queue for this node alone and binds its name. May be done again. See
    /// [`open`](crate::nesting::open).
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError>;

    /// Refuses messages for this node alone. Returns how many messages were dropped, or `None` if
    /// it was closed before. See [`close`](crate::nesting::close).
    fn close_alone(&self, reason: &ExitReason) -> Option<u64>;

    /// Starts the next incarnation, which tells its parent.
    fn start(&self, birth: StartParams) -> Result<Pid, SpawnError>;

    /// Takes the mailbox away from an incarnation that does not die.
    fn abandon(&self, pid: Pid) -> bool;

    /// The means to stop, kill and watch it.
    fn handle(&self) -> ActorHandle;

    /// Returns the claims of its owner.
    fn claims(&self) -> &Claims;

    /// Ends it because its supervisor was killed.
    fn kill_orphan(&self) {
        // If it is gone already, there is nobody to kill.
        let _ = self.handle().kill();
    }

    /// Stops it for good: what is queued is handled before, here or below it.
    fn drain(&self, reason: ExitReason) {
        // If it has ended by itself, its parent is told.
        let _ = self.handle().drain(reason);
    }

    /// Returns `true` if its messages are a user's, which are counted when they are dropped.
    fn counts_dropped(&self) -> bool {
        true
    }

    /// Returns `true` if [`dismiss`](Self::dismiss) does anything.
    fn hears_dismissal(&self) -> bool {
        false
    }

    /// Tells the incarnation that is there that it is about to be stopped, for another cause than that it hangs. What is queued
    /// is to be handled before if it `drains`.
    fn release(&self, drains: bool) {
        let _ = drains;
    }

    /// Says why there is no incarnation, and in how long the next is begun, for those who ask.
    fn announce(&self, reason: ExitReason, retry_in: Duration);

    /// Asks it whether it gets on, if it is to be asked: whether it answers in time.
    fn probe(&self) -> Option<Pin<Box<dyn Future<Output = bool> + Send>>> {
        None
    }

    /// Returns what there is to know of it as a supervisor, or `None` if it has no children.
    fn group(&self) -> Option<&dyn Group> {
        None
    }

    /// Takes what is below the node out of it, if this is the last reference to it. See
    /// [`Nest`].
    fn dismantle(self: Arc<Self>, nest: &mut Nest) {
        let _ = nest;
    }
}

/// A node that has children. Nothing here calls the same of a child: a tree may be deeper than the
/// stack.
pub(crate) trait Group {
    /// Returns the children that every incarnation starts with, and their ids.
    fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)>;

    /// Returns the counters of its tree.
    fn drop_counters(&self) -> Arc<DropCounters>;

    /// Sets the counters of its tree, before it is opened.
    fn set_drop_counters(&self, counters: Arc<DropCounters>);

    /// Returns the children as they are now, as the tree shows them, in start order.
    fn seen(&self) -> Vec<Seen>;

    /// Adds the children that did not stop in time when it last stopped, and returns all children.
    fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>>;
}

/// A child as its supervisor shows it.
pub(crate) struct Seen {
    pub(crate) id: Arc<str>,
    pub(crate) kind: ChildKind,
    pub(crate) node: Arc<dyn ChildNode>,
    /// What its supervisor says of it, or `None` if that has no incarnation.
    pub(crate) shown: Option<ChildState>,
    pub(crate) restarts: u64,
}

/// References to nodes that are dropped one after the other. A node that is dropped adds the nodes
/// below it to the list instead of dropping them itself.
#[derive(Default)]
pub(crate) struct Nest(Vec<Arc<dyn ChildNode>>);

impl Nest {
    /// Adds references. The first one is dropped first.
    pub(crate) fn add(&mut self, nodes: impl DoubleEndedIterator<Item = Arc<dyn ChildNode>>) {
        self.0.extend(nodes.rev());
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        while let Some(node) = self.0.pop() {
            node.dismantle(self);
        }
    }
}

/// How many claims the owner of a node has. A node has at most one owner.
#[derive(Debug, Default)]
pub(crate) struct Claims(AtomicUsize);

/// A node and a claim to it: the right to open, start, stop and close it.
///
/// All claims to a node belong to one owner, which is a supervisor or the holder of a spec. An
/// owner that gives its node away keeps a [`GivenNode`], which gives no access.
pub(crate) struct OwnedNode(Arc<dyn ChildNode>);

/// A node that belongs to another owner, until nothing has a claim to it any more.
pub(crate) struct GivenNode(Arc<dyn ChildNode>);

impl OwnedNode {
    /// Returns the first claim to a new node.
    pub(crate) fn new(node: impl ChildNode + 'static) -> Self {
        node.claims().0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(node))
    }

    /// Returns another claim of the same owner.
    pub(crate) fn share(&self) -> Self {
        self.0.claims().0.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }

    /// Gives up this claim, for another owner that has one.
    pub(crate) fn give_away(self) -> GivenNode {
        GivenNode(self.0.clone())
    }

    /// Gives up this claim. Returns the node, which this may be the last reference to.
    pub(crate) fn into_node(self) -> Arc<dyn ChildNode> {
        self.0.clone()
    }

    /// Returns the node without a claim: for what its owner has begun, and for looks.
    pub(crate) const fn node(&self) -> &Arc<dyn ChildNode> {
        &self.0
    }

    /// Returns `true` if both are claims to the same node.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl GivenNode {
    /// Returns the node, which this may be the last reference to.
    pub(crate) fn into_node(self) -> Arc<dyn ChildNode> {
        self.0
    }

    /// Returns a claim to the node, if nothing else has one.
    pub(crate) fn reclaim(&self) -> Option<OwnedNode> {
        let claims = &self.0.claims().0;
        // Synchronizes with the drop of the last claim.
        claims
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
            .map(|_| OwnedNode(self.0.clone()))
    }
}

impl Drop for OwnedNode {
    fn drop(&mut self) {
        self.0.claims().0.fetch_sub(1, Ordering::Release);
    }
}

impl Deref for OwnedNode {
    type Target = dyn ChildNode;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for OwnedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedNode").field(&self.handle()).finish()
    }
}

/// What an incarnation is started with.
pub(crate) struct StartParams {
    /// Who is told what becomes of it.
    pub(crate) parent: Arc<dyn Parent>,
    /// As which start.
    pub(crate) run: u64,
    /// What ractor is to know of its supervisor, if it has one.
    pub(crate) link: Option<RactorLink>,
}

impl StartParams {
    /// Begins the next incarnation of `identity`, in a task of its own.
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
    /// Its name leads to somebody else.
    #[error(transparent)]
    Name(#[from] BindError),
}
