//! The targets of perennial, row by row.

use crate::contestants::{ACTIX, APALIS, KAMEO, RACTOR, RIVER};
use crate::race::Outcome;
use crate::work::{MANY_JOBS, Task, Threads, Work};

/// The value with which a result is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    /// One other contestant.
    Peer(&'static str),
    /// The fastest library in Rust: ractor, kameo, or actix if messages go to another thread. Of
    /// the durable queues: apalis or River.
    BestPeer,
    /// A fixed amount, in the unit of the row.
    Limit(f64),
    /// Another row of perennial, in the same unit.
    Row(&'static str),
    /// Perennial's own median, with which its slowest round is compared.
    OwnMedian,
}

/// The required minimum of the other's cost divided by perennial's.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub against: Against,
    pub at_least: f64,
}

const fn bare(at_least: f64) -> Target {
    peer("bare", at_least)
}

const fn peer(peer: &'static str, at_least: f64) -> Target {
    Target { against: Against::Peer(peer), at_least }
}

const fn best(at_least: f64) -> Target {
    Target { against: Against::BestPeer, at_least }
}

const fn limit(most: f64) -> Target {
    Target { against: Against::Limit(most), at_least: 1.0 }
}

/// At most `most` times the cost of another row.
const fn row(row: &'static str, most: f64) -> Target {
    Target { against: Against::Row(row), at_least: 1.0 / most }
}

/// The slowest of [`MORE_ROUNDS`] rounds takes at most 1.3 times the median.
const STEADY: Target = Target { against: Against::OwnMedian, at_least: 1.0 / 1.3 };
const MORE_ROUNDS: u32 = 9;

const BOUNDED: &[Target] = &[bare(1.0), best(4.0), STEADY];
const DURABLE: &[Target] = &[bare(0.5), best(3.0)];
/// zenoh carries the messages: `put` there and back, and `put`.
const REMOTE_CALL: &[Target] = &[peer("zenoh", 1.0 / 1.3)];
const REMOTE_CAST: &[Target] = &[peer("zenoh", 0.8)];
const CASTING_ONE_THREAD: &[Target] = &[bare(1.5), best(8.0)];

/// The rows that have targets.
const TARGETS: &[(&str, &[Target])] = &[
    ("cast_1_1", &[bare(1.3), best(8.0)]),
    ("cast_1_1_bounded", BOUNDED),
    ("cast_4_1", &[bare(1.5), best(4.0)]),
    ("cast_4_1_bounded", BOUNDED),
    ("call", &[bare(0.95), best(2.2)]),
    ("cast_1_1_one_thread", CASTING_ONE_THREAD),
    ("cast_4_1_one_thread", CASTING_ONE_THREAD),
    ("call_one_thread", &[bare(1.0), best(1.7)]),
    ("spawn_stop", &[bare(0.8), best(4.0)]),
    ("restart_error", &[peer("kameo", 2.0)]),
    ("restart_panic", &[peer("kameo", 1.3)]),
    ("whereis", &[bare(1.0), best(1.2)]),
    ("named_cast", &[bare(0.95), best(2.0)]),
    ("pool_empty_jobs", &[bare(0.85), best(4.0)]),
    ("pool_empty_jobs_one_thread", &[bare(0.6), best(8.0)]),
    // Two idle processors take 50. Other load on the machine makes that impossible: the result of
    // bare shows what is possible.
    ("pool_cpu_jobs", &[limit(60.0), bare(0.9)]),
    ("durable_jobs_1", DURABLE),
    ("durable_jobs_64", DURABLE),
    ("durable_jobs_100k", DURABLE),
    ("durable_rescue_p99", &[limit(100.0)]),
    ("durable_jobs_1_postgres", DURABLE),
    ("durable_jobs_64_postgres", DURABLE),
    ("durable_rescue_postgres_p99", &[limit(100.0)]),
    ("durable_calls_1", &[bare(0.5)]),
    ("durable_calls_64", &[bare(0.5)]),
    ("durable_calls_1_postgres", &[bare(0.5)]),
    ("durable_calls_64_postgres", &[bare(0.5)]),
    ("remote_call_64", REMOTE_CALL),
    ("remote_call_4k", REMOTE_CALL),
    ("remote_cast_64", REMOTE_CAST),
    ("remote_cast_4k", REMOTE_CAST),
    ("remote_call_64_quic", REMOTE_CALL),
    ("remote_call_4k_quic", REMOTE_CALL),
    ("remote_cast_64_quic", REMOTE_CAST),
    ("remote_cast_4k_quic", REMOTE_CAST),
    ("idle_bytes", &[limit(1024.0)]),
    ("children_100k_start", &[peer("erlang", 4.0)]),
    ("children_100k_stop", &[row("children_100_stop", 1.5)]),
    ("scale_1m", &[row("scale_10k", 1.5)]),
    ("scale_1m_peak", &[limit(1_500.0)]),
    ("scale_1m_after", &[limit(110.0)]),
];

