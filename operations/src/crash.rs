//! The report of one crash: its reason, what preceded it, and what it led to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::operations::Operations;

/// The number of events of the actor that a report has.
const LAST_EVENTS: usize = 20;

/// The report of one crash. OTP's crash report, with the causal chain through the tree.
///
/// It is made of the events that are still there: what was evicted from the ring is missing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CrashReport {
    /// The end of the incarnation. Its reason has the texts of the error and of its sources, and
    /// the place of a panic.
    pub crash: Event,
    /// The last events of the actor before the crash, at most 20, the oldest first.
    pub last_events: Vec<Event>,
    /// What led to the crash, the first cause first. Empty for a crash that nothing else caused.
    pub causes: Vec<Event>,
    /// What the crash led to: reports, restarts, escalations and the ends of other actors, in the
    /// order in which they happened.
    pub effects: Vec<Event>,
}

impl CrashReport {
    /// Returns the report of the end of an incarnation with this number, from events in their
    /// order. Returns `None` if there is no such end among them.
    #[must_use]
    pub fn of(sequence: u64, events: &[Event]) -> Option<Self> {
        let find = |sequence: u64| {
            let at = events.binary_search_by_key(&sequence, |event| event.sequence).ok()?;
            events.get(at)
        };
        let crash = find(sequence).filter(|event| event.kind.reason().is_some())?;
        let identity = crash.kind.identity();
        let before = events.iter().take_while(|event| event.sequence < sequence);
        let own: Vec<&Event> = before.filter(|event| event.kind.identity() == identity).collect();
        let last_events =
            own.iter().skip(own.len().saturating_sub(LAST_EVENTS)).map(|event| (*event).clone());
        let mut causes = Vec::new();
        let mut next = crash.cause;
        // A cause is older than its effect, so this ends.
        while let Some(cause) = next.and_then(find) {
            next = cause.cause.filter(|earlier| *earlier < cause.sequence);
            causes.push(cause.clone());
        }
        causes.reverse();
        let mut known = BTreeSet::from([sequence]);
        let mut effects = Vec::new();
        for event in events.iter().skip_while(|event| event.sequence <= sequence) {
            if event.cause.is_some_and(|cause| known.contains(&cause)) {
                known.insert(event.sequence);
                effects.push(event.clone());
            }
        }
        Some(Self { crash: crash.clone(), last_events: last_events.collect(), causes, effects })
    }
}

impl Operations {
    /// Returns the report of the crash with this number, if its event is still there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// assert!(Operations::of(&System::new()).crash_report(7).is_none());
    /// ```
    #[must_use]
    pub fn crash_report(&self, sequence: u64) -> Option<CrashReport> {
        CrashReport::of(sequence, &self.history())
    }

    /// Returns the crashes whose events are still there, the oldest first.
    #[must_use]
    pub fn crashes(&self) -> Vec<Event> {
        let mut events = self.history();
        events.retain(|event| event.kind.is_crash());
        events
    }
}
