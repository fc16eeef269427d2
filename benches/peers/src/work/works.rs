//! All works of the race.

use super::crash::Crash;
use super::task::Mailbox::{self, Bounded, Unbounded};
use super::task::Threads::{self, One, Two};
use super::task::{NAMES, Task};

/// One work of the race. Every result is a cost: less is better.
#[derive(Debug)]
pub struct Work {
    pub name: &'static str,
    /// The unit of a result, for each message, call, actor, restart or job.
    pub unit: &'static str,
    pub task: Task,
}

const fn ns(name: &'static str, task: Task) -> Work {
    Work { name, unit: "ns", task }
}

const fn cast(senders: u64, mailbox: Mailbox, threads: Threads) -> Task {
    Task::Cast { senders, mailbox, threads }
}

const fn call(mailbox: Mailbox, threads: Threads) -> Task {
    Task::Call { mailbox, threads }
}

/// All works, in the order in which they are run and shown.
pub const WORKS: &[Work] = &[
    ns("cast_1_1", cast(1, Unbounded, Two)),
    ns("cast_1_1_bounded", cast(1, Bounded, Two)),
    ns("cast_4_1", cast(4, Unbounded, Two)),
    ns("cast_4_1_bounded", cast(4, Bounded, Two)),
    ns("call", call(Unbounded, Two)),
    ns("call_bounded", call(Bounded, Two)),
    ns("cast_1_1_one_thread", cast(1, Unbounded, One)),
    ns("cast_4_1_one_thread", cast(4, Unbounded, One)),
    ns("call_one_thread", call(Unbounded, One)),
    ns("spawn_stop", Task::SpawnStop),
    ns("restart_error", Task::Restart(Crash::Error)),
    ns("restart_panic", Task::Restart(Crash::Panic)),
    ns("whereis", Task::Whereis),
    ns("named_cast", Task::NamedCast { actors: 1 }),
    ns("named_cast_all", Task::NamedCast { actors: NAMES }),
    ns("pool_empty_jobs", Task::EmptyJobs { threads: Two }),
    ns("pool_empty_jobs_one_thread", Task::EmptyJobs { threads: One }),
    Work { name: "pool_cpu_jobs", unit: "%", task: Task::SpeedUp },
    Work { name: "idle_bytes", unit: "bytes", task: Task::IdleBytes },
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
}
