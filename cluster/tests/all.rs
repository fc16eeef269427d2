//! The tests of what users see, in one program: each file is a module.

mod calls;
mod depth;
mod failures;
mod foreign;
mod group_storms;
mod groups;
mod limits;
mod links;
mod messages;
#[cfg(feature = "metrics")]
mod metrics;
mod storms;
mod support;
mod topics;
#[cfg(feature = "operations")]
mod trees;
mod unique;
mod watch;
