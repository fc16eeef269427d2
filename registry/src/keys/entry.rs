//! The public types of keys: their entries, changes and registration errors.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use perennial_actors::host::{Carried, CarriesValue, Guarded};
use perennial_actors::{Address, Pid};

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

impl<M: Send + 'static, V> KeyEntry<M, V> {
    /// Returns the entry with its value under a guard.
    pub(super) fn guarded(self) -> KeyEntry<M, Guarded<V>> {
        let Self { pid, address, value } = self;
        KeyEntry { pid, address, value: Guarded::new(value) }
    }

    /// Returns `true` if the incarnation runs. Between its end and the hook that removes its
    /// entries, they are still in the table.
    pub(super) fn is_owned(&self) -> bool {
        self.address.pid() == Some(self.pid)
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

/// The reason for which a key was not registered. It holds the value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RegisterError<V> {
    /// A running incarnation has the key. It may be the calling one.
    AlreadyRegistered {
        /// The incarnation.
        pid: Pid,
        /// The value.
        value: V,
    },
    /// The calling incarnation has ended: its mailbox was taken away from it.
    Ended(V),
}

impl<V> fmt::Display for RegisterError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { pid, .. } => write!(f, "the key is already registered by {pid}"),
            Self::Ended(_) => f.write_str("the incarnation has ended"),
        }
    }
}

impl<V: fmt::Debug + 'static> Error for RegisterError<V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<V: fmt::Debug + 'static> CarriesValue for RegisterError<V> {
    type Bare = RegisterError<()>;

    fn into_bare(self) -> RegisterError<()> {
        match self {
            Self::AlreadyRegistered { pid, .. } => RegisterError::AlreadyRegistered { pid, value: () },
            Self::Ended(_) => RegisterError::Ended(()),
        }
    }
}
