//! The pools whose jobs the console shows: without the types of their jobs, and with what happened
//! to each job.

mod known;
mod list;
mod log;

pub(crate) use known::{JobsFilter, KnownPool};
pub(crate) use list::Pools;
