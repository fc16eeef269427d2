//! Copies of dead letters, which an actor keeps so that they can be sent again.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::shared::Process;
use crate::foreign::{Foreign, catch, dispose_each, drop_each};
use crate::sync::Mutex;

/// Returns a copy of a message, or `None` for a message that is not kept.
type CopyMessage<M> = Box<dyn Fn(&M) -> Option<M> + Send + Sync>;

/// The last dead letters of one actor, by number: a limited number of them.
///
/// Messages are copied and dropped under no lock.
pub(crate) struct KeptLetters<M: Send + 'static> {
    capacity: NonZeroUsize,
    copy: Foreign<CopyMessage<M>>,
    letters: Mutex<Letters<M>>,
}

struct Letters<M> {
    /// The number of the last dead letter, kept or not.
    last: u64,
    kept: BTreeMap<u64, M>,
}

impl<M: Send + 'static> KeptLetters<M> {
    pub(crate) fn new(capacity: NonZeroUsize, copy: CopyMessage<M>) -> Self {
        let letters = Mutex::new(Letters { last: 0, kept: BTreeMap::new() });
        Self { capacity, copy: Foreign::new(copy), letters }
    }

    /// Issues the numbers of so many letters. Returns the first.
    pub(super) fn issue(&self, letters: u64) -> u64 {
        let mut known = self.letters.lock();
        let first = known.last + 1;
        known.last += letters;
        first
    }

    /// Keeps copies of messages, under the numbers from `first` on.
    pub(super) fn keep_each(&self, first: u64, messages: &[M]) {
        for (number, message) in (first..).zip(messages) {
            if let Ok(Some(copy)) = catch(|| (self.copy)(message)) {
                self.insert(number, copy);
            }
        }
    }

    /// Keeps a message. Drops the oldest ones beyond the capacity.
    pub(crate) fn insert(&self, number: u64, message: M) {
        let mut letters = self.letters.lock();
        let mut removed = Vec::from_iter(letters.kept.insert(number, message));
        while letters.kept.len() > self.capacity.get() {
            removed.extend(letters.kept.pop_first().map(|(_, oldest)| oldest));
        }
        drop(letters);
        drop_each(removed);
    }

    /// Takes a message out.
    pub(crate) fn take(&self, number: u64) -> Option<M> {
        self.letters.lock().kept.remove(&number)
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        self.letters.lock().kept.contains_key(&number)
    }
}

impl<M: Send + 'static> Drop for KeptLetters<M> {
    fn drop(&mut self) {
        let kept = std::mem::take(&mut self.letters.lock().kept);
        dispose_each(kept.into_values().collect());
    }
}

impl<M: Send + 'static> Process<M> {
    /// Keeps dead letters from now on. Those that were kept before are dropped.
    pub(crate) fn keep_letters(&self, kept: KeptLetters<M>) {
        if let Some(before) = self.kept_letters() {
            // A number is never issued twice.
            kept.issue(before.issue(0) - 1);
        }
        drop(self.queue.set_kept_letters(Arc::new(kept)));
    }

    /// Returns the dead letters that are kept, or `None` if none are.
    pub(crate) fn kept_letters(&self) -> Option<Arc<KeptLetters<M>>> {
        self.queue.kept_letters()?.downcast().ok()
    }
}
