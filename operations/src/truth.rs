//! Reads the structure of a system from the system itself, and not from its events.

use std::collections::HashMap;

use perennial_actors::{ActorHandle, LifecycleState, Pid, ProcessInfo, System};
use perennial_registry::Registry;
use perennial_supervision::Tree;
use perennial_supervision::pool::PoolInfo;

use crate::model::{Model, Process, ProcessPhase};

/// What was read of a system.
pub(crate) struct State {
    pub(crate) processes: Vec<(ActorHandle, ProcessInfo)>,
    pub(crate) trees: Vec<Tree>,
    pub(crate) pools: Vec<PoolInfo>,
    /// The names, with the identities to which they lead.
    names: Vec<(String, u64)>,
}

impl State {
    /// Reads a system. Locks of actors and supervisors are held only while their values are copied.
    pub(crate) fn read(system: &System) -> Self {
        let (trees, pools) = (Tree::all(system), PoolInfo::all(system));
        let names = Registry::of(system).entries().into_iter();
        let names = names.map(|entry| (entry.name.into_owned(), entry.actor.identity())).collect();
        // Last, because they tell which incarnations have ended.
        let processes = system.processes().into_iter().map(|actor| {
            let info = actor.info();
            (actor, info)
        });
        let processes = processes.collect();
        Self { processes, trees, pools, names }
    }

    /// Returns the structure.
    pub(crate) fn model(&self) -> Model {
        let last: HashMap<u64, LifecycleState> =
            self.processes.iter().map(|(_, info)| (info.identity, info.lifecycle)).collect();
        let lives = |pid: Pid| last.get(&pid.identity()).is_some_and(|state| !has_ended(*state, pid));
        let statuses = self.trees.iter().flat_map(Tree::walk).filter_map(|node| node.status.as_ref());
        let pools = self.pools.iter().map(|pool| &pool.status);
        Model {
            processes: self.processes.iter().filter_map(|(_, info)| process(info)).collect(),
            supervisors: statuses
                .filter(|status| lives(status.pid))
                .map(|status| (status.pid.identity(), status.clone()))
                .collect(),
            pools: pools
                .filter(|status| lives(status.supervisor))
                .map(|status| (status.supervisor.identity(), status.clone()))
                .collect(),
            names: self.names.iter().cloned().collect(),
        }
    }
}

/// Returns an actor as the model shows it, unless it is closed or had no event yet.
fn process(info: &ProcessInfo) -> Option<(u64, Process)> {
    let (pid, phase) = match info.lifecycle {
        LifecycleState::Started(pid) => (pid, ProcessPhase::Running),
        LifecycleState::Ended(pid) => (pid, ProcessPhase::Down),
        _ => return None,
    };
    let label = info.label.clone()?;
    Some((info.identity, Process { label, incarnation: pid.incarnation(), phase }))
}

/// Returns `true` if this incarnation has ended, when this is the last event of its actor.
fn has_ended(last: LifecycleState, pid: Pid) -> bool {
    match last {
        LifecycleState::Ended(ended) | LifecycleState::Closed(ended) => {
            ended.incarnation() >= pid.incarnation()
        }
        LifecycleState::Started(started) => started.incarnation() > pid.incarnation(),
        _ => false,
    }
}
