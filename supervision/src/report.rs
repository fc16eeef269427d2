//! The reports of supervisors: typed events with the path of the child and the reason.
//!
//! # Examples
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, System};
//! use perennial_supervision::{Child, ReportKind, Supervisor, SupervisorReport};
//!
//! struct Worker;
//!
//! impl Actor for Worker {
//!     type Msg = ();
//!     type Args = ();
//!     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Worker) }
//!     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> {
//!         Err(ExitReason::failed("on purpose"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let mut reports = system.subscribe::<SupervisorReport>();
//! let worker = Child::new::<Worker>("worker", ());
//! let address = worker.address();
//! let app = Supervisor::new("app").child(worker).start(&system).await?;
//! address.cast(())?;
//!
//! while let Some(report) = reports.next().await {
//!     if let ReportKind::Restarting { restarts_left, .. } = report.kind {
//!         assert_eq!((&*report.path, restarts_left), ("app/worker", 0));
//!         break;
//!     }
//! }
//! # let _ = app.shutdown().await;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Broadcast;
use perennial_actors::{ExitReason, Pid, Subscription, System, SystemEvent};

/// An action or an observation of a supervisor.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupervisorReport {
    /// The pid of the supervisor.
    pub supervisor: Pid,
    /// The path of the subject: the ids from the root of the tree down, separated by slashes.
    pub path: Arc<str>,
    /// The latest incarnation of the subject, if it had one.
    pub pid: Option<Pid>,
    /// The kind of the report.
    pub kind: ReportKind,
}

/// The kind of a report. Its subject is a child, or the supervisor itself for
/// [`GaveUp`](Self::GaveUp).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReportKind {
    /// The child has started. OTP's `progress`.
    Started,
    /// The child ended by itself: with an abnormal reason, or with any reason if it is permanent.
    /// OTP's `child_terminated`.
    Terminated {
        /// The exit reason.
        reason: ExitReason,
    },
    /// The child did not start. OTP's `start_error`.
    StartFailed {
        /// The reason why the start failed.
        reason: ExitReason,
    },
    /// The child is restarted, together with the siblings that the strategy names.
    Restarting {
        /// The exit reason, or the reason why the start failed.
        reason: ExitReason,
        /// The number of further restarts that the supervisor tolerates at this moment.
        restarts_left: u32,
        /// The delay before the restart.
        delay: Duration,
    },
    /// The child was stopped, and ended with another reason than that of the stop. OTP's
    /// `shutdown_error`.
    ShutdownError {
        /// The exit reason: `Killed` also for an abandoned child.
        reason: ExitReason,
    },
    /// The child is unresponsive and is asked to stop. [`Killed`](Self::Killed) and
    /// [`Abandoned`](Self::Abandoned) follow if it does not stop. [`Terminated`](Self::Terminated)
    /// follows once it has ended or is abandoned.
    Unresponsive {
        /// The check that failed.
        sign: LivenessFailure,
    },
    /// The child did not stop within its shutdown timeout and is killed.
    Killed,
    /// The child did not end after a kill, because its code never awaits. Its mailbox was taken
    /// away from it, and it keeps running without one.
    Abandoned,
    /// The child was started as often as its [start limit](crate::Child::start_limit) allows. It
    /// stays down as a [failed](crate::ChildState::Failed) one, and its siblings go on. systemd's
    /// `start-limit-hit`.
    StartLimitHit {
        /// The reason of its last exit, or why its last start failed.
        reason: ExitReason,
    },
    /// The restart intensity was exceeded. The supervisor stops its children and ends, and its own
    /// supervisor decides. OTP's `reached_max_restart_intensity`.
    GaveUp {
        /// The child whose restart exceeded the intensity.
        child: Arc<str>,
    },
}

/// The liveness check that a child failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LivenessFailure {
    /// A handler has been running for this time, which exceeds its deadline.
    Handler(Duration),
    /// A handler or a task has not pinged its watchdog for this time, which exceeds its limit.
    Watchdog(Duration),
    /// This number of successive probes went unanswered.
    Probe(u32),
}

impl fmt::Display for LivenessFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(time) => write!(f, "a handler has been running for {time:?}"),
            Self::Watchdog(time) => write!(f, "the watchdog has not been pinged for {time:?}"),
            Self::Probe(misses) => write!(f, "{misses} liveness probes unanswered"),
        }
    }
}

impl SystemEvent for SupervisorReport {
    fn subscribe(system: &System) -> Subscription<Self> {
        topic(system).subscribe()
    }
}

/// Returns the broadcast of the reports of a system.
pub(crate) fn topic(system: &System) -> &Broadcast<SupervisorReport> {
    system.extension(Broadcast::default)
}
