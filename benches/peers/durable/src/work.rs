//! The parts of the race that both programs have.

#[path = "../../src/shared/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other program has more works and contestants")]
mod shared;

pub use shared::{DurableQueue, Tally, each, jobs};
