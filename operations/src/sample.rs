//! Reads the figures of a system. It asks no actor and no supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use perennial_actors::{ActorHandle, LifecycleState, ProcessInfo, ProcessState, System};
use perennial_registry::Registry;
use perennial_supervision::{SupervisionStats, Tree};

use crate::figures::{Figures, PendingStart, ProcessFigures, TreeNode};
use crate::operations::Shared;
use crate::reason::Reason;
use crate::truth::State;

impl Figures {
    /// Converts what was read of a system. It has no tables of keys, because a read of one runs
    /// users' `Debug`, and metrics need only the number of keys.
    pub(crate) fn of(shared: &Shared, state: State) -> Self {
        let system = &shared.system;
        let registry = Registry::of(system);
        Self {
            messages: system.counters(),
            supervision: SupervisionStats::of(system),
            processes: processes(shared, state.processes),
            trees: nodes(&state.trees),
            pools: state.pools,
            groups: registry.groups(),
            topics: registry.which_topics(),
            keys: Vec::new(),
        }
    }
}

fn processes(shared: &Shared, processes: Vec<(ActorHandle, ProcessInfo)>) -> BTreeMap<u64, ProcessFigures> {
    let now = shared.age();
    let mut ages = shared.ages.lock();
    let aged: Vec<_> =
        processes.iter().map(|(_, info)| ages.sample(info.identity, now, info.counters)).collect();
    let known: BTreeSet<u64> = processes.iter().map(|(_, info)| info.identity).collect();
    ages.retain(|identity| known.contains(&identity));
    drop(ages);
    let open = processes.into_iter().zip(aged).filter(|((_, info), _)| info.state != ProcessState::Closed);
    open.map(|((actor, info), oldest)| (info.identity, ProcessFigures::of(&actor, info, oldest))).collect()
}

impl ProcessFigures {
    fn of(actor: &ActorHandle, info: ProcessInfo, oldest: Option<Duration>) -> Self {
        let pending = actor.pending_restart();
        Self {
            label: info.label,
            state: info.state,
            is_starting: info.state.pid().is_some_and(|pid| info.lifecycle != LifecycleState::Started(pid)),
            messages: info.counters,
            oldest_waited_at_least: oldest,
            busy_for_at_least: info.busy_for,
            suspended: info.suspended,
            trap_exits: info.trap_exits,
            links: info.links,
            monitored_by: info.monitored_by,
            pending_start: pending.map(|pending| PendingStart {
                reason: Reason::of(&pending.reason),
                retry_in: pending.retry_in,
            }),
        }
    }
}

fn nodes(trees: &[Tree]) -> Vec<TreeNode> {
    trees.iter().flat_map(Tree::levels).map(|(level, node)| TreeNode::of(level, node)).collect()
}

impl TreeNode {
    /// Returns the nodes of all trees of a system, as [`Figures::trees`] has them, without the rest
    /// of a snapshot. It asks no actor and no supervisor.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::TreeNode;
    /// assert!(TreeNode::all(&System::new()).is_empty());
    /// ```
    #[must_use]
    pub fn all(system: &System) -> Vec<Self> {
        nodes(&Tree::all(system))
    }

    pub(crate) fn of(level: usize, node: &Tree) -> Self {
        Self {
            level,
            id: node.id.clone(),
            identity: node.handle.identity(),
            kind: node.kind,
            restart: node.restart,
            significant: node.significant,
            state: node.state,
            pid: node.pid,
            stop: node.stop,
            restarts: node.restarts,
            strategy: node.status.as_ref().and_then(|status| status.strategy),
            restarts_left: node.restarts_left,
            gave_up: node.status.as_ref().is_some_and(|status| status.gave_up),
        }
    }
}
