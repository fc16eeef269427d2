//! Counts events.

use std::collections::HashMap;

use ::metrics::SharedString;
use perennial_actors::Pid;
use perennial_supervision::LivenessFailure;

use super::catalog::{
    ABANDONED, DEAD_LETTERS, DEADLOCKS, ENDS, ESCALATIONS, RECOVERY, RESTARTS, START_FAILURES, START_LIMITS,
    STARTS, UNRESPONSIVE,
};
use super::tally::Tally;
use crate::event::{DeadLetterKind, Event, EventKind};
use crate::reason::{Reason, ReasonKind};
use crate::report::Report;

/// The gaps between two incarnations: when the last one of an actor ended, in milliseconds, until
/// the next starts.
#[derive(Debug, Default)]
pub(super) struct Gaps(HashMap<u64, u64>);

impl Gaps {
    /// Counts an event. The supervisors of its batch are known already.
    pub(super) fn count(&mut self, event: &Event, tally: &mut Tally) {
        match &event.kind {
            EventKind::Started { pid, label } => self.started(*pid, label, event.at_millis, tally),
            EventKind::Ended { pid, label, reason } => {
                let actor = tally.actor(label);
                tally.series.count(ENDS, vec![actor, reason_of(reason)], 1);
                self.0.insert(pid.identity(), event.at_millis);
            }
            EventKind::Abandoned { pid, label } => {
                let actor = tally.actor(label);
                tally.series.count(ABANDONED, vec![actor], 1);
                self.0.insert(pid.identity(), event.at_millis);
            }
            EventKind::Closed { pid, .. } => drop(self.0.remove(&pid.identity())),
            EventKind::Report { path, report, .. } => count_report(path, report, tally),
            EventKind::DeadLetter(letter) => {
                let reason = dead_letter_reason(letter.kind);
                tally.series.count(DEAD_LETTERS, vec![reason.into()], 1);
            }
            EventKind::Deadlock { .. } => tally.series.count(DEADLOCKS, vec![], 1),
            _ => {}
        }
    }

    fn started(&mut self, pid: Pid, label: &str, at: u64, tally: &mut Tally) {
        let actor = tally.actor(label);
        tally.series.count(STARTS, vec![actor.clone()], 1);
        if let Some(ended) = self.0.remove(&pid.identity()) {
            let seconds = at.saturating_sub(ended) as f64 / 1_000.0;
            tally.series.sample(RECOVERY, vec![actor], seconds, 1);
        }
    }

    /// Removes the actors that are gone.
    pub(super) fn retain(&mut self, exists: impl Fn(u64) -> bool) {
        self.0.retain(|identity, _| exists(*identity));
    }
}

fn count_report(path: &str, report: &Report, tally: &mut Tally) {
    let (supervisor, child) = tally.labels.of_child(path);
    let (supervisor, child) = (SharedString::from(supervisor), SharedString::from(child));
    match report {
        Report::Restarting { reason, .. } => {
            tally.series.count(RESTARTS, vec![supervisor, child, reason_of(reason)], 1);
        }
        Report::StartFailed { reason } => {
            tally.series.count(START_FAILURES, vec![supervisor, child, reason_of(reason)], 1);
        }
        Report::StartLimitHit { .. } => tally.series.count(START_LIMITS, vec![supervisor, child], 1),
        Report::Unresponsive { sign } => {
            tally.series.count(UNRESPONSIVE, vec![supervisor, child, check(*sign).into()], 1);
        }
        Report::GaveUp { .. } => {
            let supervisor = tally.actor(path);
            tally.series.count(ESCALATIONS, vec![supervisor], 1);
        }
        _ => {}
    }
}

const fn check(sign: LivenessFailure) -> &'static str {
    match sign {
        LivenessFailure::Handler(_) => "handler",
        LivenessFailure::Watchdog(_) => "watchdog",
        LivenessFailure::Probe(_) => "probe",
        _ => "other",
    }
}

const fn dead_letter_reason(kind: DeadLetterKind) -> &'static str {
    match kind {
        DeadLetterKind::InFlight => "in_flight",
        DeadLetterKind::Unhandled => "unhandled",
        DeadLetterKind::Overflow => "overflow",
        DeadLetterKind::Other => "other",
    }
}

fn reason_of(reason: &Reason) -> SharedString {
    SharedString::const_str(match reason.kind {
        ReasonKind::Normal => "normal",
        ReasonKind::Shutdown => "shutdown",
        ReasonKind::Ignore => "ignore",
        ReasonKind::Killed => "killed",
        ReasonKind::NoProcess => "no_process",
        ReasonKind::NoConnection => "no_connection",
        ReasonKind::StartTimedOut => "start_timed_out",
        ReasonKind::Unresponsive => "unresponsive",
        ReasonKind::Panicked => "panicked",
        ReasonKind::Failed => "failed",
        ReasonKind::Other => "other",
    })
}
