//! What each operation means, as pure functions: the transitions of one record, and the steps of a
//! batch over any tables.

mod apply;
mod tables;
mod transitions;

pub(crate) use apply::{ApplyError, apply};
pub(crate) use tables::{JournalHead, Tables};

#[cfg(test)]
mod tests;
