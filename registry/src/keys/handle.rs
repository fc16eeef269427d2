//! Tables of keys that belong to one incarnation at a time, or to any number of them.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::host::{Each, Guarded};
use perennial_actors::{Actor, Address, Context, Pid, Subscription};

use super::entry::{KeyChange, KeyEntry};
use super::key_table::KeyTable;
use crate::error::RegisterError;

/// A table of keys, registered by incarnations. Its clones refer to the same table.
///
/// The policy `P` says how many incarnations can have a key: one ([`Unique`]), or any number
/// ([`Duplicate`]).
///
/// The keys of an incarnation are removed when it ends, before any link or monitor is notified.
/// From the moment an incarnation does not run, lookups skip its keys and another incarnation can
/// register them. A successor is therefore never refused a key because of an ended incarnation.
pub struct Keys<K, M: Send + 'static, V = (), P = Unique>(
    pub(crate) Arc<KeyTable<K, M, V>>,
    PhantomData<fn() -> P>,
);

/// The policy of [`Keys`] that are each registered by at most one incarnation.
#[derive(Debug)]
pub enum Unique {}

/// The policy of [`Keys`] that are each registered by any number of incarnations, also several
/// times by one of them.
#[derive(Debug)]
pub enum Duplicate {}

/// A policy of [`Keys`].
trait KeyPolicy {
    /// `true` if at most one incarnation registers each key.
    const IS_UNIQUE: bool;
}

impl KeyPolicy for Unique {
    const IS_UNIQUE: bool = true;
}

impl KeyPolicy for Duplicate {
    const IS_UNIQUE: bool = false;
}

/// A table of keys, each registered by at most one incarnation.
pub type UniqueKeys<K, M, V = ()> = Keys<K, M, V, Unique>;

/// A table of keys, each registered by any number of incarnations.
pub type DuplicateKeys<K, M, V = ()> = Keys<K, M, V, Duplicate>;

impl<K, M, V> Keys<K, M, V, Unique>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
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
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(1));"
    )]
    #[must_use]
    pub fn lookup(&self, key: &K) -> Option<KeyEntry<M, V>> {
        self.0.lookup_one(key)
    }

    /// Returns the address of the owner of a key.
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert_eq!(keys.whereis(&7), Some(session));"
    )]
    #[must_use]
    pub fn whereis(&self, key: &K) -> Option<Address<M>> {
        Some(self.lookup(key)?.address)
    }
}

impl<K, M, V> Keys<K, M, V, Duplicate>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// Unregisters all entries of a key that the calling incarnation has. Returns their values.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.unregister(ctx, &7), [1]);", r"# drop(session);")]
    pub fn unregister<A: Actor<Msg = M>>(&self, ctx: &Context<A>, key: &K) -> Vec<V> {
        self.0.unregister(ctx.pid(), key, |_| true)
    }

    /// Unregisters the entries of a key that the calling incarnation has and whose values match.
    /// Returns their values.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.unregister_match(ctx, &7, |value| *value == 1), [1]);", r"# drop(session);")]
    pub fn unregister_match<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: &K,
        matches: impl Fn(&V) -> bool,
    ) -> Vec<V> {
        self.0.unregister(ctx.pid(), key, matches)
    }

    /// Returns the owners of a key and their values, in the order in which they registered it.
    #[doc = keys_example!(
        "DuplicateKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert_eq!(keys.lookup(&7).len(), 1);"
    )]
    #[must_use]
    pub fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        self.0.lookup(key)
    }

    /// Calls `run` with all entries of a key, unless there are none. Returns `true` if it was
    /// called.
    #[doc = keys_example!(
        "DuplicateKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert!(keys.dispatch(&7, |entries| assert_eq!(entries.len(), 1)));"
    )]
    pub fn dispatch(&self, key: &K, run: impl FnOnce(Vec<KeyEntry<M, V>>)) -> bool {
        let run = Guarded::new(run);
        let entries = self.lookup(key);
        let any = !entries.is_empty();
        if let Some(run) = run.into_inner().filter(|_| any) {
            run(entries);
        }
        any
    }

    /// Returns the number of a key's entries whose values match.
    #[doc = keys_example!(
        "DuplicateKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert_eq!(keys.count_match(&7, |value| *value > 0), 1);"
    )]
    pub fn count_match(&self, key: &K, matches: impl Fn(&V) -> bool) -> usize {
        let matches = Guarded::new(matches);
        Each::new(self.lookup(key)).iter().filter(|entry| matches(&entry.value)).count()
    }
}

#[expect(private_bounds, reason = "there are two policies")]
impl<K, M, V, P: KeyPolicy> Keys<K, M, V, P>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// Registers a key for the calling incarnation until it ends. If keys are not unique and the
    /// incarnation has the key already, this adds another entry.
    ///
    /// # Errors
    ///
    /// [`AlreadyRegistered`](RegisterError::AlreadyRegistered) if keys are unique and a running
    /// incarnation has the key, the calling one included. [`Ended`](RegisterError::Ended) if the
    /// calling incarnation's mailbox was taken away from it. The error holds the value.
    #[doc = keys_example!("UniqueKeys", r"// In the init of an actor:
keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).map(|entry| entry.value), Some(1));")]
    pub fn register<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: K,
        value: V,
    ) -> Result<(), RegisterError<V>> {
        self.0.register_entry(key, KeyEntry::of(ctx, value), P::IS_UNIQUE)
    }
}

impl<K, M, V, P> Keys<K, M, V, P>
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

    /// Returns the keys of an incarnation, each once per entry.
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r#"let pid = session.pid().ok_or("it has ended")?;
assert_eq!(keys.keys_of(pid), [7]);"#
    )]
    #[must_use]
    pub fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.0.keys_of(pid)
    }

    /// Returns the number of keys, each counted once. It includes the keys of an incarnation that
    /// is ending at this moment.
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert_eq!(keys.len(), 1);"
    )]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if the table has no keys.
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert!(!keys.is_empty());"
    )]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the values that `pick` makes of all keys and their entries, in no order. Entries
    /// that are registered or unregistered during the call may be included or not.
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"assert_eq!(keys.select(|key, entry| Some((key, entry.value))), [(7, 1)]);"
    )]
    pub fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        self.0.select(pick)
    }

    /// Subscribes to the registrations and removals that are made from now on; see [`KeyChange`]
    /// for the order.
    #[doc = keys_example!(
        "UniqueKeys",
        r"# keys.register(ctx, 7, 1)?;",
        r"let mut changes = keys.subscribe();
# session.kill()?;
assert!(matches!(changes.next().await, Some(KeyChange::Unregistered { .. })));"
    )]
    #[must_use]
    pub fn subscribe(&self) -> Subscription<KeyChange<K>> {
        self.0.changes.subscribe()
    }
}

impl<K, M: Send + 'static, V, P> Default for Keys<K, M, V, P> {
    fn default() -> Self {
        Self(Arc::default(), PhantomData)
    }
}

impl<K, M: Send + 'static, V, P> Clone for Keys<K, M, V, P> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K, M: Send + 'static, V, P> fmt::Debug for Keys<K, M, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
