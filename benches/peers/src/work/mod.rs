//! The works of the race: what they are, how a contestant does one, and how its cost is measured.
//!
//! Nothing in this module knows a contestant.

mod contestant;
mod crash;
mod crowd;
mod database;
mod drive;
mod goal;
mod named;
mod pools;
mod remote;
mod task;
mod trees;
mod works;

pub use crate::shared::{DurableQueue, Tally, each, jobs as durable_jobs, printed};
pub use contestant::{Begin, Contestant, Life, NoTree, Peer, Pool, Tree};
pub use crash::{Crash, TOLERATED, WITHIN};
pub use database::{Database, folder};
pub use drive::{block_on, drive, on_tokio};
pub use goal::Goal;
pub use task::{
    CALL_TIMEOUT, CALLS, CASTS, CPU_JOBS, CRASHES, CROWD, IDLE, JOB_ROUNDS, JOBS, KILLS, LIVES, LOOKUPS,
    MANY_JOBS, Mailbox, NAMES, ONE_CRASH_IN, PREFETCH, Popularity, REPEATED, ROOM, SUPERVISORS, Task,
    Threads, WARM_UP, WORKERS,
};
pub use works::{Quantity, WORKS, Work, named};
