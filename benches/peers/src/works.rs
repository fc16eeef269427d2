//! The works of the race as data: their sizes, and the targets of perennial.

use self::Mailbox::{Bounded, Unbounded};
use self::Threads::{One, Two};
use crate::contestants::Contestant::{self, Actix, Bare, Erlang, Kameo, Ractor};

/// Messages of one flood.
pub const CASTS: u64 = 1_000_000;
/// Requests and replies, one after the other.
pub const CALLS: u64 = 200_000;
/// Actors that are started and stopped.
pub const LIVES: u64 = 200_000;
/// Crashes of one supervised actor, one after the other.
pub const CRASHES: u64 = 20_000;
/// Actors that have a name.
pub const NAMES: u64 = 10_000;
/// Lookups by name, all in all.
pub const LOOKUPS: u64 = 1_000_000;
/// Empty jobs of a pool of [`WORKERS`].
pub const JOBS: u64 = 500_000;
/// The workers that share [`JOBS`].
pub const WORKERS: usize = 4;
/// Jobs that keep a processor busy.
pub const CPU_JOBS: u64 = 10_000;
/// The rounds of each of these jobs: some 50 microseconds.
pub const JOB_ROUNDS: u64 = 30_000;
/// Idle actors whose memory is measured.
pub const IDLE: u64 = 100_000;
/// The capacity of a bounded mailbox.
pub const ROOM: usize = 1_024;

/// The bound of a mailbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mailbox {
    Unbounded,
    /// [`ROOM`] messages. A sender waits for room.
    Bounded,
}

/// The threads of the senders and the actors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Threads {
    One,
    Two,
}

/// How an actor crashes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crash {
    /// Its handler returns an error.
    Error,
    /// Its handler panics.
    Panic,
}

/// The task of a work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// `senders` senders share [`CASTS`] messages to one actor, until it has handled the last.
    Cast { senders: u64, mailbox: Mailbox, threads: Threads },
    /// [`CALLS`] requests from one task, each after the reply to the one before.
    Call { mailbox: Mailbox, threads: Threads },
    /// [`LIVES`] actors: start all, stop all, wait for all exits.
    SpawnStop,
    /// [`CRASHES`] of a supervised actor, each after the first answer of the incarnation after the
    /// previous crash.
    Restart(Crash),
    /// [`LOOKUPS`] of [`NAMES`] names, from one task.
    Whereis,
    /// [`CASTS`] from one task to `actors` of the [`NAMES`] actors in turn, with a lookup by name
    /// before each. It ends when the last is handled.
    NamedCast { actors: u64 },
    /// [`JOBS`] empty jobs from one task to a pool of [`WORKERS`], until the last is done.
    EmptyJobs { threads: Threads },
    /// [`CPU_JOBS`] by one worker, and by two.
    SpeedUp,
    /// [`IDLE`] actors that have handled one message each.
    IdleBytes,
}

impl Task {
    pub const fn threads(self) -> Threads {
        match self {
            Self::Cast { threads, .. } | Self::Call { threads, .. } | Self::EmptyJobs { threads } => threads,
            Self::SpawnStop
            | Self::Restart(_)
            | Self::Whereis
            | Self::NamedCast { .. }
            | Self::SpeedUp
            | Self::IdleBytes => Two,
        }
    }
}

/// The value with which a result is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    Peer(Contestant),
    /// A fixed amount, in the unit of the work.
    Limit(f64),
}

/// The required minimum of the other's cost divided by perennial's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    pub against: Against,
    pub at_least: f64,
}

/// One work of the race. Every result is a cost: less is better.
#[derive(Debug)]
pub struct Work {
    pub name: &'static str,
    /// The unit of a result, for each message, call, actor, restart or job.
    pub unit: &'static str,
    pub task: Task,
    pub targets: &'static [Target],
}

const fn peer(peer: Contestant, at_least: f64) -> Target {
    Target { against: Against::Peer(peer), at_least }
}

const fn limit(most: f64) -> Target {
    Target { against: Against::Limit(most), at_least: 1.0 }
}

const fn ns(name: &'static str, task: Task, targets: &'static [Target]) -> Work {
    Work { name, unit: "ns", task, targets }
}

