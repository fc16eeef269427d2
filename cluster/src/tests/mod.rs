//! Tests of the pure parts, by rules that hold whatever happens, and of what is behind one lock.

mod inbox;
mod membership;
mod memory;
mod peer;
mod pending;
mod session;