/// Returns the targets of a row.
pub fn of(row: &str) -> &'static [Target] {
    TARGETS.iter().find(|(name, _)| *name == row).map_or(&[], |(_, targets)| targets)
}

/// Returns how often a work is done if each is done `asked` times: whether a row is steady shows in
/// more rounds than its median needs, and a disk is less steady than a processor, unless there are
/// many jobs. One round checks that the race runs.
pub fn rounds(work: &Work, asked: u32) -> u32 {
    let is_steady = |target: &Target| target.against == Against::OwnMedian;
    let is_steady = work.results.iter().any(|result| of(result.row).iter().any(is_steady));
    let waits_for_disk = match work.task {
        Task::DurableJobs { jobs, .. } => jobs < MANY_JOBS,
        task => matches!(task, Task::Sync { .. } | Task::DurableCalls { .. }),
    };
    let needs_more = is_steady || waits_for_disk;
    if needs_more && asked > 1 { asked.max(MORE_ROUNDS) } else { asked }
}

/// Returns the name and the cost of the fastest library in Rust.
///
/// The actors of actix stay on one thread. Where the whole work is done on that thread, nothing is
/// sent to another and nothing is locked: such a work has no target against actix.
pub fn best_peer(outcome: &Outcome) -> Option<(&'static str, f64)> {
    let between_threads = match outcome.work.task {
        Task::Cast { .. } | Task::Call { .. } | Task::CallInTime { .. } | Task::EmptyJobs { .. } => {
            outcome.work.task.threads() == Threads::Two
        }
        _ => false,
    };
    let actix = between_threads.then_some(ACTIX.name);
    let costs = if outcome.work.task.is_durable() {
        [APALIS.name, RIVER.name].into_iter().chain(None)
    } else {
        [RACTOR.name, KAMEO.name].into_iter().chain(actix)
    };
    let costs = costs.filter_map(|name| Some((name, outcome.cost(name)?)));
    costs.min_by(|(_, one), (_, other)| one.total_cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestants::{ALL, BARE, ERLANG, ZENOH};
    use crate::race::{Cost, Samples};
    use crate::work::{WORKS, named};

    #[test]
    fn every_target_is_of_a_row_and_against_another() {
        let rows: Vec<_> = WORKS.iter().flat_map(|work| work.results).map(|result| result.row).collect();
        for (row, targets) in TARGETS {
            assert!(rows.contains(row), "{row}");
            assert_eq!(of(row).len(), targets.len(), "{row}");
            for target in *targets {
                match target.against {
                    Against::Peer(peer) => {
                        assert!([BARE, KAMEO, ERLANG, ZENOH].iter().any(|one| one.name == peer))
                    }
                    Against::Row(other) => assert!(rows.contains(&other) && other != *row),
                    Against::BestPeer | Against::Limit(_) | Against::OwnMedian => {}
                }
            }
        }
    }

    #[test]
    fn nine_rounds_show_whether_a_bounded_mailbox_is_steady() {
        let names = ["cast_1_1_bounded", "cast_1_1", "durable_jobs_1", "durable_sync", "durable_jobs_100k"];
        let [bounded, unbounded, durable, sync, many] = names.map(|name| named(name).unwrap());
        assert_eq!([bounded, unbounded, durable, sync, many].map(|work| rounds(work, 5)), [9, 5, 9, 9, 5]);
        assert_eq!([rounds(bounded, 11), rounds(bounded, 1)], [11, 1]);
    }

    #[test]
    fn actix_is_a_peer_where_messages_go_to_another_thread() {
        let fastest = |name| {
            let work = named(name).unwrap();
            let cost = |cost| Cost::Measured(Samples::of(vec![cost]).unwrap());
            let costs = ALL.iter().zip(1..).map(|(one, cost_of)| (one.name, cost(10.0 - f64::from(cost_of))));
            best_peer(&Outcome { work, row: work.results[0], costs: costs.collect() }).unwrap()
        };
        assert_eq!(fastest("call"), ("actix", 6.0));
        assert_eq!(fastest("call_one_thread"), ("kameo", 7.0));
        assert_eq!(fastest("spawn_stop"), ("kameo", 7.0));
        assert_eq!(fastest("durable_jobs_64"), ("river", 2.0));
    }
}
