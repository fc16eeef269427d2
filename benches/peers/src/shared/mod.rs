//! What both programs of the race have: the work of durable queues, its measure, and its account.

mod durable;
mod measure;
mod tally;

pub use durable::{DurableQueue, jobs};
pub use measure::{each, peak, printed, resident};
pub use tally::Tally;
