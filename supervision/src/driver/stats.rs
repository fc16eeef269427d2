//! What supervision has done in a system so far.

use std::sync::atomic::{AtomicU64, Ordering};

use perennial_actors::System;

/// How often supervisors have had to act, in a whole system.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupervisionStats {
    /// Restarts: of a child or of a group, failed tries included.
    pub restarts: u64,
    /// Supervisors that gave up.
    pub escalations: u64,
    /// Children that did not die when they were killed, and were abandoned.
    pub abandoned: u64,
}

impl SupervisionStats {
    /// The totals of a system.
    #[must_use]
    pub fn of(system: &System) -> Self {
        let books = system.extension(Stats::default);
        Self {
            restarts: books.restarts.load(Ordering::Relaxed),
            escalations: books.escalations.load(Ordering::Relaxed),
            abandoned: books.abandoned.load(Ordering::Relaxed),
        }
    }
}

/// Where the totals are kept.
#[derive(Default)]
pub(super) struct Stats {
    restarts: AtomicU64,
    escalations: AtomicU64,
    abandoned: AtomicU64,
}

impl Stats {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn gave_up(&self) {
        self.escalations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }
}
