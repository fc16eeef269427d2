//! kameo: `tell(..).try_send()` on an unbounded mailbox, `tell(..).send()` on a bounded one, and
//! `ask(..).send()`.
//!
//! Awaiting a request without `send` does the same with one more allocation.
//!
//! An actor is started with `spawn_with_mailbox`, which does not wait for its `on_start`, and
//! stopped with `stop_gracefully` and `wait_for_shutdown`.
//!
//! A supervised actor is started with `supervise`. A request between two incarnations waits for the
//! next one, or fails and is repeated. The supervisor is an actor without messages. It holds the
//! only reference to itself, which keeps it running.
//!
//! A job is `tell(Dispatch(..)).try_send()` to the `ActorPool` of kameo_actors, which gives each
//! job to the worker with the fewest. All its mailboxes are unbounded: the default mailboxes of 64
//! messages take half as long again on two threads.

mod peer;
mod ring;
mod tree;

pub use peer::CONTESTANT;
