//! Keys that belong to any number of incarnations at a time.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::host::{Each, Guarded};
use perennial_actors::{Actor, Context, Pid, Subscription};

use super::entry::{KeyChange, KeyEntry, RegisterError};
use super::key_table::KeyTable;

/// A table of keys, each registered by any number of incarnations, also several times by one of
/// them. Its clones refer to the same table.
pub struct DuplicateKeys<K, M: Send + 'static, V = ()>(pub(crate) Arc<KeyTable<K, M, V>>);

impl<K, M, V> DuplicateKeys<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// Creates an empty table.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"let keys = Keys::new();
assert!(keys.is_empty());")]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a key for the calling incarnation until it ends. If the incarnation has the key
    /// already, this adds another entry.
    ///
    /// # Errors
    ///
    /// [`Ended`](RegisterError::Ended) if the calling incarnation's mailbox was taken away from it.
    /// The error holds the value.
    #[doc = keys_example!("DuplicateKeys", r"// In the init of an actor:
keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).len(), 1);")]
    pub fn register<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: K,
        value: V,
    ) -> Result<(), RegisterError<V>> {
        self.0.register(ctx, key, value, false)
    }

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
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).len(), 1);")]
    #[must_use]
    pub fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        self.0.lookup(key)
    }

    /// Calls `run` with all entries of a key, unless there are none. Returns `true` if it was
    /// called.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert!(keys.dispatch(&7, |entries| assert_eq!(entries.len(), 1)));")]
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
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.count_match(&7, |value| *value > 0), 1);")]
    pub fn count_match(&self, key: &K, matches: impl Fn(&V) -> bool) -> usize {
        let matches = Guarded::new(matches);
        Each::new(self.lookup(key)).iter().filter(|entry| matches(&entry.value)).count()
    }

    /// Returns the keys of an incarnation, each once per entry.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r#"let pid = session.pid().ok_or("it has ended")?;
assert_eq!(keys.keys_of(pid), [7]);"#)]
    #[must_use]
    pub fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.0.keys_of(pid)
    }

    /// Returns the number of keys, each counted once. It includes the keys of an incarnation that
    /// is ending at this moment.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.len(), 1);")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if the table has no keys.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert!(!keys.is_empty());")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the values that `pick` makes of all keys and their entries, in no order. Entries
    /// that are registered or unregistered during the call may be included or not.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.select(|key, entry| Some((key, entry.value))), [(7, 1)]);")]
    pub fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        self.0.select(pick)
    }

    /// Subscribes to the registrations and removals that are made from now on; see [`KeyChange`]
    /// for the order.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"let mut changes = keys.subscribe();
# session.kill()?;
assert!(matches!(changes.next().await, Some(KeyChange::Unregistered { .. })));")]
    #[must_use]
    pub fn subscribe(&self) -> Subscription<KeyChange<K>> {
        self.0.changes.subscribe()
    }
}

impl<K: Clone + Eq + Hash, M: Send + 'static, V> Default for DuplicateKeys<K, M, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, M: Send + 'static, V> Clone for DuplicateKeys<K, M, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, M: Send + 'static, V> fmt::Debug for DuplicateKeys<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplicateKeys").finish_non_exhaustive()
    }
}
