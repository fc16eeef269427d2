//! ractor: `cast!` and `call!`, the latter without a timeout. Its mailboxes are all unbounded.
//!
//! An actor is started with `Actor::spawn(..).await`, which waits for its `pre_start`, and stopped
//! with `stop`. Its join handle reports the end.
//!
//! ractor has no supervisors. The static supervisor of ractor-supervisor is used, which restarts
//! without delay. Each incarnation is a new actor under the same name. The name is looked up and
//! called until an incarnation answers.
//!
//! A job is dispatched to a `Factory` with queuer routing and its default queue, which is
//! unbounded. Round robin is no cheaper.

mod peer;
mod ring;
mod tree;

pub use peer::CONTESTANT;
