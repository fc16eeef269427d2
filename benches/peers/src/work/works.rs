//! All works of the race.

use super::crash::Crash;
use super::database::Database::{self, Postgres, Sqlite};
use super::remote::{Exchange, Link, Remote};
use super::task::Mailbox::{self, Bounded, Unbounded};
use super::task::Popularity::{Even, Skewed};
use super::task::Threads::{self, One, Two};
use super::task::{CROWD, MANY_JOBS, NAMES, Task};

/// One work of the race. Every result is a cost: less is better.
#[derive(Debug)]
pub struct Work {
    pub name: &'static str,
    /// What a contestant measures when it does the task, in this order.
    pub results: &'static [Quantity],
    pub task: Task,
}

/// One result of a work: a row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    pub row: &'static str,
    /// The unit, for each message, call, actor, restart or job.
    pub unit: &'static str,
}

const fn quantity(row: &'static str, unit: &'static str) -> Quantity {
    Quantity { row, unit }
}

/// A work with one result, in nanoseconds if no unit is given.
macro_rules! work {
    ($name:literal, $task:expr) => {
        work!($name, "ns", $task)
    };
    ($name:literal, $unit:literal, $task:expr) => {
        Work { name: $name, results: &[quantity($name, $unit)], task: $task }
    };
}

macro_rules! children {
    ($name:literal, $children:literal) => {
        Work {
            name: $name,
            results: &[quantity(concat!($name, "_start"), "ns"), quantity(concat!($name, "_stop"), "ns")],
            task: Task::Children { children: $children },
        }
    };
}

macro_rules! scale {
    ($name:literal, $workers:literal) => {
        Work {
            name: $name,
            results: &[
                quantity($name, "ns"),
                quantity(concat!($name, "_start"), "ns"),
                quantity(concat!($name, "_message"), "ns"),
                quantity(concat!($name, "_crash"), "ns"),
                quantity(concat!($name, "_stop"), "ns"),
                quantity(concat!($name, "_memory"), "bytes"),
                quantity(concat!($name, "_peak"), "MB"),
                quantity(concat!($name, "_after"), "%"),
            ],
            task: Task::Scale { workers: $workers },
        }
    };
}

const fn cast(senders: u64, mailbox: Mailbox, threads: Threads) -> Task {
    Task::Cast { senders, mailbox, threads }
}

const fn call(callers: u64, mailbox: Mailbox, threads: Threads) -> Task {
    Task::Call { callers, mailbox, threads }
}

macro_rules! rescue {
    ($name:literal, $database:expr) => {
        Work {
            name: $name,
            results: &[quantity(concat!($name, "_p50"), "ms"), quantity(concat!($name, "_p99"), "ms")],
            task: Task::Rescue($database),
        }
    };
}

const fn durable_jobs(database: Database, submitters: u64, jobs: u64) -> Task {
    Task::DurableJobs { database, submitters, jobs }
}

const fn durable_calls(database: Database, callers: u64, calls: u64) -> Task {
    Task::DurableCalls { database, callers, calls }
}

const fn remote(exchange: Exchange, link: Link, bytes: usize) -> Task {
    Task::Remote(Remote { exchange, link, bytes })
}

