//! Which slots of a schedule are due: a pure function.

use std::time::Duration;

use super::schedule::{Missed, Schedule};
use crate::record::Timestamp;

/// A slot that was due for longer is missed.
const MISSED_AFTER: Duration = Duration::from_secs(60);

/// What is to be done now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Due {
    /// The slots whose jobs are submitted, in order.
    pub(super) slots: Vec<Timestamp>,
    /// The last slot that is done with, once they are submitted.
    pub(super) position: Timestamp,
    /// When the next slot is due, or is looked for if there are more now.
    pub(super) next: Option<Timestamp>,
}

/// Returns the slots that are due at a time, given the last slot that is done with, and at most
/// `max` of them.
pub(super) fn due(schedule: &Schedule, position: Timestamp, now: Timestamp, max: usize) -> Due {
    let missed_until = now.saturating_sub(MISSED_AFTER);
    let from = match schedule.missed {
        Missed::All => position,
        Missed::Skip | Missed::Once => position.max(missed_until),
    };
    let mut slots = Vec::new();
    if schedule.missed == Missed::Once && position < missed_until {
        slots.extend(schedule.latest_at(missed_until).filter(|slot| *slot > position));
    }
    let mut next = schedule.next_after(from);
    while let Some(slot) = next.filter(|slot| *slot <= now && slots.len() < max) {
        slots.push(slot);
        next = schedule.next_after(slot);
    }
    let position = slots.last().copied().unwrap_or(position);
    Due { slots, position, next }
}
