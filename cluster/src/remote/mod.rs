//! Addresses of actors on other nodes.

mod address;
mod call;
mod encode;
mod link;
mod monitor;

pub use address::RemoteAddress;
pub use call::RemoteCall;
pub(crate) use encode::Encoding;
pub use link::RemoteLink;
pub use monitor::{RemoteDown, RemoteMonitor};
