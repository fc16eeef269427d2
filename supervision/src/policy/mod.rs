//! The settings of OTP's supervisor as plain values: when a child restarts, which siblings restart
//! with it, how often, after which delay, and how a child stops.
//!
//! This module only holds values. Specs carry them, and the [engine](crate::engine) decides by
//! them.

mod backoff;
mod child;
mod group;
mod liveness;

pub use backoff::Backoff;
pub use child::{ChildKind, ChildPolicy, Restart, Shutdown};
pub(crate) use group::SupervisorKind;
pub use group::{AutoShutdown, Intensity, Strategy};
pub use liveness::{Liveness, ProbePolicy};
