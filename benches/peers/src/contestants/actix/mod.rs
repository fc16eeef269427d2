//! actix: `do_send`, which knows no bounds, and `send`, which waits for room and for the reply.
//!
//! It has no multi-threaded runtime: a `System` and every `Arbiter` is a thread with its own
//! runtime. With two threads, the senders run on the system's thread and the actors on an
//! arbiter's. With one, both run on the system's thread, as with `#[actix::main]`.
//!
//! An actor is started with `create`, which does not wait for its `started`, and stopped with
//! `Context::stop`. The library has no future for the exit of an actor. Therefore the actor holds
//! one end of a channel, which closes when the actor is dropped.
//!
//! A supervisor restarts the same actor value after it has stopped, and calls its `restarting`,
//! which resets the state here.
//!
//! A job is `do_send` to a `SyncArbiter`, whose workers are its own threads. Only the senders run
//! on the threads of the race.

mod peer;
mod ring;

pub use peer::CONTESTANT;
