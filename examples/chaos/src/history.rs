//! What happened in an attack, and when: the faults, and what the supervisors did about them.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial::{ReportKind, Subscription, SupervisorReport, System};

use super::plan::Fault;

/// A fault that took effect and whose target is back.
#[derive(Clone, Copy, Debug)]
pub struct PastFault {
    pub fault: Fault,
    /// When the target crashed, counted from the start of the attack.
    pub crashed_at: Duration,
    pub recovered_in: Duration,
}

/// What a supervisor did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// It is about to start a child again.
    Restart,
    /// It gave up, and leaves it to its own supervisor.
    Escalation,
}

/// Something that a supervisor did.
#[derive(Clone, Debug)]
pub struct PastReaction {
    /// When, counted from the start of the attack.
    pub at: Duration,
    pub reaction: Reaction,
    /// The path of the child that is started again, or of the supervisor that gave up.
    pub path: Arc<str>,
}

/// What happened in an attack.
#[derive(Debug, Default)]
pub struct History {
    pub faults: Vec<PastFault>,
    pub reactions: Vec<PastReaction>,
}

/// Records what the supervisors of a system report.
pub struct Recorder {
    began: Instant,
    reports: Subscription<SupervisorReport>,
    reactions: Vec<PastReaction>,
}

impl Recorder {
    /// Returns a recorder of the reports from now on.
    pub fn new(system: &System) -> Self {
        Self { began: Instant::now(), reports: system.subscribe(), reactions: Vec::new() }
    }

    /// Records the reports until the future is dropped.
    pub async fn record(&mut self) -> Infallible {
        while let Some(report) = self.reports.next().await {
            self.note(&report);
        }
        pending().await
    }

    /// Returns all reactions.
    pub fn finish(mut self) -> Vec<PastReaction> {
        while let Some(report) = self.reports.try_next() {
            self.note(&report);
        }
        self.reactions
    }

    fn note(&mut self, report: &SupervisorReport) {
        let reaction = match report.kind {
            ReportKind::Restarting { .. } => Reaction::Restart,
            ReportKind::GaveUp { .. } => Reaction::Escalation,
            _ => return,
        };
        self.reactions.push(PastReaction { at: self.began.elapsed(), reaction, path: report.path.clone() });
    }
}
