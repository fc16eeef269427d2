//! The values: the health of a tree, its reasons, and their texts.

use std::fmt;
use std::sync::Arc;

use perennial_supervision::ChildState;
use serde::{Deserialize, Serialize};

/// The health of a tree at one moment, with the reasons.
///
/// # Examples
///
/// The status of an HTTP probe:
///
/// ```
/// # use perennial_actors::System;
/// # use perennial_operations::Health;
/// # use perennial_supervision::Supervisor;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Supervisor::new("app").start(&System::new()).await?;
/// let health = Health::of(&app).await;
/// let code = if health.is_ready() { 200 } else { 503 };
/// assert_eq!((code, health.to_string().as_str()), (200, "ready"));
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// `true` if the tree has come up once.
    pub started: bool,
    /// `true` if the tree has begun to stop. It is not ready then.
    pub stopping: bool,
    /// Why the tree is not live. Empty if it is.
    pub not_live: Vec<NotLive>,
    /// Why the tree is not ready, in the order of the tree. Empty if it is.
    pub not_ready: Vec<NotReady>,
}

/// Why a tree is not live.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotLive {
    /// The supervisor did not answer in time: its task does not get to run.
    Unresponsive {
        /// The path of the supervisor.
        supervisor: Arc<str>,
    },
    /// The root exceeded its restart intensity. The tree stops or has ended.
    GaveUp {
        /// The id of the root.
        tree: Arc<str>,
    },
    /// The tree has ended.
    Ended {
        /// The id of the root.
        tree: Arc<str>,
    },
}

/// Why a tree is not ready.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotReady {
    /// The tree has not come up yet, or there is none.
    Starting {
        /// The id of the root.
        tree: Arc<str>,
    },
    /// A child that matters does not run, or its start is not complete.
    Down {
        /// The path of the child.
        child: Arc<str>,
        /// Its state.
        state: ChildState,
    },
    /// No worker of the pool is ready.
    NoReadyWorker {
        /// The path of the pool.
        pool: Arc<str>,
    },
    /// The gate is closed.
    GateClosed {
        /// The name of the [`ReadinessGate`](super::ReadinessGate).
        gate: Arc<str>,
    },
}

/// The health of a tree in one word, the most severe first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HealthStatus {
    /// It is not live.
    Failed,
    /// It has not come up yet.
    Starting,
    /// It has begun to stop.
    Stopping,
    /// It is live and not ready.
    NotReady,
    /// It is live and ready.
    Ready,
}

impl Health {
    /// Returns `true` if the tree heals itself: `/livez`. It does not if a supervisor does not
    /// answer, if the root gave up, and if the tree has ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.not_live.is_empty()
    }

    /// Returns `true` if all that matters is up: `/readyz`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.not_ready.is_empty()
    }

    /// Returns `true` if the tree has come up once: `/startupz`.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// Returns the health in one word.
    #[must_use]
    pub fn status(&self) -> HealthStatus {
        if !self.is_live() {
            HealthStatus::Failed
        } else if !self.is_started() {
            HealthStatus::Starting
        } else if self.stopping {
            HealthStatus::Stopping
        } else if self.is_ready() {
            HealthStatus::Ready
        } else {
            HealthStatus::NotReady
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Failed => "failed",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::NotReady => "not ready",
            Self::Ready => "ready",
        })
    }
}

/// Displays the status, and the reasons in one line: `not ready: app/db is restarting`.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status())?;
        let mut separator = ": ";
        for reason in &self.not_live {
            write!(f, "{separator}{reason}")?;
            separator = ", ";
        }
        for reason in &self.not_ready {
            write!(f, "{separator}{reason}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl fmt::Display for NotLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresponsive { supervisor } => write!(f, "{supervisor} does not answer"),
            Self::GaveUp { tree } => write!(f, "{tree} gave up"),
            Self::Ended { tree } => write!(f, "{tree} has ended"),
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting { tree } => write!(f, "{tree} has not started"),
            Self::Down { child, state } => write!(f, "{child} is {state}"),
            Self::NoReadyWorker { pool } => write!(f, "{pool} has no ready worker"),
            Self::GateClosed { gate } => write!(f, "{gate} is closed"),
        }
    }
}
