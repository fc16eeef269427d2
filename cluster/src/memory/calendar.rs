//! What will happen in a network, in order of time.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Events with their times. Those of one time are in the order in which they were added.
#[derive(Debug)]
pub(super) struct Calendar<E> {
    events: BTreeMap<(Instant, u64), E>,
    added: u64,
}

impl<E> Calendar<E> {
    pub(super) const fn new() -> Self {
        Self { events: BTreeMap::new(), added: 0 }
    }

    pub(super) fn add(&mut self, at: Instant, event: E) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// Returns the time of the next event.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next event, if its time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<E> {
        let next = self.events.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(next.remove())
    }
}
