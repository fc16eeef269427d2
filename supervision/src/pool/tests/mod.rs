//! The pure parts of a pool, by themselves: no task, no clock.

mod board;
mod model;
mod rate;
mod scale;
mod stats;
mod traces;
