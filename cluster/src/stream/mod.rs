//! The two directions of the stream between two nodes: sequence numbers, a credit window, and the
//! account of what was lost.

mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

pub(crate) use incoming::{Arrival, Incoming};
pub(crate) use outgoing::Outgoing;
