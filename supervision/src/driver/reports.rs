//! The reports of a supervisor: to the log, the subscribers, the statistics of the system, and the
//! shutdown report.

use perennial_actors::System;
use perennial_actors::host::sync::{AtomicU64, Ordering};

use super::run::Driver;
use super::state::SupervisorState;
use crate::engine::ChildKey;
use crate::log;
use crate::report::{ReportKind, SupervisorReport, topic};
use crate::status;

impl Driver {
    pub(super) fn report(&self, key: ChildKey, kind: ReportKind) {
        match &kind {
            ReportKind::Restarting { reason, delay, restarts_left } => {
                if let Some(child) = self.child(key) {
                    child.set_pending_restart(reason.clone(), *delay);
                }
                Stats::of(&self.system).restarted();
                self.change_status(|state| state.record_restart(*restarts_left));
            }
            ReportKind::Unresponsive { sign } => {
                let pid = self.node.state().pid_of(key);
                if let (Some(child), Some(pid)) = (self.child(key), pid) {
                    child.notify_unresponsive(pid, *sign);
                }
            }
            ReportKind::Killed | ReportKind::Abandoned => {
                let path = self.path(key).to_shared();
                self.node.state().record_unstopped(key, path, matches!(kind, ReportKind::Abandoned));
            }
            ReportKind::GaveUp { .. } => {
                Stats::of(&self.system).gave_up();
                self.change_status(|state| state.gave_up = true);
            }
            _ => {}
        }
        let supervisor = self.pid;
        publish(&self.system, kind, |kind| {
            let (path, pid) = match kind {
                ReportKind::GaveUp { .. } => (self.label.clone(), Some(supervisor)),
                _ => (self.path(key), self.node.state().pid_of(key)),
            };
            SupervisorReport { supervisor, path: path.to_shared(), pid, kind }
        });
    }
}

impl Driver {
    /// Changes the status of the supervisor and publishes it.
    pub(super) fn change_status(&self, change: impl FnOnce(&mut SupervisorState)) {
        let changes = status::changes(&self.system);
        let mut state = self.node.state();
        change(&mut state);
        // Under the lock, so that the events have the order of the changes.
        if let Some(status) =
            changes.has_subscribers().then(|| state.status(self.label.to_shared())).flatten()
        {
            changes.record(|| status);
        }
        drop(state);
        changes.publish();
    }
}

/// Logs a report and sends it to the subscribers. Calls `report` only if the report is wanted.
pub(super) fn publish(system: &System, kind: ReportKind, report: impl Fn(ReportKind) -> SupervisorReport) {
    log::report(system, &kind, || report(kind.clone()));
    topic(system).send(|| report(kind));
}

/// The number of interventions of all supervisors of a system.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SupervisionStats {
    /// Restarts of children and groups, including failed attempts.
    pub restarts: u64,
    /// Supervisors that exceeded their intensity.
    pub escalations: u64,
    /// Children that did not exit after a kill and were abandoned.
    pub abandoned: u64,
}

impl SupervisionStats {
    /// Returns the statistics of a system.
    #[must_use]
    pub fn of(system: &System) -> Self {
        let stats = system.extension(Stats::default);
        Self {
            restarts: stats.restarts.load(Ordering::Relaxed),
            escalations: stats.escalations.load(Ordering::Relaxed),
            abandoned: stats.abandoned.load(Ordering::Relaxed),
        }
    }
}

/// The counters behind [`SupervisionStats`].
#[derive(Default)]
pub(super) struct Stats {
    restarts: AtomicU64,
    escalations: AtomicU64,
    abandoned: AtomicU64,
}

impl Stats {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn gave_up(&self) {
        self.escalations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }
}