/// All works, in the order in which they are run and shown.
pub const WORKS: &[Work] = &[
    work!("cast_1_1", cast(1, Unbounded, Two)),
    work!("cast_1_1_bounded", cast(1, Bounded, Two)),
    work!("cast_2_1", cast(2, Unbounded, Two)),
    work!("cast_4_1", cast(4, Unbounded, Two)),
    work!("cast_4_1_bounded", cast(4, Bounded, Two)),
    work!("cast_8_1", cast(8, Unbounded, Two)),
    work!("cast_16_1", cast(16, Unbounded, Two)),
    work!("call", call(1, Unbounded, Two)),
    work!("call_bounded", call(1, Bounded, Two)),
    work!("call_2_1", call(2, Unbounded, Two)),
    work!("call_4_1", call(4, Unbounded, Two)),
    work!("call_8_1", call(8, Unbounded, Two)),
    work!("call_16_1", call(16, Unbounded, Two)),
    work!("cast_1_1_one_thread", cast(1, Unbounded, One)),
    work!("cast_4_1_one_thread", cast(4, Unbounded, One)),
    work!("call_one_thread", call(1, Unbounded, One)),
    work!("call_in_time", Task::CallInTime { threads: Two }),
    work!("call_in_time_one_thread", Task::CallInTime { threads: One }),
    work!("ring", Task::Ring),
    work!("fan_out", Task::FanOut),
    work!("fan_in", cast(CROWD, Unbounded, Two)),
    work!("spawn_stop", Task::SpawnStop),
    work!("restart_error", Task::Restart(Crash::Error)),
    work!("restart_panic", Task::Restart(Crash::Panic)),
    work!("whereis", Task::Whereis(Even)),
    work!("whereis_skewed", Task::Whereis(Skewed)),
    work!("named_cast", Task::NamedCast { actors: 1 }),
    work!("named_cast_all", Task::NamedCast { actors: NAMES }),
    work!("pool_empty_jobs", Task::EmptyJobs { threads: Two }),
    work!("pool_empty_jobs_one_thread", Task::EmptyJobs { threads: One }),
    work!("pool_cpu_jobs", "%", Task::SpeedUp),
    work!("durable_sync", Task::Sync { syncs: 1_000 }),
    work!("durable_jobs_1", durable_jobs(Sqlite, 1, 1_000)),
    work!("durable_jobs_64", durable_jobs(Sqlite, 64, 6_400)),
    work!("durable_jobs_100k", durable_jobs(Sqlite, 64, MANY_JOBS)),
    rescue!("durable_rescue", Sqlite),
    work!("durable_jobs_1_postgres", durable_jobs(Postgres, 1, 1_000)),
    work!("durable_jobs_64_postgres", durable_jobs(Postgres, 64, 6_400)),
    rescue!("durable_rescue_postgres", Postgres),
    work!("durable_calls_1", durable_calls(Sqlite, 1, 1_000)),
    work!("durable_calls_64", durable_calls(Sqlite, 64, 12_800)),
    work!("durable_calls_1_postgres", durable_calls(Postgres, 1, 1_000)),
    work!("durable_calls_64_postgres", durable_calls(Postgres, 64, 6_400)),
    Work {
        name: "durable_recovery",
        results: &[quantity("durable_recovery", "ms"), quantity("durable_recovery_snapshot", "ms")],
        task: Task::Recovery { events: 1_000_000 },
    },
    work!("remote_call_64", remote(Exchange::Call, Link::Tcp, 64)),
    work!("remote_call_4k", remote(Exchange::Call, Link::Tcp, 4_096)),
    work!("remote_cast_64", remote(Exchange::Cast, Link::Tcp, 64)),
    work!("remote_cast_4k", remote(Exchange::Cast, Link::Tcp, 4_096)),
    work!("remote_call_64_quic", remote(Exchange::Call, Link::Quic, 64)),
    work!("remote_call_4k_quic", remote(Exchange::Call, Link::Quic, 4_096)),
    work!("remote_cast_64_quic", remote(Exchange::Cast, Link::Quic, 64)),
    work!("remote_cast_4k_quic", remote(Exchange::Cast, Link::Quic, 4_096)),
    work!("idle_bytes", "bytes", Task::IdleBytes),
    children!("children_100", 100),
    children!("children_100k", 100_000),
    scale!("scale_10k", 10_000),
    scale!("scale_100k", 100_000),
    scale!("scale_1m", 1_000_000),
];

/// Returns the work with this name.
pub fn named(name: &str) -> Option<&'static Work> {
    WORKS.iter().find(|work| work.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_leads_to_its_work() {
        for work in WORKS {
            assert_eq!(named(work.name).map(|found| found.task), Some(work.task));
        }
        assert!(named("no such work").is_none());
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let rows: Vec<_> = WORKS.iter().flat_map(|work| work.results).map(|result| result.row).collect();
        assert_eq!(rows.iter().collect::<HashSet<_>>().len(), rows.len());
    }
}
