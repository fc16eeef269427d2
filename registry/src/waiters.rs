//! The tasks that wait for names.

use std::mem;
use std::task::Waker;

use perennial_actors::host::sync::IdGen;
use perennial_actors::host::{SeqMap, ignore_panic, wake_each};

use crate::name_key::NameKey;
use crate::table::Table;

/// The tasks that wait for names. A binding wakes the tasks that wait for its name and no others.
#[derive(Default)]
pub(crate) struct Waiters {
    wakers: Table<NameKey, SeqMap<Waker>>,
    /// The numbers of the wakers. One is taken while the entry of the name is locked.
    numbers: IdGen,
}

impl Waiters {
    /// Returns `true` if no task waits.
    #[cfg(test)]
    pub(crate) fn are_none(&self) -> bool {
        self.wakers.len() == 0
    }

    /// Wakes the tasks that wait for a name. The caller holds no lock: a waker is foreign code.
    pub(crate) fn wake(&self, name: &str) {
        let wakers = self.wakers.remove_if(name.as_bytes(), |_| true);
        wake_each(wakers.into_iter().flat_map(SeqMap::into_values).map(|(_, waker)| waker));
    }
}

/// The registration of one task that waits for a name. Dropping it removes the task's waker.
pub(crate) struct NameWaiter<'a> {
    waiters: &'a Waiters,
    name: &'a str,
    /// The number of the registered waker, or 0.
    number: u64,
}

impl<'a> NameWaiter<'a> {
    pub(crate) const fn new(waiters: &'a Waiters, name: &'a str) -> Self {
        Self { waiters, name, number: 0 }
    }

    /// Registers the waker of the task. It replaces the previous one.
    pub(crate) fn register(&mut self, waker: Waker) {
        let name = NameKey::from(self.name);
        let replaced = self.waiters.wakers.update_or_insert(name, |wakers: &mut SeqMap<Waker>| {
            if let Some(registered) = wakers.get_mut(self.number) {
                return Some(mem::replace(registered, waker));
            }
            self.number = self.waiters.numbers.next();
            wakers.insert(self.number, waker);
            None
        });
        ignore_panic(|| drop(replaced));
    }
}

impl Drop for NameWaiter<'_> {
    fn drop(&mut self) {
        let name = self.name.as_bytes();
        let unregistered =
            self.waiters.wakers.update_or_remove(name, |wakers| wakers.remove(self.number), SeqMap::is_empty);
        ignore_panic(|| drop(unregistered));
    }
}
