//! The only part of supervision that does anything: it feeds the [engine](crate::engine) and carries out what that decides.
//!
//! # Model
//!
//! A supervisor is a ractor actor that is sent nothing but `()`. That message is a *doorbell*: its real inbox is a
//! perennial mailbox, and the waker that the mailbox wakes rings the bell. So the same mailbox serves both hosts, a
//! supervisor has an identity of its own that survives its restarts, and children report to it like to any address.
//!
//! Every turn of the bell takes what is in the inbox, steps the engine and performs its actions. Nothing in a turn waits:
//! children start in tasks of their own and report back, timeouts are messages.
//!
//! # Ends
//!
//! A supervisor tells its parent of its end only when everything below it is gone, so that the parent's restart never
//! meets an old incarnation. It is so after an orderly end by itself. After a kill, of the identity or of the ractor
//! actor, the [remains](cleanup) are seen to by a task that kills the children and waits for them first.

mod children;
mod cleanup;
mod clock;
mod host;
mod inbox;
mod inspect;
mod nested;
mod node;
mod reporter;
mod requests;
mod root;
mod run;
mod state;
mod stats;
mod watchdog;

pub(crate) use inbox::{ChildRef, DriverMsg, ManagementRequest};
pub(crate) use node::{SupervisorNode, WeakSupervisorNode, supervisor_of};
pub(crate) use root::{Root, start, start_tied};
pub(crate) use state::SupervisorState;
pub use stats::SupervisionStats;
