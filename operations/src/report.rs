//! Reports of supervisors as plain data.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_supervision::{LivenessFailure, ReportKind};
use serde::{Deserialize, Serialize};

use crate::reason::{Reason, ReasonKind};

/// What a supervisor did or observed: a [`ReportKind`] as plain data.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Report {
    /// The child has started.
    Started,
    /// The child ended by itself.
    Terminated {
        /// The exit reason.
        reason: Reason,
    },
    /// The child did not start.
    StartFailed {
        /// Why the start failed.
        reason: Reason,
    },
    /// The child is restarted, together with the siblings that the strategy names.
    Restarting {
        /// The exit reason, or why the start failed.
        reason: Reason,
        /// The number of further restarts that the supervisor tolerates.
        restarts_left: u32,
        /// The delay before the restart.
        delay: Duration,
    },
    /// The child was stopped, and ended with another reason than that of the stop.
    ShutdownError {
        /// The exit reason.
        reason: Reason,
    },
    /// The child is unresponsive and is asked to stop.
    Unresponsive {
        /// The check that failed.
        sign: LivenessFailure,
    },
    /// The child did not stop in time and is killed.
    Killed,
    /// The child did not end after a kill and runs on without its mailbox.
    Abandoned,
    /// The child was started as often as its start limit allows.
    StartLimitHit {
        /// The reason of its last exit, or why its last start failed.
        reason: Reason,
    },
    /// The restart intensity was exceeded: the supervisor stops its children and ends.
    GaveUp {
        /// The child whose restart exceeded the intensity.
        child: Arc<str>,
    },
    /// A kind that this version does not know.
    Other,
}

impl Report {
    /// Converts a report, without the texts of its reason. Returns the reason, if it has one.
    pub(crate) fn split(kind: &ReportKind) -> (Self, Option<&ExitReason>) {
        let bare = |reason: &ExitReason| Reason::without_texts(ReasonKind::of(reason));
        match kind {
            ReportKind::Started => (Self::Started, None),
            ReportKind::Terminated { reason } => (Self::Terminated { reason: bare(reason) }, Some(reason)),
            ReportKind::StartFailed { reason } => (Self::StartFailed { reason: bare(reason) }, Some(reason)),
            ReportKind::Restarting { reason, restarts_left, delay } => {
                let (restarts_left, delay) = (*restarts_left, *delay);
                (Self::Restarting { reason: bare(reason), restarts_left, delay }, Some(reason))
            }
            ReportKind::ShutdownError { reason } => {
                (Self::ShutdownError { reason: bare(reason) }, Some(reason))
            }
            ReportKind::Unresponsive { sign } => (Self::Unresponsive { sign: *sign }, None),
            ReportKind::Killed => (Self::Killed, None),
            ReportKind::Abandoned => (Self::Abandoned, None),
            ReportKind::StartLimitHit { reason } => {
                (Self::StartLimitHit { reason: bare(reason) }, Some(reason))
            }
            ReportKind::GaveUp { child } => (Self::GaveUp { child: child.clone() }, None),
            _ => (Self::Other, None),
        }
    }

    /// Returns the reason, if the report has one.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Terminated { reason }
            | Self::StartFailed { reason }
            | Self::Restarting { reason, .. }
            | Self::ShutdownError { reason }
            | Self::StartLimitHit { reason } => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn reason_mut(&mut self) -> Option<&mut Reason> {
        match self {
            Self::Terminated { reason }
            | Self::StartFailed { reason }
            | Self::Restarting { reason, .. }
            | Self::ShutdownError { reason }
            | Self::StartLimitHit { reason } => Some(reason),
            _ => None,
        }
    }
}
