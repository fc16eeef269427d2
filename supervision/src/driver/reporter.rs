//! The output of a supervisor's reports: the log, the subscribers, the statistics, and the shutdown
//! report.

use perennial_actors::{Pid, System};

use super::children::Children;
use super::node::SupervisorNode;
use super::stats::Stats;
use crate::engine::ChildKey;
use crate::log;
use crate::report::{ReportKind, SupervisorReport, topic};

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

    pub(super) fn report(&self, key: ChildKey, kind: ReportKind, children: &Children) {
        match &kind {
            ReportKind::Restarting { reason, delay, .. } => {
                children.set_pending_restart(key, reason.clone(), *delay);
                Stats::of(&self.system).restarted();
            }
            ReportKind::Killed | ReportKind::Abandoned => {
                let path = children.path(key).to_shared();
                self.node.state().record_unstopped(key, path, matches!(kind, ReportKind::Abandoned));
            }
            ReportKind::GaveUp { .. } => {
                Stats::of(&self.system).gave_up();
                self.node.state().gave_up = true;
            }
            _ => {}
        }
        let supervisor = self.supervisor;
        publish(&self.system, kind, |kind| {
            let (path, pid) = match kind {
                ReportKind::GaveUp { .. } => (children.label().clone(), Some(supervisor)),
                _ => (children.path(key), self.node.state().pid_of(key)),
            };
            SupervisorReport { supervisor, path: path.to_shared(), pid, kind }
        });
    }
}

/// Logs a report and sends it to the subscribers. Calls `report` only if the report is wanted.
pub(super) fn publish(system: &System, kind: ReportKind, report: impl Fn(ReportKind) -> SupervisorReport) {
    log::report(system, &kind, || report(kind.clone()));
    topic(system).send(|| report(kind));
}
