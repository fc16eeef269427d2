//! The feeder: leases jobs for the pool in memory, and commits how they ended.

mod exchange;
mod turns;

pub(super) use turns::feed;
