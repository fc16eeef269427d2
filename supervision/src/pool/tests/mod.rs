//! Tests of the parts of a pool without tasks and clocks, and the protocol of submitters and
//! workers under loom.

#[cfg(model)]
mod loom_queue;
#[cfg(not(model))]
mod model;
#[cfg(not(model))]
mod priority_queue;
#[cfg(not(model))]
mod rate;
#[cfg(not(model))]
mod repair;
#[cfg(not(model))]
mod routing;
#[cfg(not(model))]
mod scale;
#[cfg(not(model))]
mod scheduler;
#[cfg(not(model))]
mod scheduler_state;
#[cfg(not(model))]
mod stats;
#[cfg(not(model))]
mod traces;
