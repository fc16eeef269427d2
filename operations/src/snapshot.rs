//! Snapshots: the structure of a system at the number of an event, and samples of that moment.

use perennial_actors::System;
use perennial_registry::Registry;
use serde::{Deserialize, Serialize};

use crate::event::{Event, EventKind};
use crate::figures::Figures;
use crate::journal::Journal;
use crate::model::Model;
use crate::operations::Operations;
use crate::truth::State;

/// The number of dead letters and of reports that a snapshot shows.
const SHOWN: usize = 100;

/// How often a snapshot is read again because events were lost meanwhile.
const RETRIES: usize = 3;

/// A system at one moment, as plain data.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The number of the last event that the model holds. A change that happens on another thread
    /// at this very moment may be in the model before its event is; the event changes nothing then.
    pub sequence: u64,
    /// The structure, read from the system and not from its events.
    pub model: Model,
    /// Samples of what changes without an event.
    pub figures: Figures,
    /// The last 100 dead letters since the observation began, the oldest first.
    pub dead_letters: Vec<Event>,
    /// The last 100 reports of supervisors since the observation began, the oldest first.
    pub reports: Vec<Event>,
}

impl Snapshot {
    /// Takes a snapshot of a system. Without an [`Operations`] of the system, nothing was recorded:
    /// the dead letters and reports are empty, and no events follow. See
    /// [`Operations::snapshot`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Snapshot;
    /// let snapshot = Snapshot::take(&System::new());
    /// assert!(snapshot.figures.messages.is_balanced());
    /// ```
    #[must_use]
    pub fn take(system: &System) -> Self {
        Operations::of(system).snapshot()
    }
}

impl Operations {
    /// Takes a snapshot.
    ///
    /// It reads what actors and supervisors publish, and asks none of them. So it does not wait for
    /// a handler, it works for a system that hangs, and it holds no lock for longer than a copy
    /// takes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// # use perennial_supervision::Supervisor;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let system = System::new();
    /// let app = Supervisor::new("app").start(&system).await?;
    /// let snapshot = Operations::of(&system).snapshot();
    /// assert_eq!(snapshot.model.supervisors.len(), 1);
    /// assert_eq!(&*snapshot.figures.trees[0].id, "app");
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let shared = self.shared();
        let mut retries = RETRIES;
        loop {
            shared.take_events();
            let before = shared.read(Journal::last);
            let state = State::read(&shared.system);
            shared.take_events();
            let (sequence, meanwhile) = shared.read(|journal| (journal.last(), journal.all_after(before)));
            if meanwhile.is_none() && retries > 0 {
                retries -= 1;
                continue;
            }
            let mut model = state.model();
            for entry in meanwhile.into_iter().flatten() {
                model.apply(&entry.event);
            }
            let keys = Registry::of(&shared.system).key_tables();
            return Snapshot {
                sequence,
                model,
                figures: Figures { keys, ..Figures::of(shared, state) },
                dead_letters: self.last_of(|kind| matches!(kind, EventKind::DeadLetter(_))),
                reports: self.last_of(|kind| matches!(kind, EventKind::Report { .. })),
            };
        }
    }

    fn last_of(&self, is_wanted: impl Fn(&EventKind) -> bool) -> Vec<Event> {
        let entries = self.shared().read(|journal| journal.last_of(SHOWN, is_wanted));
        entries.iter().map(|entry| entry.complete()).collect()
    }
}
