//! Following a set that changes: each item comes and goes in turn, whatever is missed.

use std::collections::{BTreeSet, VecDeque};

use perennial_actors::Subscription;

/// An item, and whether it has come or gone.
pub(crate) type Change<T> = (T, bool);

/// The changes of a set from a moment on.
///
/// The stream of changes may have those of items that are not of the set, those that the first
/// reading has seen already, and gaps. The set is read again after a gap.
pub(crate) struct SetWatch<T> {
    changes: Subscription<Change<T>>,
    /// How many changes were missed when the set was read.
    missed: u64,
    read: Box<dyn Fn() -> Vec<T> + Send + Sync>,
    concerns: Box<dyn Fn(&T) -> bool + Send + Sync>,
    known: BTreeSet<T>,
    due: VecDeque<Change<T>>,
}

impl<T: Clone + Ord> SetWatch<T> {
    /// Begins with the set as it is. The changes were subscribed to before.
    pub(crate) fn new(
        changes: Subscription<Change<T>>,
        read: impl Fn() -> Vec<T> + Send + Sync + 'static,
        concerns: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self {
        let known = read().into_iter().collect();
        Self {
            missed: changes.missed(),
            changes,
            read: Box::new(read),
            concerns: Box::new(concerns),
            known,
            due: VecDeque::new(),
        }
    }

    /// Returns the items that have come and not gone, by the changes that were returned or are due.
    pub(crate) fn known(&self) -> impl Iterator<Item = &T> {
        self.known.iter()
    }

    /// Waits for the next change. Returns `None` once the node is dropped.
    pub(crate) async fn next(&mut self) -> Option<Change<T>> {
        loop {
            if let Some(due) = self.due.pop_front() {
                return Some(due);
            }
            let change = self.changes.next().await?;
            self.take(change);
        }
    }

    /// Returns the next change if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Change<T>> {
        loop {
            if let Some(due) = self.due.pop_front() {
                return Some(due);
            }
            let change = self.changes.try_next()?;
            self.take(change);
        }
    }

    fn take(&mut self, (item, has_come): Change<T>) {
        if self.changes.missed() != self.missed {
            self.missed = self.changes.missed();
            self.read_again();
        }
        if (self.concerns)(&item) {
            self.change(item, has_come);
        }
    }

    fn read_again(&mut self) {
        let now: BTreeSet<T> = (self.read)().into_iter().collect();
        for gone in self.known.difference(&now).cloned().collect::<Vec<_>>() {
            self.change(gone, false);
        }
        for come in now {
            self.change(come, true);
        }
    }

    fn change(&mut self, item: T, has_come: bool) {
        let is_change = if has_come { self.known.insert(item.clone()) } else { self.known.remove(&item) };
        if is_change {
            self.due.push_back((item, has_come));
        }
    }
}
