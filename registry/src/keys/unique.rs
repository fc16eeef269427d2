//! Keys that belong to one incarnation at a time.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::host::Guarded;
use perennial_actors::{Actor, Address, Context, Pid, Subscription};

use super::entry::{KeyChange, KeyEntry, RegisterError};
use super::key_table::KeyTable;

/// A table of keys, each registered by at most one incarnation. Its clones refer to the same table.
///
/// The keys of an incarnation are removed when it ends, before any link or monitor is notified.
/// From the moment an incarnation does not run, lookups skip its keys and another incarnation can
/// register them. A successor is therefore never refused a key because of an ended incarnation.
pub struct UniqueKeys<K, M: Send + 'static, V = ()>(pub(crate) Arc<KeyTable<K, M, V>>);

impl<K, M, V> UniqueKeys<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// Creates an empty table.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"let keys = Keys::new();
assert!(keys.is_empty());")]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a key for the calling incarnation until it ends.
    ///
    /// # Errors
    ///
    /// [`AlreadyRegistered`](RegisterError::AlreadyRegistered) if a running incarnation has the
    /// key, the calling one included. [`Ended`](RegisterError::Ended) if the calling incarnation's
    /// mailbox was taken away from it. The error holds the value.
    #[doc = keys_example!("UniqueKeys", r"// In the init of an actor:
keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(1));")]
    pub fn register<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: K,
        value: V,
    ) -> Result<(), RegisterError<V>> {
        self.0.register(ctx, key, value, true)
    }

    /// Unregisters a key of the calling incarnation and returns its value. A key of another
    /// incarnation is not changed.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.unregister(ctx, &7), Some(1));", r"# drop(session);")]
    pub fn unregister<A: Actor<Msg = M>>(&self, ctx: &Context<A>, key: &K) -> Option<V> {
        self.0.unregister(ctx.pid(), key, |_| true).pop()
    }

    /// Replaces the value of a key of the calling incarnation and returns the old value. `change`
    /// makes the new value from the old one, under no lock. Returns `None` if the calling
    /// incarnation does not have the key.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.update(ctx, &7, |old| old + 1), Some(1));", r"# assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(2));")]
    pub fn update<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: &K,
        change: impl FnOnce(&V) -> V,
    ) -> Option<V> {
        // If one of the user's values panics, the others are dropped under guards.
        let change = Guarded::new(change);
        let entry = Guarded::new(self.lookup(key)?);
        if entry.pid != ctx.pid() {
            return None;
        }
        let change = change.into_inner()?;
        self.0.update(entry.pid, key, change(&entry.value))
    }

    /// Returns the owner of a key and its value.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(1));")]
    #[must_use]
    pub fn lookup(&self, key: &K) -> Option<KeyEntry<M, V>> {
        self.0.lookup_one(key)
    }

    /// Returns the address of the owner of a key.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.whereis(&7), Some(session));")]
    #[must_use]
    pub fn whereis(&self, key: &K) -> Option<Address<M>> {
        Some(self.lookup(key)?.address)
    }

    /// Returns the keys of an incarnation.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r#"let pid = session.pid().ok_or("it has ended")?;
assert_eq!(keys.keys_of(pid), [7]);"#)]
    #[must_use]
    pub fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.0.keys_of(pid)
    }

    /// Returns the number of keys. It includes the keys of an incarnation that is ending at this
    /// moment.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.len(), 1);")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if the table has no keys.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert!(!keys.is_empty());")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the values that `pick` makes of all keys and their entries, in no order. Keys that
    /// are registered or unregistered during the call may be included or not.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.select(|key, entry| Some((key, entry.value))), [(7, 1)]);")]
    pub fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        self.0.select(pick)
    }

    /// Subscribes to the registrations and removals that are made from now on; see [`KeyChange`]
    /// for the order.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"let mut changes = keys.subscribe();
# session.kill()?;
assert!(matches!(changes.next().await, Some(KeyChange::Unregistered { .. })));")]
    #[must_use]
    pub fn subscribe(&self) -> Subscription<KeyChange<K>> {
        self.0.changes.subscribe()
    }
}

impl<K: Clone + Eq + Hash, M: Send + 'static, V> Default for UniqueKeys<K, M, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, M: Send + 'static, V> Clone for UniqueKeys<K, M, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, M: Send + 'static, V> fmt::Debug for UniqueKeys<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UniqueKeys").finish_non_exhaustive()
    }
}
