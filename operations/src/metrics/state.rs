//! What is counted of a system.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ::metrics::SharedString;
use perennial_actors::MessageStats;
use perennial_registry::Registry;
use perennial_supervision::SupervisorStatus;

use super::catalog::{GROUP_MEMBERS, KEYS, MISSED, NAMES, TOPICS};
use super::events::Gaps;
use super::handlers::Handlers;
use super::jobs::Jobs;
use super::processes::{Messages, measure_trees};
use super::tally::Tally;
use crate::event::EventKind;
use crate::figures::Figures;
use crate::journal::{Entry, Journal, Next};
use crate::model::Model;
use crate::operations::Shared;
use crate::truth;

/// What is counted of a system, and which of its events are.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tally: Tally,
    gaps: Gaps,
    messages: Messages,
    jobs: Jobs,
    handlers: Handlers,
    /// The number of the last event that is counted.
    last: u64,
}

/// What was read of a system at one moment.
pub(super) struct Reading {
    total: MessageStats,
    model: Model,
    figures: Figures,
    /// The numbers of keys, by table.
    keys: Vec<(String, usize)>,
    /// The identities that are not freed.
    known: BTreeSet<u64>,
}

impl Reading {
    /// Reads a system, under no lock of the metrics: the errors of users are displayed.
    ///
    /// An actor that is freed has published its last counts before. So the total is read before the
    /// events are taken.
    pub(super) fn of(shared: &Shared) -> Self {
        let total = shared.system.counters();
        shared.take_events();
        let state = truth::State::read(&shared.system);
        let known = state.processes.iter().map(|(_, info)| info.identity).collect();
        let model = state.model();
        let keys = Registry::of(&shared.system).key_counts();
        Self { total, model, figures: Figures::of(shared, state), keys, known }
    }
}

impl State {
    /// Counts what happens from now on.
    pub(super) fn of(shared: &Shared) -> Self {
        shared.take_events();
        let mut state = Self {
            tally: Tally::default(),
            gaps: Gaps::default(),
            messages: Messages::default(),
            jobs: Jobs::default(),
            handlers: Handlers::of(&shared.system),
            last: shared.read(Journal::last),
        };
        state.tally.note_all(&truth::State::read(&shared.system).model());
        state
    }

    /// Counts the events that the journal got since the last call. Returns what the caller drops
    /// under no lock.
    #[must_use = "reasons are users' values, to be dropped under no lock"]
    pub(super) fn count_events(&mut self, shared: &Shared) -> Vec<Arc<Entry>> {
        let mut entries = Vec::new();
        loop {
            match shared.read(|journal: &Journal| journal.after(self.last)) {
                Next::Nothing => break,
                Next::Missed(number) => {
                    self.last += number;
                    self.tally.series.count(MISSED, vec![], number);
                }
                Next::Entry(entry) => {
                    self.last = entry.event.sequence;
                    entries.push(entry);
                }
            }
        }
        for entry in &entries {
            match &entry.event.kind {
                EventKind::Supervisor(status) => self.tally.note(status),
                EventKind::Pool(status) => self.tally.labels.set_dynamic(&status.path),
                _ => {}
            }
        }
        self.handlers.count(&mut self.tally);
        for entry in &entries {
            self.gaps.count(&entry.event, &mut self.tally);
            if let EventKind::Closed { pid, label, messages, .. } = &entry.event.kind {
                self.messages.count(pid.identity(), label, *messages, &mut self.tally);
            }
        }
        entries
    }

    /// Counts and measures what was read. The events before it are counted.
    pub(super) fn measure_all(&mut self, reading: &Reading, shared: &Shared) {
        let Reading { total, model, figures, keys, known } = reading;
        self.tally.note_all(model);
        self.tally.series.reset_gauges();
        self.messages.measure(&figures.processes, &mut self.tally);
        self.messages.count_rest(*total, &mut self.tally);
        self.messages.retain(|identity| known.contains(&identity));
        self.gaps.retain(|identity| known.contains(&identity));
        let paths = self.paths(&model.supervisors);
        measure_trees(&figures.trees, &paths, &mut self.tally);
        self.jobs.measure(&figures.pools, shared.age(), &mut self.tally);
        self.tally.series.add(NAMES, vec![], model.names.len() as f64);
        self.tally.series.add(TOPICS, vec![], figures.topics.len() as f64);
        for group in &figures.groups {
            let name = SharedString::from(group.group.to_string());
            self.tally.series.add(GROUP_MEMBERS, vec![name], group.members.len() as f64);
        }
        for (table, number) in keys {
            self.tally.series.add(KEYS, vec![SharedString::from(table.clone())], *number as f64);
        }
    }

    fn paths(&self, supervisors: &BTreeMap<u64, SupervisorStatus>) -> HashMap<u64, SharedString> {
        supervisors.iter().map(|(identity, status)| (*identity, self.tally.actor(&status.path))).collect()
    }
}
