//! The arguments of the workers of a pool, and their revisions: each incarnation starts from those
//! that its slot has then.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use perennial_actors::host::Foreign;
use perennial_actors::host::sync::Mutex;

use crate::pool::scheduler::Version;

/// Arguments, and the number of the rollout that brought them.
pub(crate) struct Revised<A: Send + 'static> {
    pub(crate) revision: u64,
    pub(crate) args: Arc<Foreign<A>>,
}

impl<A: Send + 'static> Clone for Revised<A> {
    fn clone(&self) -> Self {
        Self { revision: self.revision, args: self.args.clone() }
    }
}

/// The arguments of the workers of a pool.
pub(crate) struct Revisions<A: Send + Sync + 'static>(Mutex<Inner<A>>);

struct Inner<A: Send + Sync + 'static> {
    current: Revised<A>,
    /// The arguments of the rollout that is under way.
    next: Option<Revised<A>>,
    /// The slots that start from the next arguments.
    on_next: BTreeSet<usize>,
    /// The revision of the last incarnation of each slot.
    started: BTreeMap<usize, u64>,
    /// The last revision.
    last: u64,
}

impl<A: Send + Sync + 'static> Revisions<A> {
    pub(crate) fn new(args: A) -> Self {
        let current = Revised { revision: 1, args: Arc::new(Foreign::new(args)) };
        Self(Mutex::new(Inner {
            current,
            next: None,
            on_next: BTreeSet::new(),
            started: BTreeMap::new(),
            last: 1,
        }))
    }

    /// Returns the arguments for an incarnation that starts in a slot.
    pub(crate) fn begin(&self, slot: usize) -> Revised<A> {
        let mut inner = self.0.lock();
        let next = inner.next.as_ref().filter(|_| inner.on_next.contains(&slot));
        let revised = next.unwrap_or(&inner.current).clone();
        inner.started.insert(slot, revised.revision);
        revised
    }

    /// Brings the next arguments, from which no slot starts yet.
    pub(crate) fn stage(&self, args: Arc<Foreign<A>>) {
        let mut inner = self.0.lock();
        inner.last += 1;
        let revision = inner.last;
        let unused = inner.next.replace(Revised { revision, args });
        inner.on_next.clear();
        drop(inner);
        drop(unused);
    }
}

/// The revisions of a pool, without the type of its arguments.
pub(crate) trait RevisionControl: Send + Sync {
    /// Returns the [`Revisions`], as any value.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// Sets the arguments from which a slot starts. Returns their revision.
    fn assign(&self, slot: usize, version: Version) -> u64;

    /// Returns the revision of the last incarnation of a slot.
    fn started(&self, slot: usize) -> Option<u64>;

    /// Makes every slot start from the next arguments, or from the current ones again. Returns
    /// their revision. The other arguments are dropped.
    fn end_rollout(&self, version: Version) -> u64;
}

impl<A: Send + Sync + 'static> RevisionControl for Revisions<A> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn assign(&self, slot: usize, version: Version) -> u64 {
        let inner = &mut *self.0.lock();
        match &inner.next {
            Some(next) if version == Version::New => {
                inner.on_next.insert(slot);
                next.revision
            }
            _ => {
                inner.on_next.remove(&slot);
                inner.current.revision
            }
        }
    }

    fn started(&self, slot: usize) -> Option<u64> {
        self.0.lock().started.get(&slot).copied()
    }

    fn end_rollout(&self, version: Version) -> u64 {
        let mut inner = self.0.lock();
        inner.on_next.clear();
        let mut unused = inner.next.take();
        if let Some(next) = unused.as_mut().filter(|_| version == Version::New) {
            mem::swap(next, &mut inner.current);
        }
        let revision = inner.current.revision;
        drop(inner);
        drop(unused);
        revision
    }
}
