//! The tasks that wait for names.

use std::mem;
use std::task::Waker;

use perennial_actors::host::{SeqMap, ignore_panic};

use crate::name_key::NameKey;
use crate::sync::IdGen;
use crate::table::{Retain, Table};

/// The tasks that wait for names. A binding wakes those that wait for its name and no others.
#[derive(Default)]
pub(crate) struct Waiters {
    wakers: Table<NameKey, SeqMap<Waker>>,
    /// Of wakers, handed out while the entry of their name is locked.
    numbers: IdGen,
}

impl Waiters {
    /// Returns `true` if no task waits.
    #[cfg(test)]
    pub(crate) fn are_none(&self) -> bool {
        self.wakers.len() == 0
    }

    /// Wakes the tasks that wait for a name. No lock may be held: a waker is foreign code.
    pub(crate) fn wake(&self, name: &str) {
        let wakers = self.wakers.remove_if(name.as_bytes(), |_| true);
        for (_, waker) in wakers.into_iter().flat_map(SeqMap::into_values) {
            ignore_panic(|| waker.wake());
        }
    }
}

/// The place of one task among those that wait for a name. It is given up when it is dropped.
pub(crate) struct Waiting<'a> {
    waiters: &'a Waiters,
    name: &'a str,
    /// The number of its waker, if one is registered.
    number: u64,
}

impl<'a> Waiting<'a> {
    pub(crate) const fn new(waiters: &'a Waiters, name: &'a str) -> Self {
        Self { waiters, name, number: 0 }
    }

    /// Registers the waker of the task, in place of the one before.
    pub(crate) fn register(&mut self, waker: Waker) {
        let name = NameKey::from(self.name);
        let replaced = self.waiters.wakers.update_or_insert_with(name, SeqMap::default, |wakers| {
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

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let unregistered = self.waiters.wakers.update(self.name.as_bytes(), |wakers| {
            let waker = wakers.remove(self.number);
            (if wakers.is_empty() { Retain::Remove } else { Retain::Keep }, waker)
        });
        ignore_panic(|| drop(unregistered));
    }
}
