//! The node: its settings and its handle, and the gateway that all packets pass through.

mod builder;
mod claims;
mod deliver;
mod dispatch;
mod gateway;
mod handle;
mod links;
#[cfg(feature = "zenoh")]
mod network;
mod node_watch;
mod own_groups;
mod own_names;
mod registry_changes;
mod report;
mod served;
mod state;
#[cfg(test)]
mod tests;

pub use builder::NodeBuilder;
pub use handle::{Node, RemoteChild};
pub use node_watch::NodeWatch;
