//! The connections of a node, as metrics of the facade `metrics`.

mod catalog;
mod peers;
mod recorder;
#[cfg(test)]
mod tests;

pub(crate) use peers::PeerMetrics;
