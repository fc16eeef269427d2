//! A supervisor as a node of a tree: its identity, and the book of the incarnation that lives or lived last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use perennial_actors::host::{Identity, Label, Parent};
use perennial_actors::{Address, MailboxConfig};

use super::inbox::DriverMsg;
use super::state::SupervisorState;
use crate::dropped::DropCounters;
use crate::node::{Claims, Nest};
use crate::policy::SupervisorKind;
use crate::spec::SupervisorSpec;

/// A supervisor, whichever incarnation of it lives. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SupervisorNode(Arc<Inner>);

/// The same for those who are kept by it themselves.
#[derive(Clone)]
pub(crate) struct WeakSupervisorNode(Weak<Inner>);

impl WeakSupervisorNode {
    /// It is there for as long as its tree, or anybody who holds it.
    pub(crate) fn upgrade(&self) -> Option<SupervisorNode> {
        self.0.upgrade().map(SupervisorNode)
    }
}

/// Returns the supervisor that a parent is, if it is one and is there.
pub(crate) fn supervisor_of(parent: &dyn Parent) -> Option<SupervisorNode> {
    parent.as_any()?.downcast_ref::<WeakSupervisorNode>()?.upgrade()
}

struct Inner {
    id: Arc<str>,
    identity: Identity<DriverMsg>,
    book: Mutex<SupervisorState>,
    claims: Claims,
    /// Whether the children handle what is queued when it stops.
    drains: AtomicBool,
    drop_counters: Mutex<Arc<DropCounters>>,
}

impl Inner {
    /// Moves the nodes below to `nest`.
    fn clear_into(&mut self, nest: &mut Nest) {
        let book = self.book.get_mut().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(book).dismantle(nest);
    }
}

impl Drop for Inner {
    /// Drops what is below it one after the other: a deep tree needs no deep stack.
    fn drop(&mut self) {
        self.clear_into(&mut Nest::default());
    }
}

impl SupervisorNode {
    pub(crate) fn new(id: Arc<str>) -> Self {
        // A supervisor hears of its children through this: it must never be full, and what comes in between two
        // incarnations is for the next.
        let identity = Identity::new(MailboxConfig::unbounded());
        Self(Arc::new(Inner {
            id,
            identity,
            book: Mutex::default(),
            claims: Claims::default(),
            drains: AtomicBool::new(false),
            drop_counters: Mutex::default(),
        }))
    }

    pub(crate) fn downgrade(&self) -> WeakSupervisorNode {
        WeakSupervisorNode(Arc::downgrade(&self.0))
    }

    /// Returns `true` if its children come and go.
    pub(crate) fn is_dynamic(&self) -> bool {
        matches!(self.book().plan.kind, SupervisorKind::Dynamic { .. })
    }

    /// Settles what it is to do, before it is started.
    pub(crate) fn set_spec(&self, plan: SupervisorSpec) {
        let before = std::mem::replace(&mut self.book().plan, plan);
        drop(before);
    }

    pub(crate) fn address(&self) -> Address<DriverMsg> {
        self.0.identity.address()
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.0.id
    }

    pub(super) fn identity(&self) -> &Identity<DriverMsg> {
        &self.0.identity
    }

    /// Returns `true` if its next stop is final: children that are set so handle what is queued before.
    pub(super) fn drains(&self) -> bool {
        self.0.drains.load(Ordering::Relaxed)
    }

    /// Sets whether its next stop is final.
    pub(super) fn set_drains(&self, drains: bool) {
        self.0.drains.store(drains, Ordering::Relaxed);
    }

    /// Returns the counters of its tree.
    pub(crate) fn drop_counters(&self) -> Arc<DropCounters> {
        self.0.drop_counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the counters of its tree.
    pub(super) fn set_drop_counters(&self, counters: Arc<DropCounters>) {
        let before = std::mem::replace(
            &mut *self.0.drop_counters.lock().unwrap_or_else(PoisonError::into_inner),
            counters,
        );
        drop(before);
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.0.claims
    }

    pub(super) fn kill_grace(&self) -> Duration {
        self.book().plan.kill_grace
    }

    /// Returns where it stands in its tree; before it is first opened, its id.
    pub(super) fn label(&self) -> Label {
        self.0.identity.label().unwrap_or_else(|| Label::root(self.0.id.clone()))
    }

    /// Drops this reference. If it is the last one, the nodes below are moved to `nest` first.
    pub(super) fn dismantle_into(self, nest: &mut Nest) {
        if let Some(mut inner) = Arc::into_inner(self.0) {
            inner.clear_into(nest);
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, SupervisorState> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
