//! The worker of one slot in a rollout.

use super::slots::Streak;
use super::state::Time;

/// Old or new arguments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    Old,
    New,
}

/// The time in which a worker is ready without a break.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadyTime {
    pub(super) streak: Streak,
    /// When it is long enough.
    pub(super) until: Time,
    /// `true` while its incarnation has ended in order and the next one is not ready yet. The time
    /// goes on meanwhile.
    pub(super) is_renewing: bool,
}

/// The state of the worker in one slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Status {
    /// It was stopped, or has not started.
    Down,
    /// Its start was requested. It has to be available before `deadline`.
    Starting { is_killed: bool, deadline: Time },
    /// It has started. Until it is available, it has time until `deadline`.
    Running { ready: Option<ReadyTime>, deadline: Time },
    /// Its stop was requested.
    Stopping,
    /// It could not be replaced, and there is no other version to try.
    Abandoned { runs: bool },
}

/// What a resize has changed about the worker of a slot, until that is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    None,
    /// It is to be started.
    Added,
    /// It is to be stopped.
    Surplus,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The version of the worker, or of the next one while it stops.
    pub(super) version: Version,
    pub(super) status: Status,
    /// `true` once it was stopped or started.
    pub(super) was_touched: bool,
    pub(super) change: Change,
}

impl Place {
    /// A slot without a worker.
    pub(super) const UNUSED: Self =
        Self { version: Version::Old, status: Status::Down, was_touched: false, change: Change::None };

    /// Returns `true` if it is to be stopped because of a resize.
    pub(super) fn is_surplus(&self) -> bool {
        self.change == Change::Surplus
    }

    /// Records that this change is done.
    pub(super) fn end_change(&mut self, change: Change) {
        if self.change == change {
            self.change = Change::None;
        }
    }

    pub(super) fn is_available(&self, now: Time) -> bool {
        self.is_proven(now) && !self.is_renewing()
    }

    /// Returns `true` if it is available, or will be when its renewal is over.
    pub(super) fn is_proven(&self, now: Time) -> bool {
        matches!(self.status, Status::Running { ready: Some(ready), .. } if ready.until <= now)
    }

    /// Returns `true` while it is between two incarnations because of a renewal.
    pub(super) const fn is_renewing(&self) -> bool {
        matches!(self.status, Status::Running { ready: Some(ReadyTime { is_renewing: true, .. }), .. })
    }

    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self.status, Status::Starting { .. } | Status::Stopping)
    }

    /// Returns `true` if there is a worker that may become available, or one is on its way.
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.status, Status::Running { .. }) || self.is_in_flight()
    }

    pub(super) const fn runs(&self) -> bool {
        matches!(self.status, Status::Running { .. } | Status::Abandoned { runs: true })
    }

    pub(super) const fn is_there(&self) -> bool {
        self.runs() || self.is_in_flight()
    }
}
