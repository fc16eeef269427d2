//! Keys that one incarnation has at a time.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::host::Guarded;
use perennial_actors::{Actor, Address, Context, Pid, Subscription};

use super::entry::{KeyChange, KeyEntry, RegisterError};
use super::key_table::KeyTable;

/// Keys of which each belongs to one incarnation at most. Clones are the same.
///
/// An incarnation that ends has no key any more before anybody hears of it; one that is ending has none as soon as it does not live, so that a
/// successor never meets a key that is taken by a dead one.
pub struct UniqueKeys<K, M: Send + 'static, V = ()>(pub(crate) Arc<KeyTable<K, M, V>>);

impl<K, M, V> UniqueKeys<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// No keys yet.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"let keys = Keys::new();
assert!(keys.is_empty());")]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a key for this incarnation, until it ends.
    ///
    /// # Errors
    ///
    /// If an incarnation that lives has it, this one included. The value comes back.
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

    /// Gives up a key of this incarnation; the value. Nothing happens to a key of another.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.unregister(ctx, &7), Some(1));", r"# drop(session);")]
    pub fn unregister<A: Actor<Msg = M>>(&self, ctx: &Context<A>, key: &K) -> Option<V> {
        self.0.unregister(ctx.pid(), key, |_| true).pop()
    }

    /// Changes the value of a key of this incarnation; the old one. The new value is made of the old one, under no lock.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.update(ctx, &7, |old| old + 1), Some(1));", r"# assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(2));")]
    pub fn update<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: &K,
        change: impl FnOnce(&V) -> V,
    ) -> Option<V> {
        // Whichever of the user's pieces panics, the others are dropped under guards.
        let change = Guarded::new(change);
        let entry = Guarded::new(self.lookup(key)?);
        if entry.pid != ctx.pid() {
            return None;
        }
        let change = change.into_inner()?;
        self.0.update(entry.pid, key, change(&entry.value))
    }

    /// Who has a key, and what it says of it.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(1));")]
    #[must_use]
    pub fn lookup(&self, key: &K) -> Option<KeyEntry<M, V>> {
        self.0.lookup_one(key)
    }

    /// The address of who has a key.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.whereis(&7), Some(session));")]
    #[must_use]
    pub fn whereis(&self, key: &K) -> Option<Address<M>> {
        Some(self.lookup(key)?.address)
    }

    /// The keys of an incarnation.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r#"let pid = session.pid().ok_or("it has ended")?;
assert_eq!(keys.keys_of(pid), [7]);"#)]
    #[must_use]
    pub fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.0.keys_of(pid)
    }

    /// How many keys there are, those of an owner that is just ending included.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.len(), 1);")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert!(!keys.is_empty());")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is picked of all keys and their entries, in no order. What is registered or given up meanwhile may be in it or not.
    #[doc = keys_example!("UniqueKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.select(|key, entry| Some((key, entry.value))), [(7, 1)]);")]
    pub fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        self.0.select(pick)
    }

    /// What is registered and given up from now on; see [`KeyChange`] for the order.
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
