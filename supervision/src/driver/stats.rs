//! The supervision statistics of a system.

use perennial_actors::System;
use perennial_actors::host::sync::{AtomicU64, Ordering};

/// The number of interventions of all supervisors of a system.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupervisionStats {
    /// Restarts of children and groups, including failed attempts.
    pub restarts: u64,
    /// Supervisors that exceeded their intensity.
    pub escalations: u64,
    /// Children that did not exit after a kill and were abandoned.
    pub abandoned: u64,
}

impl SupervisionStats {
    /// Returns the statistics of a system.
    #[must_use]
    pub fn of(system: &System) -> Self {
        let stats = system.extension(Stats::default);
        Self {
            restarts: stats.restarts.load(Ordering::Relaxed),
            escalations: stats.escalations.load(Ordering::Relaxed),
            abandoned: stats.abandoned.load(Ordering::Relaxed),
        }
    }
}

/// The counters behind [`SupervisionStats`].
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
