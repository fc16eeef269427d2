//! What durable pools and stores do, as metrics of the facade `metrics`.

mod catalog;
mod jobs;
mod measure;
mod recorder;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod transaction;

pub(crate) use jobs::{count_end, count_event, sample_wait};
pub(crate) use measure::measured;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use transaction::Transaction;

#[cfg(test)]
mod tests;
