//! The queue of a pool as a pure state machine: queued jobs, leases and idle workers.
//!
//! It has no clock, task or lock: the time is an argument, and the workers to wake are a result. It
//! knows no more of a job than its placement.
//!
//! # Rules
//!
//! 1. A job is in exactly one place: queued, delayed, or leased to one worker.
//! 2. A lease belongs to a slot and an incarnation. Calls of an old incarnation have no effect.
//! 3. A worker that finds no job is idle, and is woken for the next job that it may run. So no job
//!    waits beside an idle worker, unless the pool is paused or limited by its rate, or the job by
//!    the rate of its kind.
//! 4. Jobs are leased by priority, then by number. A retried job keeps its number, so it precedes
//!    the jobs that were submitted after it.
//! 5. An expired job is never leased, and is removed as soon as it has expired.
//! 6. A worker *runs* from `worker_started` to `worker_exited`, unless its slot is closed. Jobs are
//!    routed only to running workers. If no worker runs, or the chosen one stops running, any
//!    worker may run the job.
//! 7. A worker is *due* while its slot is open. A job with a key waits for the worker that the key
//!    maps to while that worker is due; after that, the key maps to another worker.
//! 8. A job that failed on one worker is retried on another, as long as another worker runs. A job
//!    with a key stays with its worker.
//! 9. A pinned job waits for its worker while that worker is due, and is dropped after that.
//! 10. A job whose kind has used up its rate is *held*. No worker finds it, so it holds back no job
//!     of another kind.
//! 11. A worker that is not *ready* leases no job. Its leased job is finished. The jobs that were
//!     routed to it go to all workers; jobs with a key and pinned jobs wait, as they do while it is
//!     restarted. In rules 6 and 8, only ready workers count as running. While a call that outlives
//!     its attempt runs on the thread of a slot, no worker there is ready. A renewal is no break of
//!     the readiness, from the end of a ready incarnation until the next one is ready or fails.
//! 12. While the pool is paused, or a hold lasts, no job is leased. When the last of them ends, all
//!     idle workers look for a job.

mod job_queues;
mod key_rates;
mod kind_queues;
mod manage;
mod plain;
mod priority_queue;
mod rate;
mod rate_limit;
mod rates;
mod readiness;
mod retention;
mod rollout;
mod rollout_downtime;
mod rollout_events;
mod rollout_limit;
mod rollout_place;
mod rollout_resize;
mod scale;
mod slots;
mod state;
#[cfg(all(test, not(model)))]
mod tests;

pub(crate) use job_queues::Place;
pub(crate) use key_rates::RateKey;
pub(crate) use plain::PlainLease;
pub(crate) use priority_queue::{Placement, QueuedJob, Target};
pub use rate_limit::RateLimit;
pub(crate) use retention::Retention;
pub use rollout::RolloutDirection;
pub(crate) use rollout::{RolloutState, RolloutStep, SlotOutcome, StepEnd, Version};
pub use rollout_limit::RolloutLimit;
pub(crate) use rollout_limit::RolloutLimits;
pub use scale::PoolSize;
pub(crate) use scale::{Load, Scale};
pub(crate) use slots::ReadinessSource;
pub(crate) use state::{EXPIRED_AT_ONCE, Next, Phase, Scheduler, Time};
