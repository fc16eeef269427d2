//! The words of OTP's supervisor, as plain values: when a child is restarted, with whom, how often, how soon, and how it is stopped.
//!
//! Which of them to choose: see
//! [`DynamicSupervisor`](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
//!
//! Nothing here does anything. The [engine](crate::engine) decides by these values, specs carry them.

mod backoff;
mod child;
mod group;
mod liveness;

pub use backoff::Backoff;
pub use child::{ChildKind, ChildPolicy, Restart, Shutdown};
pub use group::{AutoShutdown, Intensity, Strategy};
pub(crate) use group::{RestartLimit, SupervisorKind};
pub use liveness::{Liveness, ProbePolicy};
