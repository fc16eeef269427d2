//! What children are told, and what comes of it.

use std::time::Duration;

use perennial_actors::host::Suspensions;

use crate::engine::{ChildKey, Event, StartId};

/// Something that a child was told or asked, and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Task {
    Start(ChildKey, StartId),
    End(ChildKey, StartId),
    Look(ChildKey, StartId),
    Probe(ChildKey, StartId, u32),
}

/// What comes of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Well,
    /// Not at all, too late, or with an error.
    Badly,
    /// The start is declined, or the look finds this.
    Otherwise(Duration),
}

impl Outcome {
    /// Returns what a look finds: a child that rests, is suspended, or has been in a handler for so long.
    pub(super) fn of_look(self, key: ChildKey, run: StartId) -> Event {
        let busy = if let Self::Otherwise(time) = self { Some(time) } else { None };
        let suspensions = Suspensions { is_suspended: matches!(self, Self::Badly), ..Suspensions::default() };
        Event::BusyChecked { key, run, busy, suspensions }
    }
}
