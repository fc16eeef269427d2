//! Telling what a supervisor does: to the log, to subscribers, to the totals, and to the shutdown report.

use perennial_actors::{ExitReason, Pid, SpawnError, System};

use super::children::Children;
use super::node::SupervisorNode;
use super::stats::Stats;
use crate::engine::{ChildKey, EngineReport as Found, UnresponsiveCause as Seen};
use crate::log;
use crate::node::OpenError;
use crate::report::{LivenessFailure, ReportKind, SupervisorReport, topic};

/// Tells what a supervisor does.
pub(super) struct Reporter {
    node: SupervisorNode,
    system: System,
    supervisor: Pid,
}

impl Reporter {
    pub(super) const fn new(node: SupervisorNode, system: System, supervisor: Pid) -> Self {
        Self { node, system, supervisor }
    }

    pub(super) fn report(&self, found: Found, children: &Children) {
        let (system, child) = (&self.system, |key| move || self.named(key, children));
        // Only if somebody listens are the fields of an event computed.
        match found {
            Found::Started { key } => {
                log::child_started(system, child(key));
                self.of_child(key, children, || ReportKind::Started);
            }
            Found::Terminated { key, reason } => {
                log::child_ended(system, child(key), &reason);
                self.of_child(key, children, || ReportKind::Terminated { reason });
            }
            Found::StartFailed { key, reason } => {
                log::child_did_not_start(system, child(key), &reason, is_logged_by_incarnation(&reason));
                self.of_child(key, children, || ReportKind::StartFailed { reason });
            }
            Found::Restarting { key, reason, restarts_left, delay } => {
                log::child_restarts(system, child(key), &reason, restarts_left, delay);
                Stats::of(&self.system).restarted();
                self.of_child(key, children, || ReportKind::Restarting { reason, restarts_left, delay });
            }
            Found::ShutdownError { key, reason } => {
                log::child_ended_otherwise(system, child(key), &reason);
                self.of_child(key, children, || ReportKind::ShutdownError { reason });
            }
            Found::Unresponsive { key, sign } => {
                log::child_hangs(system, child(key), LivenessFailure::from(sign));
                self.of_child(key, children, || ReportKind::Unresponsive { sign: sign.into() });
            }
            Found::Late { key, abandoned } => self.timed_out(key, abandoned, children),
            Found::GaveUp { key } => self.gave_up(key, children),
        }
    }

    /// A child, as the log names it.
    fn named(&self, key: ChildKey, children: &Children) -> log::Child {
        log::Child {
            supervisor: self.supervisor,
            label: children.label().clone(),
            id: children.id_of(key),
            pid: self.node.book().pid_of(key),
        }
    }

    fn timed_out(&self, key: ChildKey, abandoned: bool, children: &Children) {
        let path = children.path(key).to_shared();
        log::child_is_late(&self.system, || self.named(key, children), abandoned);
        self.node.book().record_unstopped(key, path, abandoned);
        self.of_child(key, children, || if abandoned { ReportKind::Abandoned } else { ReportKind::Killed });
    }

    fn gave_up(&self, key: ChildKey, children: &Children) {
        let child = children.id_of(key);
        let path = children.label().to_shared();
        log::supervisor_gives_up(&self.system, self.supervisor, &path, &child);
        Stats::of(&self.system).gave_up();
        self.node.book().gave_up = true;
        let supervisor = self.supervisor;
        topic(&self.system).send(|| SupervisorReport {
            supervisor,
            path,
            pid: Some(supervisor),
            kind: ReportKind::GaveUp { child },
        });
    }

    fn of_child(&self, key: ChildKey, children: &Children, what: impl FnOnce() -> ReportKind) {
        topic(&self.system).send(|| SupervisorReport {
            supervisor: self.supervisor,
            path: children.path(key).to_shared(),
            pid: self.node.book().pid_of(key),
            kind: what(),
        });
    }
}

/// Returns `true` if the start of an incarnation failed for this reason, so that its own line says so. Without an incarnation,
/// because the child could not be opened, there is no such line.
fn is_logged_by_incarnation(reason: &ExitReason) -> bool {
    let Some(error) = reason.error() else { return reason.is_crash() };
    let could_not_begin =
        matches!(error.downcast_ref(), Some(SpawnError::NoRuntime | SpawnError::NotOpen(_)));
    !could_not_begin && !error.is::<OpenError>()
}

impl From<Seen> for LivenessFailure {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Handler(time) => Self::Handler(time),
            Seen::Probe(misses) => Self::Probe(misses),
        }
    }
}
