//! The works of the race: what they are, how a contestant does one, and how its cost is measured.
//!
//! Nothing in this module knows a contestant.

mod contestant;
mod crash;
mod drive;
mod goal;
mod measure;
mod named;
mod pools;
mod tally;
mod task;
mod works;

pub use contestant::{Contestant, Peer, Pool};
pub use crash::{Crash, TOLERATED, WITHIN};
pub use drive::{drive, on_tokio};
pub use goal::Goal;
pub use tally::Tally;
pub use task::{
    CALLS, CASTS, CPU_JOBS, CRASHES, IDLE, JOB_ROUNDS, JOBS, LIVES, LOOKUPS, Mailbox, NAMES, ROOM, Task,
    Threads, WORKERS,
};
pub use works::{WORKS, Work, named};
