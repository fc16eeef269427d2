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
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a key for this incarnation, once more if it has it already, until it ends.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Ended`] if its mailbox was taken away from it. The value comes back.
    pub fn register<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: K,
        value: V,
    ) -> Result<(), RegisterError<V>> {
        self.0.register(ctx, key, value, false)
    }

    /// Gives up all entries of a key that this incarnation has; the values.
    pub fn unregister<A: Actor<Msg = M>>(&self, ctx: &Context<A>, key: &K) -> Vec<V> {
        self.0.unregister(ctx.pid(), key, |_| true)
    }

    /// Gives up the entries of a key that this incarnation has with such values; the values.
    pub fn unregister_match<A: Actor<Msg = M>>(
        &self,
        ctx: &Context<A>,
        key: &K,
        matches: impl Fn(&V) -> bool,
    ) -> Vec<V> {
        self.0.unregister(ctx.pid(), key, matches)
    }

    /// Who has a key, and what they say of it, in the order in which they registered it.
    #[must_use]
    pub fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        self.0.lookup(key)
    }

    /// Runs code with all entries of a key, unless there are none. Tells whether it did.
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
    pub fn count_match(&self, key: &K, matches: impl Fn(&V) -> bool) -> usize {
        let matches = Guarded::new(matches);
        Each::new(self.lookup(key)).iter().filter(|entry| matches(&entry.value)).count()
    }

    /// The keys of an incarnation, each as often as it has it.
    #[must_use]
    pub fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.0.keys_of(pid)
    }

    /// How many keys there are, however many have each, and those of an owner that is just ending included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is picked of all keys and their entries, in no order. What is registered or given up meanwhile may be in it or not.
    pub fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        self.0.select(pick)
    }

    /// What is registered and given up from now on; see [`KeyChange`] for the order.
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
