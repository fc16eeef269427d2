//! The reports of supervisors as short lines.

use std::time::Duration;

use perennial_actors::{Subscription, System};
use perennial_supervision::{LivenessFailure, ReportKind, SupervisorReport};

/// The reports of a system from when this was made.
pub(crate) struct Reports(Subscription<SupervisorReport>);

impl Reports {
    pub(crate) fn of(system: &System) -> Self {
        Self(system.subscribe::<SupervisorReport>())
    }

    /// The next report.
    ///
    /// # Panics
    ///
    /// If none comes within an hour of paused time.
    pub(crate) async fn next(&mut self) -> SupervisorReport {
        let next = tokio::time::timeout(Duration::from_secs(3600), self.0.next()).await;
        next.expect("it is reported").expect("the system is there")
    }

    /// Returns the reports up to and including this one.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != last) {
            assert!(lines.len() < 100, "{last:?} is not among {lines:#?}");
            lines.push(line(&self.next().await));
        }
        lines
    }

    /// Returns the reports up to now.
    pub(crate) fn so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_next()).map(|report| line(&report)).collect()
    }
}

/// `app/a: restart: killed`
pub(crate) fn line(report: &SupervisorReport) -> String {
    let what = match &report.kind {
        ReportKind::Started => "started".to_owned(),
        ReportKind::Terminated { reason } => format!("terminated: {reason}"),
        ReportKind::StartFailed { reason } => format!("start failed: {reason}"),
        ReportKind::Restarting { reason, .. } => format!("restarting: {reason}"),
        ReportKind::ShutdownError { reason } => format!("shutdown error: {reason}"),
        ReportKind::Unresponsive { sign: LivenessFailure::Handler(_) } => "unresponsive: handler".to_owned(),
        ReportKind::Unresponsive { sign: LivenessFailure::Watchdog(time) } => {
            format!("unresponsive: silent for {time:?}")
        }
        ReportKind::Unresponsive { sign: LivenessFailure::Probe(misses) } => {
            format!("unresponsive: {misses} misses")
        }
        ReportKind::Killed => "killed".to_owned(),
        ReportKind::Abandoned => "abandoned".to_owned(),
        ReportKind::GaveUp { child } => format!("gave up: {child}"),
        other => format!("{other:?}"),
    };
    format!("{}: {what}", report.path)
}
