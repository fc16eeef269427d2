//! Addresses: how everybody else reaches an actor, whichever incarnation of it lives.

mod blocking;
mod call;
mod calling;
mod debug;
mod errors;
mod handle;
mod info;
mod monitor;
mod permit;
mod recipient;
mod reply;
mod send;
mod shutdown;
mod typed;
mod weak;

pub use call::Call;
pub use errors::{CallError, Closed, InspectError, NoProcess, SendError, Unsent};
pub use handle::{CloseHook, Handle, Outage};
pub use info::ProcessInfo;
pub use monitor::Monitor;
pub use permit::{Permit, Reserving};
pub use recipient::{Recipient, RecipientCall};
pub use reply::Reply;
pub use send::{Sending, SendingUntil};
pub use shutdown::SystemShutdown;
pub use typed::Address;
pub use weak::{WeakAddress, WeakHandle};
