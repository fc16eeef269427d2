//! Addresses: how other code reaches an actor, whichever incarnation of it runs.

mod blocking;
mod call;
mod call_timer;
mod callee;
mod debug;
mod errors;
#[cfg(feature = "remote")]
mod followed;
mod handle;
mod info;
mod letters;
mod monitor;
#[cfg(feature = "remote")]
mod outside_link;
mod permit;
mod recipient;
mod reply;
mod send;
mod shutdown;
mod typed;
mod waits;
mod weak;
#[cfg(feature = "remote")]
mod wire_reply;
#[cfg(feature = "remote")]
mod wire_scope;

pub use call::Call;
pub use errors::{CallError, ClosedError, InspectError, NoProcessError, SendError, Unsent};
#[cfg(feature = "remote")]
pub use followed::{FollowedMessage, FollowedOutcome};
pub use handle::{ActorHandle, CloseHook, PendingRestart};
pub use letters::ResendError;
pub use monitor::Monitor;
#[cfg(feature = "remote")]
pub use outside_link::OutsideLink;
pub use permit::{Permit, ReserveFuture};
pub use recipient::{Recipient, RecipientCall};
pub use reply::Reply;
pub use send::{SendFuture, SendTimeoutFuture};
pub use shutdown::SystemShutdown;
pub use typed::{Address, cast_unlinked};
pub use waits::{CallWait, CallWatch};
pub use weak::{WeakActorHandle, WeakAddress};
#[cfg(feature = "remote")]
pub use wire_reply::{ReplyFuture, reply_pair};
#[cfg(feature = "remote")]
pub use wire_scope::{
    AnyAnswer, DecodedAnswer, ReceivedReply, SentReply, decode_answer, decode_replies, drop_sent,
    encode_replies,
};
