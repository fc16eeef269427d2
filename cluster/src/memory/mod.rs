//! A network in memory, with faults: for tests and simulation.
//!
//! With one seed, on a runtime with one thread and paused time, a run is the same each time.

mod calendar;
mod network;
mod state;

pub use network::{MemoryEngine, MemoryNetwork};
