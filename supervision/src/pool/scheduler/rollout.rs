//! The decisions of a rollout: which worker is stopped or started next, and when a rollout turns
//! back. On the model of the Deployment controller of Kubernetes.
//!
//! # Rules
//!
//! 1. The workers of the pool are replaced in their slots. Additional workers in the slots after
//!    them make up for workers that are being replaced, and end last.
//! 2. A worker is *available* once it has been ready without a break for the minimum time. A
//!    renewal is no break, but the worker is not available between its two incarnations.
//! 3. An available worker is stopped only if enough others are available. A worker that is not
//!    available is replaced first, but never more at once than may be unavailable.
//! 4. If a new worker does not start, or is not available in time, the rollout fails. It then
//!    replaces the new workers by old ones by the same rules, or halts if there is nothing to go
//!    back to.
//! 5. A worker that cannot be replaced on the way back is given up. It lowers the number of workers
//!    that have to be available, as does one that is not available and was never replaced.
//! 6. A pause begins no replacement. It does not keep a rollout from going back.
//! 7. A resize holds at once, also during a pause. The added workers have the version to which the
//!    rollout goes, and additional workers become workers of the pool. The surplus ones are
//!    stopped, and killed if they have not started yet.
//! 8. A restart of the pool's supervisor is no failure. A step that it interrupts is taken again:
//!    the rollout goes on from the workers that the supervisor has started again. If they are not
//!    started again in time, the rollout fails.

use super::readiness::Observed;
use super::rollout_limit::{Margins, RolloutLimits};
pub(crate) use super::rollout_place::Version;
use super::rollout_place::{Place, ReadyTime, Status};
use super::state::Time;

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RolloutStep {
    /// Let this worker finish its job, and stop it.
    Stop(usize),
    /// Start this worker.
    Start(usize, Version),
    /// Kill this worker, whose start is no longer wanted.
    Kill(usize),
}

/// Where a rollout goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RolloutDirection {
    /// It replaces the workers by new ones.
    Forward,
    /// It has failed or was undone, and replaces the new workers by old ones.
    Back,
    /// It has failed or was undone, and has nothing to go back to. It only ends what it has begun.
    Halted,
}

use RolloutDirection as Direction;

/// The end of a stop or a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StepEnd {
    Succeeded,
    Failed,
    /// The supervisor of the pool has ended meanwhile, and with it all workers (rule 8).
    Interrupted,
}

/// The outcome for the worker of one slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotOutcome {
    /// It was not replaced.
    Kept,
    /// It was replaced by a new one.
    Replaced,
    /// It was stopped, and an old one follows it.
    RolledBack,
    /// It does not run, or is not ready.
    Unavailable,
}

/// The state of a rollout.
#[derive(Debug)]
pub(crate) struct RolloutState {
    pub(super) limits: RolloutLimits,
    pub(super) wanted: usize,
    pub(super) margins: Margins,
    /// The workers of the pool, and then the additional ones.
    pub(super) places: Vec<Place>,
    pub(super) direction: Direction,
    /// `true` if it goes back when it fails.
    pub(super) reverts: bool,
    /// When it fails because the pool does not run; [`Time::MAX`] while it does.
    pub(super) down_until: Time,
    /// `true` if it has ended while no worker ran.
    is_at_rest: bool,
}

impl RolloutState {
    /// Begins a rollout of the workers in the first `wanted` slots. `observed` returns the
    /// readiness of the worker of a slot. A rollout that does not revert halts when it fails.
    pub(crate) fn new(
        limits: RolloutLimits,
        wanted: usize,
        reverts: bool,
        observed: impl Fn(usize) -> Observed,
    ) -> Self {
        let ready = |slot: usize| {
            let (streak, is_renewing) = match observed(slot) {
                Observed::Ready(streak) => (streak, false),
                Observed::Renewing(streak) => (streak, true),
                Observed::Unready => return None,
            };
            Some(ReadyTime { streak, until: Time::ZERO, is_renewing })
        };
        let base = (0..wanted).map(|slot| Place {
            version: Version::Old,
            status: Status::Running { ready: ready(slot), deadline: Time::MAX },
            ..Place::UNUSED
        });
        let margins = limits.resolve(wanted);
        let places = base.chain(std::iter::repeat_n(Place::UNUSED, margins.surge)).collect();
        Self {
            limits,
            wanted,
            margins,
            places,
            direction: Direction::Forward,
            reverts,
            down_until: Time::MAX,
            is_at_rest: false,
        }
    }

