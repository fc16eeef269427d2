//! The structure of a system, which changes by events only.

use std::collections::BTreeMap;
use std::sync::Arc;

use perennial_actors::Pid;
use perennial_supervision::SupervisorStatus;
use perennial_supervision::pool::PoolStatus;
use serde::{Deserialize, Serialize};

use crate::event::{Event, EventKind};

/// The structure of a system: what there is and in which state, without what changes all the time.
/// Those are the [`Figures`](crate::Figures).
///
/// The keys of the maps are numbers of identities, as in [`Pid::identity`], and names.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Model {
    /// The actors that have started or failed to start, until they are closed.
    pub processes: BTreeMap<u64, Process>,
    /// The supervisors that have begun to start, until their incarnation ends.
    pub supervisors: BTreeMap<u64, SupervisorStatus>,
    /// The pools that have started, until the incarnation of their supervisor ends. The keys are
    /// those of their supervisors.
    pub pools: BTreeMap<u64, PoolStatus>,
    /// The names, with the identities to which they lead.
    pub names: BTreeMap<String, u64>,
}

/// An actor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Process {
    /// The path in the tree, or the type of an actor outside a tree.
    pub label: Arc<str>,
    /// The latest incarnation that started or failed to start. All but the first are restarts.
    pub incarnation: u32,
    /// Its state.
    pub phase: ProcessPhase,
}

/// The state of an actor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProcessPhase {
    /// An incarnation runs.
    Running,
    /// No incarnation has started since the last one ended or failed to start. Messages are queued.
    Down,
}

impl Model {
    /// Applies an event. Events have to be applied in the order of their numbers. One that the
    /// model holds already changes nothing, as long as those after it are applied too.
    pub fn apply(&mut self, event: &Event) {
        self.apply_kind(&event.kind);
    }

    pub(crate) fn apply_kind(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Started { pid, label } => self.set_process(*pid, label, ProcessPhase::Running),
            EventKind::Ended { pid, label, .. } | EventKind::Abandoned { pid, label } => {
                self.set_process(*pid, label, ProcessPhase::Down);
                self.end(*pid);
            }
            EventKind::Closed { pid, .. } => {
                self.processes.remove(&pid.identity());
                self.end(*pid);
            }
            EventKind::Supervisor(status) => {
                self.supervisors.insert(status.pid.identity(), status.clone());
            }
            EventKind::Pool(status) => {
                self.pools.insert(status.supervisor.identity(), status.clone());
            }
            EventKind::NameBound { name, identity } => {
                self.names.insert(name.clone(), *identity);
            }
            EventKind::NameUnbound { name, .. } => {
                self.names.remove(name);
            }
            EventKind::NameHandedOver { name, to, .. } => {
                self.names.insert(name.clone(), *to);
            }
            EventKind::Report { .. }
            | EventKind::GroupJoined { .. }
            | EventKind::GroupLeft { .. }
            | EventKind::DeadLetter(_)
            | EventKind::Deadlock { .. } => {}
        }
    }

    fn set_process(&mut self, pid: Pid, label: &Arc<str>, phase: ProcessPhase) {
        let process = Process { label: label.clone(), incarnation: pid.incarnation(), phase };
        self.processes.insert(pid.identity(), process);
    }

    /// Removes what belongs to an incarnation that has ended, or to an earlier one.
    fn end(&mut self, pid: Pid) {
        let identity = pid.identity();
        let has_ended = |owner: Pid| owner.incarnation() <= pid.incarnation();
        if self.supervisors.get(&identity).is_some_and(|status| has_ended(status.pid)) {
            self.supervisors.remove(&identity);
        }
        if self.pools.get(&identity).is_some_and(|status| has_ended(status.supervisor)) {
            self.pools.remove(&identity);
        }
    }
}
