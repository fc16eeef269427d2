//! The tasks of the race, and their sizes.

use std::time::Duration;

use super::crash::Crash;
use super::database::Database;
use super::remote::{Link, Remote};

/// Messages of one flood.
pub const CASTS: u64 = 1_000_000;
/// Requests and replies.
pub const CALLS: u64 = 200_000;
/// The time within which a call has to be answered in [`Task::CallInTime`].
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
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
/// The jobs that a durable queue takes from its file at once, where that can be set.
pub const PREFETCH: usize = 256;
/// The jobs of the largest work of durable queues.
pub const MANY_JOBS: u64 = 100_000;
/// How often a process with a durable queue is killed.
pub const KILLS: u32 = 200;
/// Jobs that keep a processor busy.
pub const CPU_JOBS: u64 = 10_000;
/// The rounds of each of these jobs: some 50 microseconds.
pub const JOB_ROUNDS: u64 = 30_000;
/// The divisor of the warm-up: before the measurement a tenth of each work is done, so that the
/// threads are awake and the code is in memory.
pub const WARM_UP: u64 = 10;
/// Idle actors whose memory is measured.
pub const IDLE: u64 = 100_000;
/// The capacity of a bounded mailbox.
pub const ROOM: usize = 1_024;
/// Actors of a ring, receivers of a fan-out, and senders of a fan-in.
pub const CROWD: u64 = 1_000;
/// Dynamic supervisors that share the workers of a [`Task::Scale`].
pub const SUPERVISORS: u64 = 10;
/// One worker in so many crashes in a [`Task::Scale`].
pub const ONE_CRASH_IN: u64 = 100;
/// Workers of all measured repetitions of a [`Task::Scale`] or [`Task::Children`], at least.
pub const REPEATED: u64 = 200_000;

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

/// How often each name is looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Popularity {
    /// All alike.
    Even,
    /// The n-th in proportion to 1/n, as words of a text: a tenth of the names has three quarters
    /// of the lookups.
    Skewed,
}

/// The task of a work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// `senders` senders share [`CASTS`] messages to one actor, until it has handled the last.
    Cast { senders: u64, mailbox: Mailbox, threads: Threads },
    /// `callers` tasks share [`CALLS`] requests to one actor. Each sends its next one after the
    /// reply to its previous one.
    Call { callers: u64, mailbox: Mailbox, threads: Threads },
    /// [`CALLS`] requests of one task to one actor, each within [`CALL_TIMEOUT`].
    CallInTime { threads: Threads },
    /// A number goes around a ring of [`CROWD`] actors, for [`CASTS`] messages.
    Ring,
    /// [`CASTS`] messages from one task to [`CROWD`] actors in turn, until each has handled its
    /// last.
    FanOut,
    /// [`LIVES`] actors: start all, stop all, wait for all exits.
    SpawnStop,
    /// [`CRASHES`] of a supervised actor, each after the first answer of the incarnation after the
    /// previous crash.
    Restart(Crash),
    /// [`LOOKUPS`] of [`NAMES`] names, from one task.
    Whereis(Popularity),
    /// [`CASTS`] from one task to `actors` of the [`NAMES`] actors in turn, with a lookup by name
    /// before each. It ends when the last is handled.
    NamedCast { actors: u64 },
    /// [`JOBS`] empty jobs from one task to a pool of [`WORKERS`], until the last is done.
    EmptyJobs { threads: Threads },
    /// Empty jobs of a durable queue, whose submitters wait until each is synced to the disk.
    DurableJobs { database: Database, submitters: u64, jobs: u64 },
    /// Calls of durable actors, one for each caller, each of which persists an event and is
    /// answered when that is synced to the disk.
    DurableCalls { database: Database, callers: u64, calls: u64 },
    /// The start of a durable actor with so many events.
    Recovery { events: u64 },
    /// `syncs` of a page each, one after the other.
    Sync { syncs: u64 },
    /// [`KILLS`] of a process with a durable queue, and the rescue of its jobs by the next.
    Rescue(Database),
    /// [`CPU_JOBS`] by one worker, and by two.
    SpeedUp,
    /// [`IDLE`] actors that have handled one message each.
    IdleBytes,
    /// `children` of one dynamic supervisor: start one after the other, then stop the tree.
    Children { children: u64 },
    /// Messages between two processes.
    Remote(Remote),
    /// `workers` below [`SUPERVISORS`]: start, one message each, a crash of one in
    /// [`ONE_CRASH_IN`], stop.
    Scale { workers: u64 },
}

impl Task {
    /// Returns the threads of the senders and the actors.
    pub const fn threads(self) -> Threads {
        match self {
            Self::Cast { threads, .. }
            | Self::Call { threads, .. }
            | Self::CallInTime { threads }
            | Self::EmptyJobs { threads } => threads,
            _ => Threads::Two,
        }
    }

    /// Returns why the task cannot be done on this machine, or `None` if it can.
    pub fn absence(self) -> Option<&'static str> {
        match self {
            Self::DurableJobs { database, .. }
            | Self::DurableCalls { database, .. }
            | Self::Rescue(database) => database.absence(),
            Self::Remote(_) => Remote::absence(),
            _ => None,
        }
    }

    /// Returns `true` if the task needs a durable queue or durable actors.
    pub const fn is_durable(self) -> bool {
        matches!(
            self,
            Self::DurableJobs { .. }
                | Self::DurableCalls { .. }
                | Self::Recovery { .. }
                | Self::Sync { .. }
                | Self::Rescue(_)
        )
    }

    /// Returns `true` if the task is one of actors in one process, or of bare tasks.
    pub const fn is_local(self) -> bool {
        !self.is_durable() && !matches!(self, Self::Remote(_))
    }

    /// Returns `true` if the task is messages between two processes over TCP.
    pub const fn is_over_tcp(self) -> bool {
        matches!(self, Self::Remote(Remote { link: Link::Tcp, .. }))
    }

    /// Returns `true` if a sender waits for room in a mailbox.
    pub const fn is_bounded(self) -> bool {
        matches!(
            self,
            Self::Cast { mailbox: Mailbox::Bounded, .. } | Self::Call { mailbox: Mailbox::Bounded, .. }
        )
    }
}
