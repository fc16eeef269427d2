//! The durable stores that were given to a console: what is asked of them, and in which limits.

#[cfg(feature = "durable")]
mod durable;
mod known;
mod list;

pub(crate) use known::{JobsQuery, KnownStore};
pub(crate) use list::Stores;