const fn cast(senders: u64, mailbox: Mailbox, threads: Threads) -> Task {
    Task::Cast { senders, mailbox, threads }
}

const fn call(mailbox: Mailbox, threads: Threads) -> Task {
    Task::Call { mailbox, threads }
}

const CASTING: &[Target] = &[peer(Ractor, 8.0), peer(Kameo, 8.0), peer(Actix, 8.0), peer(Bare, 1.0)];
const CASTING_4: &[Target] = &[peer(Ractor, 4.0), peer(Kameo, 4.0), peer(Actix, 4.0), peer(Bare, 1.0)];
const CALLING: &[Target] = &[peer(Ractor, 2.5), peer(Kameo, 2.5), peer(Actix, 2.5), peer(Bare, 1.0 / 1.3)];
// The limits are those of a quiet machine; unwinding alone takes some 4 of the 8 microseconds.
const RESTARTING: &[Target] = &[limit(5_000.0), peer(Kameo, 2.0), peer(Ractor, 100.0), peer(Erlang, 10.0)];
const UNWINDING: &[Target] = &[limit(8_000.0), peer(Kameo, 2.0), peer(Ractor, 100.0), peer(Erlang, 10.0)];

// This limit too is that of a quiet machine.
const NAMED: &[Target] = &[limit(60.0)];

const POOLING: &[Target] = &[peer(Ractor, 8.0), peer(Kameo, 8.0), peer(Bare, 1.0 / 3.0)];
// Two idle processors take 50. Other load on the machine makes that impossible: the result of bare
// shows what is possible.
const SHARING: &[Target] = &[limit(60.0), peer(Bare, 0.9)];

/// All works, in the order in which they are run and shown. Only the unbounded ones have targets.
pub const WORKS: &[Work] = &[
    ns("cast_1_1", cast(1, Unbounded, Two), CASTING),
    ns("cast_1_1_bounded", cast(1, Bounded, Two), &[]),
    ns("cast_4_1", cast(4, Unbounded, Two), CASTING_4),
    ns("cast_4_1_bounded", cast(4, Bounded, Two), &[]),
    ns("call", call(Unbounded, Two), CALLING),
    ns("call_bounded", call(Bounded, Two), &[]),
    ns("cast_1_1_one_thread", cast(1, Unbounded, One), CASTING),
    ns("cast_4_1_one_thread", cast(4, Unbounded, One), CASTING_4),
    ns("call_one_thread", call(Unbounded, One), CALLING),
    ns("spawn_stop", Task::SpawnStop, &[peer(Ractor, 3.0), peer(Kameo, 3.0), peer(Bare, 1.0 / 1.5)]),
    ns("restart_error", Task::Restart(Crash::Error), RESTARTING),
    ns("restart_panic", Task::Restart(Crash::Panic), UNWINDING),
    ns("whereis", Task::Whereis, &[peer(Ractor, 1.0), peer(Kameo, 1.0)]),
    ns("named_cast", Task::NamedCast { actors: 1 }, NAMED),
    ns("named_cast_all", Task::NamedCast { actors: NAMES }, &[]),
    ns("pool_empty_jobs", Task::EmptyJobs { threads: Two }, POOLING),
    ns("pool_empty_jobs_one_thread", Task::EmptyJobs { threads: One }, POOLING),
    Work { name: "pool_cpu_jobs", unit: "%", task: Task::SpeedUp, targets: SHARING },
    Work { name: "idle_bytes", unit: "bytes", task: Task::IdleBytes, targets: &[limit(1024.0)] },
];

/// Returns the work with this name.
pub fn named(name: &str) -> Option<&'static Work> {
    WORKS.iter().find(|work| work.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_work() {
        for work in WORKS {
            assert_eq!(named(work.name).map(|found| found.task), Some(work.task));
        }
        assert!(named("no such work").is_none());
    }

    #[test]
    fn bounded_works_have_no_targets() {
        for work in WORKS.iter().filter(|work| work.name.ends_with("_bounded")) {
            assert!(work.targets.is_empty(), "{}", work.name);
        }
    }
}
