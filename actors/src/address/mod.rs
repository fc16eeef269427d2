//! Addresses: how other code reaches an actor, whichever incarnation of it runs.

mod blocking;
mod call;
mod call_timer;
mod callee;
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
mod waits;
mod weak;

pub use call::Call;
pub use errors::{CallError, ClosedError, InspectError, NoProcessError, SendError, Unsent};
pub use handle::{ActorHandle, CloseHook, PendingRestart};
pub use monitor::Monitor;
pub use permit::{Permit, ReserveFuture};
pub use recipient::{Recipient, RecipientCall};
pub use reply::Reply;
pub use send::{SendFuture, SendTimeoutFuture};
pub use shutdown::SystemShutdown;
pub use typed::{Address, cast_unlinked};
pub use waits::{CallWait, CallWatch};
pub use weak::{WeakActorHandle, WeakAddress};
