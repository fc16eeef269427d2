//! Copies of dead letters, which an actor keeps so that they can be sent again.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::shared::Process;
use crate::foreign::{Foreign, catch, dispose_each, drop_each};
use crate::mailbox::AnyLetters;
use crate::sync::Mutex;

/// Returns a copy of a message, or `None` for a message that is not kept.
type CopyMessage<M> = Box<dyn Fn(&M) -> Option<M> + Send + Sync>;

/// Which letters are kept, and how many.
struct Rule<M: Send + 'static> {
    capacity: NonZeroUsize,
    copy: Foreign<CopyMessage<M>>,
}

/// The last dead letters of one actor, by number: a limited number of them.
///
/// There is one for the life of an identity, so no number is issued twice. Messages are copied and
/// dropped under no lock.
pub(crate) struct KeptLetters<M: Send + 'static>(Mutex<Letters<M>>);

struct Letters<M: Send + 'static> {
    rule: Option<Arc<Rule<M>>>,
    /// The number of the last dead letter, kept or not.
    last: u64,
    kept: BTreeMap<u64, M>,
}

impl<M: Send + 'static> KeptLetters<M> {
    fn new() -> Self {
        Self(Mutex::new(Letters { rule: None, last: 0, kept: BTreeMap::new() }))
    }

    /// Keeps letters by a rule from now on. Those that were kept before are dropped.
    fn keep_by(&self, rule: Rule<M>) {
        let mut letters = self.0.lock();
        let before = letters.rule.replace(Arc::new(rule));
        let dropped = std::mem::take(&mut letters.kept);
        drop(letters);
        drop(before);
        drop_each(dropped.into_values());
    }

    /// Issues the numbers of so many letters. Returns the first.
    pub(super) fn issue(&self, count: u64) -> u64 {
        let mut letters = self.0.lock();
        let first = letters.last + 1;
        letters.last += count;
        first
    }

    /// Keeps copies of the last messages, under the numbers from `first` on. No more are made than
    /// are kept.
    pub(super) fn keep_each(&self, first: u64, messages: &[M]) {
        let Some(rule) = self.0.lock().rule.clone() else { return };
        let last_first = (first..first + messages.len() as u64).rev().zip(messages.iter().rev());
        let copy = |(number, message)| catch(|| (rule.copy)(message)).ok()?.map(|copy| (number, copy));
        let copies: Vec<_> = last_first.filter_map(copy).take(rule.capacity.get()).collect();
        let mut letters = self.0.lock();
        let mut removed: Vec<M> =
            copies.into_iter().filter_map(|(number, copy)| letters.kept.insert(number, copy)).collect();
        while letters.kept.len() > rule.capacity.get() {
            removed.extend(letters.kept.pop_first().map(|(_, oldest)| oldest));
        }
        drop(letters);
        drop_each(removed);
    }

    /// Takes a message out.
    pub(crate) fn take(&self, number: u64) -> Option<M> {
        self.0.lock().kept.remove(&number)
    }

    /// Keeps a message that was taken out. It does not go at once if there are too many by now.
    pub(crate) fn put_back(&self, number: u64, message: M) {
        let replaced = self.0.lock().kept.insert(number, message);
        drop_each(replaced);
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        self.0.lock().kept.contains_key(&number)
    }
}

impl<M: Send + 'static> Drop for KeptLetters<M> {
    fn drop(&mut self) {
        let kept = std::mem::take(&mut self.0.lock().kept);
        dispose_each(kept.into_values().collect());
    }
}

impl<M: Send + 'static> Process<M> {
    /// Keeps up to `capacity` dead letters from now on.
    pub(crate) fn keep_letters(&self, capacity: NonZeroUsize, copy: CopyMessage<M>) {
        let kept = self.queue.kept_letters_or(|| Arc::new(KeptLetters::<M>::new()));
        if let Some(kept) = Self::typed(Some(kept)) {
            kept.keep_by(Rule { capacity, copy: Foreign::new(copy) });
        }
    }

    /// Returns the dead letters that are kept, or `None` if none are.
    pub(crate) fn kept_letters(&self) -> Option<Arc<KeptLetters<M>>> {
        Self::typed(self.queue.kept_letters())
    }

    /// Returns what a mailbox of this process holds, with its type.
    pub(super) fn typed(kept: Option<AnyLetters>) -> Option<Arc<KeptLetters<M>>> {
        kept?.downcast().ok()
    }
}
