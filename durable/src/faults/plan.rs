//! Which commit fails, and how.

use std::time::Duration;

use perennial_actors::host::{GAMMA, mix};

/// How often commits fail, each in 1,000, and how slow the disk is. The default is a disk without
/// faults that syncs at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// The disk is full: nothing is applied.
    pub full: u32,
    /// The store is locked: nothing is applied.
    pub busy: u32,
    /// The connection is lost before the commit: nothing is applied.
    pub disconnected: u32,
    /// The connection is lost after the commit: it is applied, and reported as unknown.
    pub lost_answer: u32,
    /// The sync fails: whether the commit is applied is open until the store is opened again, which
    /// the next request does.
    pub failed_sync: u32,
    /// The longest time of a sync. Each takes a part of it.
    pub sync_time: Duration,
    /// Commits are acknowledged before they are synced: a store that breaks its promise, to find
    /// out whether a test notices.
    pub acknowledges_early: bool,
}

/// What happens to one commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    None,
    Full,
    Busy,
    Disconnected,
    LostAnswer,
    FailedSync,
}

/// Numbers from a seed.
#[derive(Clone, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number below `bound`; 0 if that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0).checked_rem(bound).unwrap_or_default()
    }
}

impl Faults {
    /// Draws what happens to the next commit.
    pub(super) fn draw(&self, draws: &mut Draws) -> Fault {
        let mut left = draws.below(1_000);
        let odds = [
            (self.full, Fault::Full),
            (self.busy, Fault::Busy),
            (self.disconnected, Fault::Disconnected),
            (self.lost_answer, Fault::LostAnswer),
            (self.failed_sync, Fault::FailedSync),
        ];
        for (per_mille, fault) in odds {
            match left.checked_sub(per_mille.into()) {
                Some(rest) => left = rest,
                None => return fault,
            }
        }
        Fault::None
    }

    pub(super) fn draw_sync_time(&self, draws: &mut Draws) -> Duration {
        let longest = self.sync_time.as_micros().try_into().unwrap_or(u64::MAX);
        Duration::from_micros(draws.below(longest))
    }
}
