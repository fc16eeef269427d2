//! Actions: what a client with the token may do, and the log of what was tried.

mod actors;
mod audit;
mod debug;
mod letters;
mod pools;

pub(crate) use actors::{ActorAction, act, allowed};
pub(crate) use audit::Audit;
pub(crate) use debug::DebugMessages;
pub(crate) use letters::KeptLetters;
pub(crate) use pools::{DeadJobs, JobAction, PoolAction, act as act_on_pool, act_on_dead_jobs, act_on_job};
