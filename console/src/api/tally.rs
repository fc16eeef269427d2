//! What is counted of the events, beside what a snapshot shows.

use std::collections::BTreeMap;

use perennial_operations::{DeadLetterKind, Event, EventKind, Events, Operations, Update};

/// The most deadlocks that are shown.
const DEADLOCKS: usize = 20;

/// The counts of the events that were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    last: u64,
    pub(crate) crashes: u64,
    pub(crate) dead_letters: BTreeMap<String, u64>,
    /// The last deadlocks, the oldest first.
    pub(crate) deadlocks: Vec<Event>,
    /// The events that were lost before they were counted.
    pub(crate) missed: u64,
}

impl Tally {
    /// Returns the counts of the events that are there.
    pub(crate) fn of(operations: &Operations) -> Self {
        let mut tally = Self::default();
        tally.take(operations.events_after(0));
        tally
    }

    /// Counts the events since the last call. Returns the counts.
    pub(crate) fn read(&mut self, operations: &Operations) -> Self {
        self.take(operations.events_after(self.last));
        self.clone()
    }

    fn take(&mut self, mut events: Events) {
        while let Some(update) = events.try_next() {
            match update {
                Update::Event(event) => self.count(event),
                Update::Missed(missed) => self.missed += missed,
                _ => {}
            }
        }
        self.last = events.last();
    }

    fn count(&mut self, event: Event) {
        self.crashes += u64::from(event.kind.is_crash());
        match &event.kind {
            EventKind::DeadLetter(letter) => {
                *self.dead_letters.entry(kind_name(letter.kind).to_owned()).or_default() += 1;
            }
            EventKind::Deadlock { .. } => {
                self.deadlocks.push(event);
                if self.deadlocks.len() > DEADLOCKS {
                    self.deadlocks.remove(0);
                }
            }
            _ => {}
        }
    }
}

/// Returns the name of a kind of dead letters, as it is written in JSON.
pub(crate) const fn kind_name(kind: DeadLetterKind) -> &'static str {
    match kind {
        DeadLetterKind::InFlight => "in_flight",
        DeadLetterKind::Unhandled => "unhandled",
        DeadLetterKind::Overflow => "overflow",
        _ => "other",
    }
}
