//! The figures of a system: samples, which are right at the moment of their snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{MessageStats, Pid, ProcessState};
use perennial_registry::{GroupInfo, KeyTableInfo};
use perennial_supervision::pool::PoolInfo;
use perennial_supervision::{ChildKind, ChildState, Restart, StopProgress, Strategy, SupervisionStats};
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// What changes in a system without an event: samples of one moment, outside of the
/// [`Model`](crate::Model).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// The message counts of all mailboxes together, freed actors included.
    pub messages: MessageStats,
    /// The interventions of all supervisors.
    pub supervision: SupervisionStats,
    /// The actors that are not closed. The keys are numbers of identities.
    pub processes: BTreeMap<u64, ProcessFigures>,
    /// The nodes of all trees, parents first, in start order. Each tree begins at level 0.
    pub trees: Vec<TreeNode>,
    /// The pools that have started, with their jobs and workers.
    pub pools: Vec<PoolInfo>,
    /// The groups that have members.
    pub groups: Vec<GroupInfo>,
    /// The names of the topics that have subscribers.
    pub topics: Vec<String>,
    /// The tables of keys that the program [shows](perennial_registry::Registry::show_keys).
    pub keys: Vec<KeyTableInfo>,
}

/// The figures of one actor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProcessFigures {
    /// The path in the tree, or the type; `None` before the first start.
    pub label: Option<Arc<str>>,
    /// The state of the identity, with the attached incarnation.
    pub state: ProcessState,
    /// `true` if an incarnation is attached whose start is not complete. Kubernetes' readiness of
    /// an actor is its opposite.
    pub is_starting: bool,
    /// The message counts. `queued` is the length of the queue.
    pub messages: MessageStats,
    /// How long the oldest queued message has been waiting at least, as far as earlier snapshots
    /// show. `None` if no message waits. The more often snapshots are taken, the nearer is the
    /// value to the truth. It never exceeds it.
    pub oldest_waited_at_least: Option<Duration>,
    /// How long the current handler has been observed running, or `None` if the actor is idle. It
    /// never exceeds the truth: see [`ProcessInfo::busy_for`](perennial_actors::ProcessInfo).
    pub busy_for_at_least: Option<Duration>,
    /// `true` if the actor is suspended.
    pub suspended: bool,
    /// `true` if the actor traps exits.
    pub trap_exits: bool,
    /// The incarnations that are linked to the running one.
    pub links: Vec<Pid>,
    /// The number of monitors on this actor.
    pub monitored_by: usize,
    /// The next start, if a supervisor will restart the actor.
    pub pending_start: Option<PendingStart>,
}

/// The gap between two incarnations.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PendingStart {
    /// Why the last incarnation ended, or why the last attempt to start the next one failed.
    pub reason: Reason,
    /// The time from the snapshot until the next start: the rest of the backoff.
    pub retry_in: Duration,
}

/// A node of a tree.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TreeNode {
    /// The number of levels below the root of its tree.
    pub level: usize,
    /// The id among its siblings.
    pub id: Arc<str>,
    /// The number of its identity, which is the key of its process and, if it is one, of its
    /// supervisor; 0 before it is first opened.
    pub identity: u64,
    /// Whether it is a worker or a supervisor.
    pub kind: ChildKind,
    /// Which of its exits cause a restart. A root, which has no supervisor, shows `permanent`.
    pub restart: Restart,
    /// `true` if its exit may shut its supervisor down.
    pub significant: bool,
    /// Its state, as its supervisor knows it.
    pub state: ChildState,
    /// The live incarnation, if there is one.
    pub pid: Option<Pid>,
    /// How far its stop has come, if it is being stopped: the view of a shutdown.
    pub stop: Option<StopProgress>,
    /// How often its supervisor restarted it, counted from the start of that supervisor's
    /// incarnation.
    pub restarts: u64,
    /// Which siblings of a child restart with it, if this is a supervisor that is not dynamic.
    pub strategy: Option<Strategy>,
    /// The number of restarts that the supervisor tolerates at this moment, if this is one and it
    /// runs. `u32::MAX` stands for any number.
    pub restarts_left: Option<u32>,
    /// `true` if it is a supervisor that exceeded its restart intensity.
    pub gave_up: bool,
}
