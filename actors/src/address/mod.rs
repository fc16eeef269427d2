//! Addresses: how everybody else reaches an actor, whichever incarnation of it lives.

mod call;
mod debug;
mod errors;
mod handle;
mod info;
mod monitor;
mod reply;
mod send;
mod typed;

pub use call::{Call, CallFuture};
pub use errors::{CallError, Closed, InspectError, NoProcess, SendError};
pub use handle::Handle;
pub use info::ProcessInfo;
pub use monitor::Monitor;
pub use reply::Reply;
pub use send::Sending;
pub use typed::Address;
