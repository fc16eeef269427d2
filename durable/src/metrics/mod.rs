//! What pools and stores do, as metrics of the facade `metrics`.

mod catalog;
mod recorder;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod transaction;

pub(crate) use catalog::{ATTEMPTS, ENDED, PAUSED, RESCUED, RETRIES, STORED, SUBMITTED, WAIT};
pub(crate) use recorder::{count, describe, sample, set};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use transaction::Transaction;

#[cfg(test)]
mod tests;
