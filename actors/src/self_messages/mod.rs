//! What an incarnation has set itself to do: continuations, timers, piped futures, streams.
//!
//! All of it ends in a message that the incarnation hands to itself. Such a message never passes through the mailbox: it is
//! not in its accounts, it does not wait behind what others have sent, and it cannot outlive the incarnation. When that
//! ends, timers are forgotten and futures are dropped, and the next incarnation starts with a clean sheet.
//!
//! Continuations come first, ahead of everything but signals. The mailbox, timers, futures and streams take turns, so that none of
//! them starves another.

mod pipes;
mod schedule;
mod streams;
mod timers;

pub use pipes::PipeHandle;
pub(crate) use schedule::{SelfMessages, Source};
pub use streams::StreamHandle;
pub use timers::TimerId;
