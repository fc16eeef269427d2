//! The public types of keys: their entries and changes.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{Actor, Address, Context, Pid};

/// One entry of a key: its owner and its value.
#[non_exhaustive]
pub struct KeyEntry<M: Send + 'static, V> {
    /// The incarnation that registered the key.
    pub pid: Pid,
    /// The address of the actor.
    pub address: Address<M>,
    /// The value.
    pub value: V,
}

impl<M: Send + 'static, V> KeyEntry<M, V> {
    /// Returns an entry of the calling incarnation.
    pub(super) fn of<A: Actor<Msg = M>>(ctx: &Context<A>, value: V) -> Self {
        Self { pid: ctx.pid(), address: ctx.address(), value }
    }
}

impl<M: Send + 'static, V: Clone> Clone for KeyEntry<M, V> {
    fn clone(&self) -> Self {
        Self { pid: self.pid, address: self.address.clone(), value: self.value.clone() }
    }
}

impl<M: Send + 'static, V: fmt::Debug> fmt::Debug for KeyEntry<M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEntry").field("pid", &self.pid).field("value", &self.value).finish_non_exhaustive()
    }
}

/// A change of a key's entries.
///
/// # Ordering
///
/// Subscribers receive the changes of one key in the order in which they happened, before the call
/// that made the change returns. The changes of an incarnation's end are delivered before any link
/// or monitor is notified.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyChange<K> {
    /// An incarnation registered a key.
    Registered {
        /// The key, shared with the table.
        key: Arc<K>,
        /// The incarnation.
        pid: Pid,
    },
    /// An incarnation unregistered a key, or ended.
    Unregistered {
        /// The key, shared with the table.
        key: Arc<K>,
        /// The incarnation.
        pid: Pid,
    },
}

impl<K> Clone for KeyChange<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Registered { key, pid } => Self::Registered { key: key.clone(), pid: *pid },
            Self::Unregistered { key, pid } => Self::Unregistered { key: key.clone(), pid: *pid },
        }
    }
}
