//! The side effects of supervision: the driver feeds events to the [engine](crate::engine) and
//! performs its actions.
//!
//! # Model
//!
//! A supervisor is a ractor actor whose only message is `()`. That message is a *doorbell*. The
//! real inbox is a mailbox of this library, and its waker sends the doorbell message. The
//! supervisor therefore has an identity that survives its restarts, and children report to it as to
//! any address.
//!
//! Each doorbell message empties the inbox, steps the engine and performs its actions. This never
//! waits: children start in tasks of their own and report back, and timeouts are messages.
//!
//! # Ends
//!
//! A supervisor notifies its parent of its exit only when everything below it has exited. A restart
//! by the parent therefore never meets an old incarnation. An orderly shutdown stops all children
//! first. After a kill, of the identity or of the ractor actor, a [cleanup](cleanup) task kills the
//! children and waits for their exits before the parent is notified.

mod answering;
mod children;
mod cleanup;
mod clock;
mod host;
mod inbox;
mod inspect;
mod node;
mod reports;
mod requests;
mod root;
mod run;
mod state;

pub(crate) use inbox::{Answer, DriverMsg, ManagementRequest, Query, Specs};
pub(crate) use node::{SupervisorNode, WeakSupervisorNode, supervisor_of};
pub use reports::SupervisionStats;
pub(crate) use root::{Root, start, start_tied};
