//! The pending tasks of simulated children, and their outcomes.

use std::time::Duration;

use perennial_actors::host::Suspensions;

use crate::engine::{ChildKey, Event, StartId};

/// A start, stop, check, probe or condition that is pending.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Task {
    Start(ChildKey, StartId),
    End(ChildKey, StartId),
    CheckBusy(ChildKey, StartId),
    Probe(ChildKey, StartId, u32),
    /// The evaluation of a condition, in this generation of the child.
    CheckCondition(ChildKey, u32),
}

/// The outcome of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Success,
    /// It fails, or it exceeds its time.
    Failure,
    /// The start is declined, or the check finds a handler that has run for this long.
    Other(Duration),
}

impl Outcome {
    /// Returns the result of a check: an idle child, a suspended one, or one whose handler has run
    /// for this long.
    pub(super) fn check_result(self, key: ChildKey, run: StartId) -> Event {
        let busy = if let Self::Other(time) = self { Some(time) } else { None };
        let suspensions =
            Suspensions { is_suspended: matches!(self, Self::Failure), ..Suspensions::default() };
        Event::BusyChecked { key, run, busy, last_ping: None, suspensions }
    }
}
