//! What supervisors report: typed events for whoever wants to know, with where and why.
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, System};
//! use perennial_supervision::{Child, SupervisorReport, Supervisor, ReportKind};
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

/// Something that a supervisor did or found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupervisorReport {
    /// The supervisor.
    pub supervisor: Pid,
    /// Whom it is about: the ids from the root of the tree down, with slashes.
    pub path: Arc<str>,
    /// The newest incarnation of whom it is about, if there was one.
    pub pid: Option<Pid>,
    /// What there is to say.
    pub kind: ReportKind,
}

/// What there is to say of a child, or of the supervisor itself if it gave up.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReportKind {
    /// The child has started. OTP's `progress`.
    Started,
    /// The child ended by itself, abnormally or though it is permanent. OTP's `child_terminated`.
    Terminated {
        /// Why.
        reason: ExitReason,
    },
    /// The child did not start. OTP's `start_error`.
    StartFailed {
        /// Why.
        reason: ExitReason,
    },
    /// The child is restarted, and with it those that its supervisor's strategy names.
    Restarting {
        /// Why it had ended, or why its start had failed.
        reason: ExitReason,
        /// How many restarts more its supervisor tolerates at this moment.
        restarts_left: u32,
        /// How long it waits for its restart.
        delay: Duration,
    },
    /// The child was stopped, and ended for another reason than that. OTP's `shutdown_error`.
    ShutdownError {
        /// Why it ended; killed, also if it was abandoned.
        reason: ExitReason,
    },
    /// The child does not get on, and is told to stop. [`Killed`](Self::Killed) and [`Abandoned`](Self::Abandoned) follow if it has to
    /// come to that; [`Terminated`](Self::Terminated) when it is out of the way.
    Unresponsive {
        /// By what it was found.
        sign: LivenessFailure,
    },
    /// The child did not stop in the time that it has, and is killed.
    Killed,
    /// The child did not even die when it was killed, because its code never awaits: its mailbox was taken away from it, and
    /// it runs on without.
    Abandoned,
    /// The supervisor gives up: one restart too many was needed. It takes its children down and ends, for its own
    /// supervisor to decide. OTP's `reached_max_restart_intensity`.
    GaveUp {
        /// The child whose restart was one too many.
        child: Arc<str>,
    },
}

/// By what a child was found to hang.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LivenessFailure {
    /// A handler had been running for so long.
    Handler(Duration),
    /// It had missed so many answers in a row.
    Probe(u32),
}

impl fmt::Display for LivenessFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(time) => write!(f, "a handler has been running for {time:?}"),
            Self::Probe(misses) => write!(f, "{misses} liveness probes unanswered"),
        }
    }
}

impl SystemEvent for SupervisorReport {
    fn subscribe(system: &System) -> Subscription<Self> {
        topic(system).subscribe()
    }
}

/// Where the supervisors of a system report.
pub(crate) fn topic(system: &System) -> &Broadcast<SupervisorReport> {
    system.extension(Broadcast::default)
}
