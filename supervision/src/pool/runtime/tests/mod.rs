//! Tests of the parts of a running pool without tasks and clocks, and the protocol of submitters
//! and workers under loom.

#[cfg(not(model))]
mod addresses;
#[cfg(not(model))]
mod histogram;
#[cfg(model)]
mod loom_queue;
#[cfg(not(model))]
mod readiness;
#[cfg(not(model))]
mod repair;
#[cfg(not(model))]
mod threads;
#[cfg(not(model))]
mod worker_exit;
