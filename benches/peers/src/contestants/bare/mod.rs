//! A baseline without a library: a tokio task that reads a channel, and a oneshot for each reply.
//!
//! Names are in a `HashMap` under an `RwLock` of the standard library.
//!
//! A task ends when the last sender is dropped. Its join handle reports the end.
//!
//! A pool is tokio tasks that read one channel of async-channel, because a channel of tokio has
//! only one reader. It is bounded, and a submission waits for room.

mod durable;
mod peer;
mod postgres;
mod ring;
mod tree;

pub use peer::CONTESTANT;
