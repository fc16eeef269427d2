//! The status of a supervisor: its settings, and what is left of its restarts.
//!
//! # Examples
//!
//! ```
//! use perennial_actors::System;
//! use perennial_supervision::{Supervisor, SupervisorStatus};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let mut changes = system.subscribe::<SupervisorStatus>();
//! let app = Supervisor::new("app").start(&system).await?;
//! let status = changes.next().await.ok_or("the system is there")?;
//! assert_eq!((&*status.path, status.restarts), ("app", 0));
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use perennial_actors::host::Broadcast;
use perennial_actors::{Pid, Subscription, System, SystemEvent};

use crate::policy::Strategy;

/// The status of one incarnation of a supervisor.
///
/// As an event it is published whenever it changes: at the start of the incarnation, at each
/// restart of a child, when the supervisor gives up, and when its spec is changed. It always holds
/// the whole status, so a subscriber that missed some has the right one again with the next.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SupervisorStatus {
    /// The incarnation.
    pub pid: Pid,
    /// The path in the tree: the ids from the root down, separated by slashes.
    pub path: Arc<str>,
    /// Which siblings restart together with a child, or `None` for a dynamic supervisor, whose
    /// children are independent.
    pub strategy: Option<Strategy>,
    /// The restarts of its children, failed attempts included. A group restart counts once.
    pub restarts: u64,
    /// The number of further restarts that it tolerated right after the last one, or `None` before
    /// the first. `u32::MAX` stands for any number. [`Tree::restarts_left`](crate::Tree) has the
    /// number at the moment, which grows again with time.
    pub restarts_left: Option<u32>,
    /// `true` if it exceeded its intensity and stops.
    pub gave_up: bool,
}

impl SystemEvent for SupervisorStatus {
    fn subscribe(system: &System) -> Subscription<Self> {
        changes(system).subscribe()
    }
}

/// Returns the broadcast of the statuses of a system.
pub(crate) fn changes(system: &System) -> &Broadcast<SupervisorStatus> {
    &system.extension(Changes::default).0
}

#[derive(Default)]
struct Changes(Broadcast<SupervisorStatus>);
