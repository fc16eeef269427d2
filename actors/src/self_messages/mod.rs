//! The messages that an incarnation sends to itself: continuations, timers, piped futures, streams.
//!
//! Such a message never passes through the mailbox. It is not in the mailbox's counters, it does
//! not wait behind the messages of others, and it cannot outlive the incarnation. When the
//! incarnation ends, its timers and futures are dropped. The next incarnation starts without any.
//!
//! Continuations come first, before everything except signals. The mailbox, timers, futures and
//! streams take turns, so that none of them starves another.

mod pipes;
mod schedule;
mod streams;
mod timers;

pub use pipes::PipeHandle;
pub(crate) use schedule::{SelfMessages, Source};
pub use streams::StreamHandle;
pub use timers::TimerId;
