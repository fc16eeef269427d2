//! The health of a tree: whether it is live, ready and started, and why not.
//!
//! The three words are those of Kubernetes' probes. A tree that is not *live* does not heal itself
//! any more: its process has to be replaced. A tree that is not *ready* should get no traffic. A
//! tree that is not *started* is still coming up for the first time.
//!
//! [`HealthCheck`] reads the tree, asks its supervisors, and lets the pure function in `decision`
//! decide.

mod check;
mod decision;
mod gate;
mod path;
#[cfg(test)]
mod tests;
mod types;

pub use check::HealthCheck;
pub use gate::ReadinessGate;
pub use types::{Health, HealthStatus, NotLive, NotReady};
