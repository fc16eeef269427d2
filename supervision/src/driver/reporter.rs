//! The output of a supervisor's reports: the log, the subscribers, the statistics, and the shutdown
//! report.

use perennial_actors::{ExitReason, Pid, SpawnError, System};

use super::children::Children;
use super::node::SupervisorNode;
use super::stats::Stats;
use crate::engine::{ChildKey, EngineReport, UnresponsiveCause};
use crate::log;
use crate::node::OpenError;
use crate::report::{LivenessFailure, ReportKind, SupervisorReport, topic};

/// Publishes the reports of one supervisor.
pub(super) struct Reporter {
    node: SupervisorNode,
    system: System,
    supervisor: Pid,
}

impl Reporter {
    pub(super) const fn new(node: SupervisorNode, system: System, supervisor: Pid) -> Self {
        Self { node, system, supervisor }
    }

    pub(super) fn report(&self, report: EngineReport, children: &Children) {
        let (system, child) = (&self.system, |key| move || self.named(key, children));
        // The fields of a log event are computed only if it has a subscriber.
        match report {
            EngineReport::Started { key } => {
                log::child_started(system, child(key));
                self.of_child(key, children, || ReportKind::Started);
            }
            EngineReport::Terminated { key, reason } => {
                log::child_ended(system, child(key), &reason);
                self.of_child(key, children, || ReportKind::Terminated { reason });
            }
            EngineReport::StartFailed { key, reason } => {
                log::child_did_not_start(system, child(key), &reason, is_logged_by_incarnation(&reason));
                self.of_child(key, children, || ReportKind::StartFailed { reason });
            }
            EngineReport::Restarting { key, reason, restarts_left, delay } => {
                log::child_restarts(system, child(key), &reason, restarts_left, delay);
                Stats::of(&self.system).restarted();
                self.of_child(key, children, || ReportKind::Restarting { reason, restarts_left, delay });
            }
            EngineReport::ShutdownError { key, reason } => {
                log::child_ended_with_another_reason(system, child(key), &reason);
                self.of_child(key, children, || ReportKind::ShutdownError { reason });
            }
            EngineReport::Unresponsive { key, cause } => {
                log::child_is_unresponsive(system, child(key), LivenessFailure::from(cause));
                self.of_child(key, children, || ReportKind::Unresponsive { sign: cause.into() });
            }
            EngineReport::StopTimedOut { key, abandoned } => self.timed_out(key, abandoned, children),
            EngineReport::GaveUp { key } => self.gave_up(key, children),
        }
    }

    /// Returns the log's description of a child.
    fn named(&self, key: ChildKey, children: &Children) -> log::Child {
        log::Child {
            supervisor: self.supervisor,
            label: children.label().clone(),
            id: children.id_of(key),
            pid: self.node.state().pid_of(key),
        }
    }

    fn timed_out(&self, key: ChildKey, abandoned: bool, children: &Children) {
        let path = children.path(key).to_shared();
        log::child_stop_timed_out(&self.system, || self.named(key, children), abandoned);
        self.node.state().record_unstopped(key, path, abandoned);
        self.of_child(key, children, || if abandoned { ReportKind::Abandoned } else { ReportKind::Killed });
    }

    fn gave_up(&self, key: ChildKey, children: &Children) {
        let child = children.id_of(key);
        let path = children.label().to_shared();
        log::supervisor_gives_up(&self.system, self.supervisor, &path, &child);
        Stats::of(&self.system).gave_up();
        self.node.state().gave_up = true;
        let supervisor = self.supervisor;
        topic(&self.system).send(|| SupervisorReport {
            supervisor,
            path,
            pid: Some(supervisor),
            kind: ReportKind::GaveUp { child },
        });
    }

    fn of_child(&self, key: ChildKey, children: &Children, kind: impl FnOnce() -> ReportKind) {
        topic(&self.system).send(|| SupervisorReport {
            supervisor: self.supervisor,
            path: children.path(key).to_shared(),
            pid: self.node.state().pid_of(key),
            kind: kind(),
        });
    }
}

/// Returns `true` if the log line of the incarnation itself reports this start failure. There is no
/// such line without an incarnation, because the child could not be opened.
fn is_logged_by_incarnation(reason: &ExitReason) -> bool {
    let Some(error) = reason.error() else { return reason.is_crash() };
    let could_not_begin =
        matches!(error.downcast_ref(), Some(SpawnError::NoRuntime | SpawnError::NotOpen(_)));
    !could_not_begin && !error.is::<OpenError>()
}

impl From<UnresponsiveCause> for LivenessFailure {
    fn from(cause: UnresponsiveCause) -> Self {
        match cause {
            UnresponsiveCause::Handler(time) => Self::Handler(time),
            UnresponsiveCause::Probe(misses) => Self::Probe(misses),
        }
    }
}
