//! The mailbox: one queue per identity, which outlives every incarnation that works through it.
//!
//! # Model
//!
//! Two lanes behind one lock. The lane of *signals* is never bounded and always first; the lane of *messages* is first
//! in, first out, and bounded unless it was asked not to be. An incarnation *attaches*; while it is attached it takes
//! the whole lane of messages out in one swap: the first in its hand, the rest as its *batch*, and works through that without
//! touching the senders' lock. The batch has a lock of its own that nobody contends for, so that it can be taken away from
//! an incarnation that is stuck and will never come back for it. While the batch is empty, it is not touched.
//!
//! ```text
//!              open             attach                 detach, abandon
//!   Closed ───────────▶ Detached ─────────▶ Served(n) ─────────────────────▶ Detached
//!      ▲                   │                  │
//!      └────── close ──────┴────── close ─────┘
//! ```
//!
//! It queues while it is *vacant* or *served*: somebody is due to work through it. When *closed* it refuses, and gives the
//! message back.
//!
//! # Invariants
//!
//! 1. **Lock order**: lanes before batch. Nothing is woken, dropped or called under either.
//! 2. **One consumer**: the batch is taken from only by the incarnation whose number it bears, the lanes only by the one that is
//!    attached, and only they change what is in hand. Both change at once, under both locks, so an incarnation that looks
//!    under either lock knows whether it still is the one.
//! 3. **Order**: what is in the batch was accepted before what is in the lane; what returns from a batch goes to the
//!    front. So messages settle in the order of their sequence numbers, and a number tells a message's fate. Messages that are
//!    dropped for newer ones leave from the front too; those behind the one in hand count as settled when that one is. What is
//!    dropped on its way in has no number.
//! 4. **Conservation**: accepted = handled + lost + dead + (in the lane) + (in the batch, the one in hand included). Who holds
//!    both locks sees it hold; a message is settled under either.
//! 5. **Bound**: lane + batch + places that are kept never exceed the capacity; the one message in hand is not counted.
//! 6. **Attention**: a bit is set under the lanes' lock, and *seen before the next message is taken*, because the consumer
//!    looks at it under the lock under which it takes one. A sender that found no room sets its bit first and then looks at
//!    the batch, under that lock too: either it sees the place that was just freed, or the consumer sees the bit. So nobody
//!    stands in line while there is room, except under the lanes' lock.
//! 7. **No lost wake-up**: the consumer registers its waker under the lanes' lock after it has found both lanes empty. Then nobody
//!    stands in line either, unless all places are kept; who gives one back lets the line in and wakes the consumer.

mod batch;
mod config;
mod idle;
mod lifecycle;
mod overflow;
mod peek;
mod permits;
mod recv;
mod send;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod wait_queue;

pub use config::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
pub(crate) use idle::Traffic;
pub(crate) use lifecycle::{AttachRefused, DetachEffects};
pub(crate) use overflow::Evicted;
pub(crate) use peek::Peek;
pub(crate) use recv::{NextEvent, ParkResult};
pub(crate) use send::{PushError, WaitsFor};
pub(crate) use shared::Mailbox;
pub(crate) use state::{ExitCallback, ExitHook, Interest, MessageOutcome, PendingRestart};
pub(crate) use wait_queue::TicketOutcome;
