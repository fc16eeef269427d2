//! Which entity runs, waits or is stopped: a pure state machine. Events in, actions out, no clock.
//!
//! 1. At most [`max_live`](Limits::max_live) incarnations exist, those that start and stop
//!    included.
//! 2. An entity is started only while it has a message, in the order in which entities got theirs.
//! 3. After a failure it is not started before its own delay is over, whatever the others do.
//! 4. If entities wait for a place, those that were used least recently are stopped, an idle one
//!    before one that works. One that works has had its turn first.
//! 5. Of a slot that is used again, an event for its earlier entity has no effect.

mod core;
mod places;
mod slots;
#[cfg(test)]
mod tests;
mod values;

pub(super) use core::Engine;
pub(super) use slots::SlotKey;
pub(super) use values::{Action, Event, Limits, Reading};
