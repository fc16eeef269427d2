//! The settings of OTP's supervisor as plain values: when a child restarts, which siblings restart
//! with it, how often, after which delay, and how a child stops.
//!
//! For the choice of values see
//! [`DynamicSupervisor`](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
//!
//! This module only holds values. Specs carry them, and the [engine](crate::engine) decides by
//! them.

mod backoff;
mod child;
mod condition;
mod group;
mod liveness;
mod start_limit;
mod systemd;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use child::{ChildKind, ChildPolicy, Restart, Shutdown};
pub(crate) use condition::RestartCondition;
pub use group::{AutoShutdown, Intensity, Strategy};
pub(crate) use group::{RestartLimit, SupervisorKind};
pub use liveness::{Liveness, ProbePolicy};
pub use start_limit::StartLimit;
