//! The parts of the race that both programs have.

#[path = "../../src/work/durable.rs"]
#[allow(dead_code, reason = "the other program also has contestants without a pool")]
mod durable;
#[path = "../../src/work/measure.rs"]
#[allow(dead_code, reason = "memory is measured in the other program")]
mod measure;
#[path = "../../src/work/tally.rs"]
#[allow(dead_code, reason = "jobs of the other program have work")]
mod tally;

pub use durable::{DurableQueue, jobs};
pub use tally::Tally;
