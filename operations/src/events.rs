//! The stream of the events of a system.

use std::fmt;
use std::pin::pin;

use crate::event::Event;
use crate::journal::{Journal, Next};
use crate::operations::Operations;

/// What a reader of the events receives.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// The next event.
    Event(Event),
    /// This number of events is not there any more, because the reader was too slow, or they were
    /// lost before they were recorded. The [`Model`](crate::Model) of the reader may be wrong now:
    /// it needs a new [`Snapshot`](crate::Snapshot).
    Missed(u64),
}

/// The events of a system, in the order of their numbers.
///
/// It is bounded: it reads from the ring of the last events of its [`Operations`]. A slow reader
/// slows nothing down. [`last`](Self::last) is the number from which another reader can go on.
pub struct Events {
    operations: Operations,
    last: u64,
}

impl Operations {
    /// Returns the events from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// let operations = Operations::of(&System::new());
    /// assert!(operations.events().try_next().is_none());
    /// ```
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared().take_events();
        let last = self.shared().read(Journal::last);
        Events { operations: self.clone(), last }
    }

    /// Returns the events after the one with this number: that of a snapshot, or the last one that
    /// a client has received. This is `Last-Event-ID` of server-sent events.
    ///
    /// If the number is greater than that of any event, it is one of another process. All events
    /// that there were count as [missed](Update::Missed) then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// let operations = Operations::of(&System::new());
    /// let snapshot = operations.snapshot();
    /// assert!(operations.events_after(snapshot.sequence).try_next().is_none());
    /// ```
    #[must_use]
    pub fn events_after(&self, sequence: u64) -> Events {
        self.shared().take_events();
        let last = self.shared().read(Journal::last);
        Events { operations: self.clone(), last: if sequence > last { 0 } else { sequence } }
    }

    /// Returns the events that are still there, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Event> {
        self.shared().take_events();
        let entries = self.shared().read(Journal::all);
        entries.iter().map(|entry| entry.complete()).collect()
    }
}

impl Events {
    /// Waits for the next event, or for the news that some were missed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Update {
        let operations = self.operations.clone();
        loop {
            let mut changed = pin!(operations.shared().changed());
            // Registered before the check, so that no event is missed in between.
            changed.as_mut().enable();
            if let Some(update) = self.try_next() {
                return update;
            }
            changed.await;
        }
    }

    /// Returns the next event if there is one already.
    pub fn try_next(&mut self) -> Option<Update> {
        let next = |events: &Self| events.operations.shared().read(|journal| journal.after(events.last));
        let mut found = next(self);
        if let Next::Nothing = found {
            self.operations.shared().take_events();
            found = next(self);
        }
        match found {
            Next::Nothing => None,
            Next::Missed(missed) => {
                self.last += missed;
                Some(Update::Missed(missed))
            }
            Next::Entry(entry) => {
                self.last = entry.event.sequence;
                Some(Update::Event(entry.complete()))
            }
        }
    }

    /// Returns the number of the last event that was received or missed.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("last", &self.last).finish_non_exhaustive()
    }
}
