//! The network between machines, on zenoh: a library that connects processes with each other, with
//! no server between them.
//!
//! zenoh panics on a runtime with one thread, and what it sends can wait. So it is called on
//! threads of this module: one that opens and closes, and one for each peer that is sent to. A
//! caller gives it only what it takes or drops at once, for which it needs no runtime. Its own
//! threads call back, and what they call never waits. Nothing outside of this folder knows zenoh.
//!
//! Encrypted connections are QUIC. zenoh's TLS over TCP reads and writes one stream from two
//! threads at once (zenoh's issue 2557, open in 1.10.2): between nodes that talk both ways it lost
//! packets within seconds, and it can harm the memory of the process.

mod access;
mod address;
mod control;
mod engine;
mod error;
mod keys;
mod network;
mod options;
mod queue;
mod sender;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod watchdog;

pub(crate) use engine::ZenohEngine;
pub use error::NetworkError;
pub(crate) use settings::Limits;
pub use settings::NetworkConfig;
pub use tls::Tls;