    /// Returns the number of slots: those of the pool and the additional ones.
    pub(crate) fn slots(&self) -> usize {
        self.places.len()
    }

    pub(super) fn target(&self) -> Version {
        if self.direction == Direction::Back { Version::Old } else { Version::New }
    }

    fn base(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().take(self.wanted)
    }

    fn surge(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().skip(self.wanted)
    }

    pub(super) fn available(&self, now: Time) -> usize {
        self.places.iter().filter(|place| place.is_available(now)).count()
    }

    /// Returns how many workers have to be available.
    pub(super) fn floor(&self, now: Time) -> usize {
        let lost = self.places.iter().filter(|place| self.is_lost(place, now)).count();
        self.wanted.saturating_sub(self.margins.unavailable).saturating_sub(lost)
    }

    /// Returns `true` if the rollout does not wait for this worker to be available (rule 5).
    fn is_lost(&self, place: &Place, now: Time) -> bool {
        match place.status {
            Status::Abandoned { .. } => true,
            // It has reasons of its own.
            Status::Running { .. } => {
                let is_untouched = self.direction == Direction::Back && !place.was_touched;
                is_untouched && !place.is_available(now) && !place.is_renewing()
            }
            Status::Down | Status::Starting { .. } | Status::Stopping => false,
        }
    }

    /// Returns `true` while it goes forward.
    pub(crate) fn is_forward(&self) -> bool {
        self.direction == Direction::Forward
    }

    /// Returns where it goes.
    pub(crate) const fn direction(&self) -> RolloutDirection {
        self.direction
    }

    /// Returns `true` if it has stopped or started a worker.
    pub(crate) fn has_begun(&self) -> bool {
        self.places.iter().any(|place| place.was_touched)
    }

    /// Ends it without a step, because no worker runs: each starts from the last version.
    pub(crate) fn end_at_rest(&mut self) {
        let target = self.target();
        for place in &mut self.places {
            *place = Place { version: target, was_touched: place.was_touched, ..Place::UNUSED };
        }
        self.is_at_rest = true;
    }

    /// Returns `true` if nothing is left to do or to wait for.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.is_at_rest
            || (self.base().all(|place| self.is_settled(place, now)) && !self.surge().any(Place::is_there))
    }

    /// Returns `true` if a worker of the pool has its last version.
    fn is_settled(&self, place: &Place, now: Time) -> bool {
        match place.status {
            Status::Abandoned { .. } => true,
            Status::Running { .. } if self.direction == Direction::Halted => true,
            // A worker that was not replaced may have reasons of its own to be unavailable.
            Status::Running { .. } => {
                place.version == self.target() && (place.is_proven(now) || !place.was_touched)
            }
            Status::Down | Status::Starting { .. } | Status::Stopping => false,
        }
    }

    /// Returns the outcome for each of the wanted workers.
    pub(crate) fn outcomes(&self, now: Time) -> impl Iterator<Item = SlotOutcome> {
        self.base().map(move |place| match (place.is_proven(now), place.version) {
            (false, _) => SlotOutcome::Unavailable,
            (true, Version::New) => SlotOutcome::Replaced,
            (true, Version::Old) if place.was_touched => SlotOutcome::RolledBack,
            (true, Version::Old) => SlotOutcome::Kept,
        })
    }
}

