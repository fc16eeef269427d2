//! The running pool: the state behind the lock of the queue, the submitters' side, the workers'
//! side, and the children of the pool's supervisor.

mod addresses;
mod admission;
mod any_attempt;
mod attempt;
mod drain;
mod failures;
mod fn_worker;
mod histogram;
mod job_state;
mod lease;
mod lookup;
mod manager;
mod on_drop;
mod options;
mod outcomes;
mod probing;
mod queue;
mod readiness;
mod recycling;
mod repair;
mod result_sink;
mod shared;
mod submit;
mod submit_buffer;
#[cfg(test)]
mod tests;
mod threads;
mod wait_queue;
mod worker_actor;
mod worker_exit;
mod worker_specs;

pub(crate) use addresses::WorkerMsg;
pub(crate) use admission::AdmitError;
pub(crate) use any_attempt::{AnyAttempt, AnyJob, AttemptInfo, OwnedAttempt};
pub(crate) use attempt::WorkerOf;
pub(crate) use drain::Drainer;
pub(crate) use fn_worker::{BlockingFnWorker, FnWorker};
pub(crate) use job_state::{JobState, NewJob};
pub(crate) use manager::{ManagerArgs, PoolManager};
pub(crate) use on_drop::OnDrop;
pub(crate) use options::{JobOptions, OwnOptions};
pub(crate) use probing::Probing;
pub(crate) use readiness::ReadinessGate;
pub(crate) use recycling::Recycling;
pub(crate) use result_sink::{GuardedOutcome, HandleNumber, ResultSink};
pub use shared::Routing;
pub(crate) use shared::Shared;
pub(crate) use submit::Submit;
pub(crate) use threads::{Thread, ThreadWaiter, Threads, shutdown_time};
pub(crate) use worker_actor::{WorkerActor, WorkerArgs};
pub(crate) use worker_exit::ExitHistory;
pub(crate) use worker_specs::WorkerSpecs;
