//! Groups across nodes: their members are entries of the tables of names.

mod broadcast;
mod hash;
mod members;
mod monitor;

pub use broadcast::RemoteBroadcastReport;
pub use members::RemoteGroup;
pub use monitor::{RemoteGroupChange, RemoteGroupMonitor};
