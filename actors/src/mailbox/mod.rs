//! The mailbox: one queue per identity, which outlives every incarnation that receives from it.
//!
//! # Model
//!
//! A mailbox has two queues behind one lock, the state lock. The *signal queue* is unbounded and
//! always goes first. The *message queue* is first in, first out, and bounded unless it is
//! configured otherwise.
//!
//! An incarnation *attaches*. While it is attached, it takes the whole message queue out in one
//! swap: the first message is then *in flight*, and the rest is its *batch*. It works through the
//! batch without the state lock. The batch has its own lock, which is normally uncontended. With
//! that lock the batch can be taken away from an incarnation that is stuck and never returns. An
//! empty batch is not touched.
//!
//! An actor takes up to eight messages out of the batch under one lock, as long as its handlers do
//! not await, and keeps them in its task: see [`Taken`]. All of them are in flight. It counts them
//! off without a lock. It returns the rest to the batch as soon as a handler awaits or a signal
//! comes, and when it ends. So several messages are in flight only while code runs that does not
//! await, and only an abandoned incarnation takes them along.
//!
//! ```text
//!              open             attach                  detach, abandon
//!   Closed -----------> Detached ---------> Attached(n) --------------------> Detached
//!      ^                   |                    |
//!      +------ close ------+------- close ------+
//!
//!                drain                 detach             open
//!   Attached(n) -------> Draining(n) --------> Drained ---------> Detached
//! ```
//!
//! A *detached* or *attached* mailbox queues messages, because an incarnation will receive them. A
//! *closed* mailbox returns the message to the sender.
//!
//! A *draining* mailbox has an incarnation attached too, but returns messages to their senders. The
//! incarnation stops once it has handled the queued messages. Then the mailbox is *drained*: its
//! owner closes it, or opens it for the next incarnation.
//!
//! # Invariants
//!
//! 1. **Lock order**: state before batch. Nothing is woken, dropped or called under either lock.
//! 2. **One consumer**: only the owner of the batch takes from it, only the attached incarnation
//!    takes from the queues, and only they change the number of messages that were taken. The owner
//!    and the attached incarnation change together, under both locks. So an incarnation that checks
//!    under either lock knows whether it is still the consumer. How many of the taken messages are
//!    not handled is in a cell that belongs to the incarnation alone, also after its end.
//! 3. **Order**: messages in the batch were accepted before messages in the queue, and the rest of
//!    a batch returns to the front. So messages settle in the order of their sequence numbers, and
//!    the number determines the outcome. Evicted messages leave from the front too. Evicted
//!    messages behind the one in flight count as settled when it settles. A message that is
//!    discarded on arrival has no number.
//! 4. **Conservation**: accepted = handled + lost + dead + queued + batch + in flight. The equation
//!    holds under both locks.
//! 5. **Bound**: queue + batch + reserved places + messages in flight never exceed the capacity.
//!    The one message that is being handled is not counted.
//! 6. **Event flags**: a flag is set under the state lock. A consumer that takes a message under a
//!    lock reads the flags under it. One that has taken messages before reads the flags without a
//!    lock: a flag that was set *before* the previous handler returned is seen. A consumer whose
//!    handler awaits reads them under the state lock, and admits senders and informs callers then.
//!    A sender that found no room first sets its flag and then reads what was taken, under both
//!    locks. So no sender waits while there is room and a handler awaits. While the consumer works
//!    through its batch without an await, senders wait until there is room for several.
//! 7. **No lost wake-up**: the consumer registers its waker under the state lock after it found
//!    both queues empty. Then no sender waits either, unless all places are reserved. The release
//!    of a reserved place admits waiting senders and wakes the consumer.

mod any;
mod callbacks;
mod cold;
mod config;
mod lifecycle;
mod observed;
mod overflow;
mod recv;
mod send;
mod sender_spans;
mod senders;
mod shared;
mod stamp;
mod state;
mod taken;
#[cfg(test)]
mod tests;
mod wait_queue;

pub(crate) use any::{AnyMailbox, Traffic};
pub(crate) use cold::{AnyLetters, ExitHook, PendingRestart};
pub use config::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
pub(crate) use lifecycle::{AttachRefused, DetachEffects};
pub(crate) use overflow::Evicted;
pub(crate) use recv::Event;
pub(crate) use send::{Admission, PushError, WaitsFor, wake};
pub(crate) use shared::Mailbox;
pub(crate) use state::{Interest, MessageOutcome};
pub(crate) use taken::Taken;
pub(crate) use wait_queue::TicketOutcome;