/// Decisions.
impl RolloutState {
    /// Returns the next step, or `None` if there is none until something happens.
    pub(crate) fn next_step(&mut self, is_paused: bool, now: Time) -> Option<RolloutStep> {
        let is_paused = is_paused && self.direction == Direction::Forward;
        self.next_kill()
            .or_else(|| self.next_start(is_paused, now))
            .or_else(|| self.next_stop(is_paused, now))
    }

    /// A start that is no longer wanted ends at once.
    fn next_kill(&mut self) -> Option<RolloutStep> {
        let target = self.target();
        let is_wrong = |place: &Place| {
            (place.version != target || place.is_surplus())
                && matches!(place.status, Status::Starting { is_killed: false, .. })
        };
        let slot = self.places.iter().position(is_wrong)?;
        if let Status::Starting { is_killed, .. } = &mut self.places[slot].status {
            *is_killed = true;
        }
        Some(RolloutStep::Kill(slot))
    }

    fn next_start(&mut self, is_paused: bool, now: Time) -> Option<RolloutStep> {
        let target = self.target();
        // While it is paused, only workers are started that it has stopped.
        let is_due =
            |place: &Place| matches!(place.status, Status::Down) && !(is_paused && place.version != target);
        // A worker that was given up is not replaced, and no additional one makes up for it.
        let is_outdated =
            |place: &&Place| place.version != target && !matches!(place.status, Status::Abandoned { .. });
        let outdated = self.base().filter(is_outdated).count();
        let surges = self.surge().filter(|place| place.is_there()).count();
        let base = self.base().position(is_due);
        let surge = || self.surge().position(is_due).map(|index| self.wanted + index);
        let adds =
            surges < outdated.min(self.margins.surge) && !is_paused && self.direction != Direction::Halted;
        let slot = base.or_else(|| surge().filter(|_| adds))?;
        let deadline = now.saturating_add(self.limits.progress_deadline);
        let place = &mut self.places[slot];
        (place.version, place.status) = (target, Status::Starting { is_killed: false, deadline });
        place.was_touched = true;
        Some(RolloutStep::Start(slot, target))
    }

    fn next_stop(&mut self, is_paused: bool, now: Time) -> Option<RolloutStep> {
        let slot =
            self.to_shed(now).or_else(|| self.to_replace(is_paused, now)).or_else(|| self.to_remove(now))?;
        let target = self.target();
        let place = &mut self.places[slot];
        (place.version, place.status, place.was_touched) = (target, Status::Stopping, true);
        Some(RolloutStep::Stop(slot))
    }

    /// Returns the next worker to replace.
    fn to_replace(&self, is_paused: bool, now: Time) -> Option<usize> {
        if is_paused || self.direction == Direction::Halted {
            return None;
        }
        let (target, floor) = (self.target(), self.floor(now));
        let is_outdated =
            |place: &Place| place.version != target && matches!(place.status, Status::Running { .. });
        let waits_for = |place: &&Place| place.is_active() && !self.is_lost(place, now);
        let is_in_transit =
            |place: &&Place| place.is_in_flight() || (place.version == target && !place.is_available(now));
        let active = self.places.iter().filter(waits_for).count();
        let in_transit = self.places.iter().filter(waits_for).filter(is_in_transit).count();
        if in_transit < active.saturating_sub(floor) {
            let is_lasting = |place: &Place| !place.is_available(now) && !place.is_renewing();
            let is_unavailable = |place: &Place| is_outdated(place) && is_lasting(place);
            if let Some(slot) = self.places.iter().position(is_unavailable) {
                return Some(slot);
            }
        }
        if self.available(now) <= floor {
            return None;
        }
        // An additional worker stays as long as it makes up for others.
        self.base().position(|place| is_outdated(place) && place.is_available(now))
    }

    /// Returns the next additional worker to remove, once the workers of the pool are replaced or
    /// will not be.
    fn to_remove(&self, now: Time) -> Option<usize> {
        if !self.base().all(|place| self.is_settled(place, now)) {
            return None;
        }
        let index = self.surge().position(Place::runs)?;
        Some(self.wanted + index)
    }
}
