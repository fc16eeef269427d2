//! What is raced, as data: the works, how much of each, and the targets that perennial has set itself.

use self::Mailbox::{Bounded, Unbounded};
use crate::contestants::Contestant::{self, Actix, Bare, Kameo, Ractor};

/// Messages of one flood.
pub const CASTS: u64 = 1_000_000;
/// Requests and replies, one after the other.
pub const CALLS: u64 = 200_000;
/// Actors that are started and stopped, one after the other.
pub const LIVES: u64 = 200_000;
/// Actors that sit idle while their memory is taken.
pub const IDLE: u64 = 100_000;
/// Room in a bounded mailbox.
pub const ROOM: usize = 1_024;

/// What a mailbox holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mailbox {
    Unbounded,
    /// [`ROOM`] messages; who sends waits for room.
    Bounded,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// So many senders share [`CASTS`] messages to one actor, until it has handled the last.
    Cast { senders: u64, mailbox: Mailbox },
    /// [`CALLS`] requests from one task, each after the reply to the one before.
    Call { mailbox: Mailbox },
    /// [`LIVES`] actors: start one, stop it in good order, wait for its end.
    SpawnStop,
    /// [`IDLE`] actors that have handled one message each.
    IdleBytes,
}

/// What a result is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    Peer(Contestant),
    /// A fixed amount, in the unit of the work.
    Limit(f64),
}

/// The other's cost, divided by perennial's, is to be at least so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    pub against: Against,
    pub at_least: f64,
}

/// One work of the race. Every result is a cost: less is better.
#[derive(Debug)]
pub struct Work {
    pub name: &'static str,
    /// What a result counts, for each message, call or actor.
    pub unit: &'static str,
    pub task: Task,
    pub targets: &'static [Target],
}

const fn peer(peer: Contestant, at_least: f64) -> Target {
    Target { against: Against::Peer(peer), at_least }
}

const fn ns(name: &'static str, task: Task, targets: &'static [Target]) -> Work {
    Work { name, unit: "ns", task, targets }
}

/// All works, in the order in which they are run and shown. Only the unbounded ones have targets.
pub const WORKS: &[Work] = &[
    ns(
        "cast_1_1",
        Task::Cast { senders: 1, mailbox: Unbounded },
        &[peer(Ractor, 8.0), peer(Kameo, 8.0), peer(Actix, 8.0), peer(Bare, 1.0)],
    ),
    ns("cast_1_1_bounded", Task::Cast { senders: 1, mailbox: Bounded }, &[]),
    ns(
        "cast_4_1",
        Task::Cast { senders: 4, mailbox: Unbounded },
        &[peer(Ractor, 4.0), peer(Kameo, 4.0), peer(Actix, 4.0), peer(Bare, 1.0)],
    ),
    ns("cast_4_1_bounded", Task::Cast { senders: 4, mailbox: Bounded }, &[]),
    ns(
        "call",
        Task::Call { mailbox: Unbounded },
        &[peer(Ractor, 2.5), peer(Kameo, 2.5), peer(Actix, 2.5), peer(Bare, 1.0 / 1.3)],
    ),
    ns("call_bounded", Task::Call { mailbox: Bounded }, &[]),
    ns("spawn_stop", Task::SpawnStop, &[peer(Ractor, 3.0), peer(Kameo, 3.0), peer(Bare, 1.0 / 1.5)]),
    Work {
        name: "idle_bytes",
        unit: "bytes",
        task: Task::IdleBytes,
        targets: &[Target { against: Against::Limit(1024.0), at_least: 1.0 }],
    },
];

/// The work of that name.
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
