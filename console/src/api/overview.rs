//! The system in numbers, and where it is in trouble.

use std::collections::BTreeMap;

use perennial_actors::{MessageStats, ProcessState};
use perennial_operations::{Event, Health, HealthStatus, NotLive, NotReady};
use perennial_supervision::SupervisionStats;
use serde::{Deserialize, Serialize};

use super::tree::TreeItem;
use super::tree_index::is_in_trouble;
use super::view::View;

/// The most nodes in trouble that are shown.
const TROUBLED: usize = 100;

/// The system in numbers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// The number of the last event that these numbers hold.
    pub sequence: u64,
    /// The actors by their states.
    pub processes: ProcessCounts,
    /// The supervisors that run.
    pub supervisors: usize,
    /// The pools.
    pub pools: usize,
    /// The names that are bound.
    pub names: usize,
    /// The groups that have members.
    pub groups: usize,
    /// The topics that have subscribers.
    pub topics: usize,
    /// The tables of keys that are shown.
    pub key_tables: usize,
    /// The crashes since the observation began.
    pub crashes: u64,
    /// The dead letters since the observation began, by their kinds.
    pub dead_letters: BTreeMap<String, u64>,
    /// The events that were lost before they were counted.
    pub missed_events: u64,
    /// The account of all messages.
    pub messages: MessageAccount,
    /// The interventions of all supervisors.
    pub supervision: SupervisionStats,
    /// The health of each tree.
    pub health: Vec<TreeHealth>,
    /// The last deadlocks, the oldest first, if the system is watched for them.
    pub deadlocks: Vec<Event>,
    /// The nodes of the trees that are down, restarting, stopping or gave up: a hundred at most.
    pub troubled: Vec<TreeItem>,
}

/// The numbers of actors.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProcessCounts {
    /// All that are not closed.
    pub total: usize,
    /// Those whose incarnation has started.
    pub running: usize,
    /// Those whose incarnation is starting.
    pub starting: usize,
    /// Those that wait for their next incarnation.
    pub down: usize,
    /// Those that are suspended.
    pub suspended: usize,
}

/// An account of messages.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageAccount {
    /// The counts. Their fields are those of this object.
    #[serde(flatten)]
    pub counts: MessageStats,
    /// `true` if what was accepted is what was handled, lost, dead-lettered and is queued. Messages
    /// that move at the moment of a snapshot of many actors are no reason for `false`.
    pub balances: bool,
}

/// The health of a tree.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TreeHealth {
    /// The id of the root, unless the check is the user's.
    pub tree: Option<String>,
    /// The health in one word.
    pub status: HealthStatus,
    /// `true` if it heals itself.
    pub live: bool,
    /// `true` if all that matters is up.
    pub ready: bool,
    /// The reasons in one line.
    pub text: String,
    /// Why it is not live.
    pub not_live: Vec<NotLive>,
    /// Why it is not ready.
    pub not_ready: Vec<NotReady>,
}

impl From<MessageStats> for MessageAccount {
    fn from(counts: MessageStats) -> Self {
        Self { counts, balances: counts.is_balanced() }
    }
}

impl TreeHealth {
    pub(crate) fn new(tree: Option<String>, health: Health) -> Self {
        Self {
            tree,
            status: health.status(),
            live: health.is_live(),
            ready: health.is_ready(),
            text: health.to_string(),
            not_live: health.not_live,
            not_ready: health.not_ready,
        }
    }
}

/// Returns the overview.
pub(crate) fn overview(view: &View, health: Vec<TreeHealth>) -> Overview {
    let (model, figures) = (&view.snapshot.model, &view.snapshot.figures);
    let nodes = figures.trees.iter().enumerate();
    let troubled = nodes.filter(|(_, node)| is_in_trouble(node)).take(TROUBLED);
    Overview {
        sequence: view.sequence(),
        processes: count(view),
        supervisors: model.supervisors.len(),
        pools: figures.pools.len(),
        names: model.names.len(),
        groups: figures.groups.len(),
        topics: figures.topics.len(),
        key_tables: figures.keys.len(),
        crashes: view.tally.crashes,
        dead_letters: view.tally.dead_letters.clone(),
        missed_events: view.tally.missed,
        messages: figures.messages.into(),
        supervision: figures.supervision,
        health,
        deadlocks: view.tally.deadlocks.clone(),
        troubled: troubled.filter_map(|(at, _)| TreeItem::at(view, at)).collect(),
    }
}

fn count(view: &View) -> ProcessCounts {
    let mut counts = ProcessCounts::default();
    for figures in view.snapshot.figures.processes.values() {
        counts.total += 1;
        counts.suspended += usize::from(figures.suspended);
        match figures.state {
            ProcessState::Alive(_) if figures.is_starting => counts.starting += 1,
            ProcessState::Alive(_) => counts.running += 1,
            _ => counts.down += 1,
        }
    }
    counts
}
