//! Addresses: how everybody else reaches an actor, whichever incarnation of it lives.

mod call;
mod errors;
mod handle;
mod monitor;
mod reply;
mod send;
mod typed;

pub use call::{Call, CallFuture};
pub use errors::{CallError, Closed, NoProcess, SendError};
pub use handle::Handle;
pub use monitor::{Down, Monitor};
pub use reply::Reply;
pub use send::Sending;
pub use typed::Address;
