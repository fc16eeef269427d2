//! Keys that any number of incarnations have at a time.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::host::{Each, Guarded};
use perennial_actors::{Actor, Context, Pid, Subscription};

use super::entry::{KeyChange, KeyEntry, RegisterError};
use super::key_table::KeyTable;

/// Keys of which each belongs to any number of incarnations, to one of them also several times. Clones are the same.
pub struct DuplicateKeys<K, M: Send + 'static, V = ()>(pub(crate) Arc<KeyTable<K, M, V>>);

impl<K, M, V> DuplicateKeys<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + fmt::Debug + Send + Sync + 'static,
{
    /// No keys yet.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"let keys = Keys::new();
assert!(keys.is_empty());")]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a key for this incarnation, once more if it has it already, until it ends.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Ended`] if its mailbox was taken away from it. The value comes back.
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

    /// Gives up all entries of a key that this incarnation has; the values.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;
// In an actor:
assert_eq!(keys.unregister(ctx, &7), [1]);", r"# drop(session);")]
    pub fn unregister<A: Actor<Msg = M>>(&self, ctx: &Context<A>, key: &K) -> Vec<V> {
        self.0.unregister(ctx.pid(), key, |_| true)
    }

    /// Gives up the entries of a key that this incarnation has with such values; the values.
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

    /// Who has a key, and what they say of it, in the order in which they registered it.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.lookup(&7).len(), 1);")]
    #[must_use]
    pub fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        self.0.lookup(key)
    }

    /// Runs code with all entries of a key, unless there are none. Tells whether it did.
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

    /// How many entries a key has with such values.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.count_match(&7, |value| *value > 0), 1);")]
    pub fn count_match(&self, key: &K, matches: impl Fn(&V) -> bool) -> usize {
        let matches = Guarded::new(matches);
        Each::new(self.lookup(key)).iter().filter(|entry| matches(&entry.value)).count()
    }

    /// The keys of an incarnation, each as often as it has it.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r#"let pid = session.pid().ok_or("it has ended")?;
assert_eq!(keys.keys_of(pid), [7]);"#)]
    #[must_use]
    pub fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.0.keys_of(pid)
    }

    /// How many keys there are, however many have each, and those of an owner that is just ending included.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.len(), 1);")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert!(!keys.is_empty());")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is picked of all keys and their entries, in no order. What is registered or given up meanwhile may be in it or not.
    #[doc = keys_example!("DuplicateKeys", r"# keys.register(ctx, 7, 1)?;", r"assert_eq!(keys.select(|key, entry| Some((key, entry.value))), [(7, 1)]);")]
    pub fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        self.0.select(pick)
    }

    /// What is registered and given up from now on; see [`KeyChange`] for the order.
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
