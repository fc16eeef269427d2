//! perennial: `cast` on an unbounded mailbox, `send` on a bounded one, `call` with its timeout of
//! five seconds.
//!
//! An actor is started with `spawn(..).await`, which waits for its init, and stopped with `stop`
//! and a monitor.
//!
//! Actors are looked up with `System::whereis` and `cast_to`, by prepared [`Name`]s.
//!
//! Messages to a supervised actor that has crashed wait for its next incarnation, so no call is
//! repeated.
//!
//! A durable pool has a `SqliteStore` or a `PostgresStore`, and so have durable actors, of which
//! each caller has one.
//!
//! A job is submitted with `submit(..).detach()`, which waits for room in the queue of 1,024 jobs,
//! the default capacity.

mod accounts;
mod durable;
mod peer;
mod rescue;
mod ring;
mod tree;

pub use peer::CONTESTANT;
pub use rescue::{COMMAND as UNTIL_KILLED, work_until_killed};
