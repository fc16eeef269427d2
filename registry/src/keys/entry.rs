//! What users see of a key: its entries, its changes, and why it was not registered.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use perennial_actors::host::{Carried, CarriesValue, Guarded};
use perennial_actors::{Address, Pid};

/// A key's owner, and what it says of it.
#[non_exhaustive]
pub struct KeyEntry<M: Send + 'static, V> {
    /// The incarnation that has registered the key.
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

    /// Whether the incarnation lives. Between its end and the hook that follows it, its entries are there and it does not.
    pub(super) fn is_owned(&self) -> bool {
        self.address.pid() == Some(self.pid)
    }
}

/// Something that changed among keys. Of one key, listeners are told in the order in which it did, before the call that changed it
/// returns; of an end, before any link or monitor hears of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyChange<K> {
    /// An incarnation has registered a key.
    Registered {
        /// The key, shared with the table.
        key: Arc<K>,
        /// The incarnation.
        pid: Pid,
    },
    /// An incarnation has given up a key, or has ended.
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

/// Why a key was not registered; with the value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RegisterError<V> {
    /// An incarnation has it, which may be this one.
    AlreadyRegistered {
        /// The incarnation.
        pid: Pid,
        /// The value.
        value: V,
    },
    /// This incarnation has ended: its mailbox was taken away from it.
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
