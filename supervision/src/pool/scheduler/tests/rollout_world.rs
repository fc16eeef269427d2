//! A world of random outcomes, in which a rollout runs.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use crate::pool::scheduler::readiness::Observed;
use crate::pool::scheduler::rollout::{RolloutState, RolloutStep, SlotOutcome, StepEnd, Version};
use crate::pool::scheduler::rollout_limit::{Margins, RolloutLimits};

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How the workers of one version behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Nature {
    Good,
    /// It does not start.
    FailsToStart,
    /// It starts and is never ready.
    NeverReady,
    /// It is ready for a second at a time.
    CrashesEachSecond,
    /// It is renewed once in eight seconds. In four of them, none is renewed.
    Renews,
}

impl Nature {
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Renews)
    }
}

/// A worker in the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Living {
    version: Version,
    streak: u32,
    since: Duration,
}

/// A pool whose steps take a while.
pub(super) struct World {
    pub(super) state: RolloutState,
    pub(super) limits: RolloutLimits,
    pub(super) wanted: usize,
    pub(super) reverts: bool,
    pub(super) now: Duration,
    pub(super) workers: Vec<Option<Living>>,
    /// The steps under way, with the end of each.
    pub(super) in_flight: Vec<(Duration, RolloutStep)>,
    pub(super) next_streak: u32,
    /// What each version does, by slot.
    pub(super) new: Box<dyn Fn(usize) -> Nature>,
    pub(super) old: Box<dyn Fn(usize) -> Nature>,
    pub(super) is_paused: bool,
    /// The number of steps that were begun.
    pub(super) begun: usize,
    /// The number of steps after which it is undone.
    pub(super) undone_after: Option<usize>,
    /// The number of steps after which the supervisor of the pool is killed and started again.
    pub(super) restarted_after: Option<usize>,
    /// The slots whose workers it has started again, while the rollout was about to replace them.
    restarted: BTreeSet<usize>,
    /// Other numbers of wanted workers, each after a number of steps, the last one first.
    pub(super) resizes: Vec<(usize, usize)>,
    /// How many workers were added or restarted since as many as are wanted were available.
    added: usize,
    /// The workers that a resize made surplus and that have not ended yet.
    surplus: BTreeSet<usize>,
}

impl World {
    pub(super) fn new(wanted: usize, max_unavailable: usize, max_surge: usize, reverts: bool) -> Self {
        let limits = RolloutLimits {
            max_unavailable: max_unavailable.into(),
            max_surge: max_surge.into(),
            min_ready: secs(2),
            progress_deadline: secs(60),
        };
        let old = Living { version: Version::Old, streak: 1, since: Duration::ZERO };
        let state = RolloutState::new(limits, wanted, reverts, |_| Observed::Ready(1));
        Self {
            workers: (0..state.slots()).map(|slot| (slot < wanted).then_some(old)).collect(),
            state,
            limits,
            wanted,
            reverts,
            now: secs(1_000),
            in_flight: Vec::new(),
            next_streak: 1,
            new: Box::new(|_| Nature::Good),
            old: Box::new(|_| Nature::Good),
            is_paused: false,
            begun: 0,
            undone_after: None,
            restarted_after: None,
            restarted: BTreeSet::new(),
            resizes: Vec::new(),
            added: 0,
            surplus: BTreeSet::new(),
        }
    }

    /// Changes the number of wanted workers.
    pub(super) fn resize(&mut self, wanted: usize) {
        self.state.resize(wanted);
        let slots = self.state.slots();
        self.workers.resize(slots, None);
        let is_there = |slot: &usize| {
            self.workers[*slot].is_some() || self.in_flight.iter().any(|(_, step)| starts(*step, *slot))
        };
        self.surplus = (wanted..slots).filter(is_there).collect();
        self.added += wanted.saturating_sub(self.wanted);
        self.wanted = wanted;
    }

    pub(super) fn nature(&self, slot: usize, version: Version) -> Nature {
        if version == Version::New { (self.new)(slot) } else { (self.old)(slot) }
    }

    pub(super) fn ready(&self, slot: usize) -> Observed {
        let Some(living) = self.workers[slot] else { return Observed::Unready };
        let (age, second) = ((self.now - living.since).as_secs() as u32, self.now.as_secs() % 8);
        let is_leaving =
            self.in_flight.iter().any(|(_, step)| matches!(step, RolloutStep::Stop(other) if *other == slot));
        match self.nature(slot, living.version) {
            _ if is_leaving => Observed::Unready,
            Nature::Renews if age > 0 && second == slot as u64 % 4 => Observed::Renewing(living.streak),
            Nature::Good | Nature::Renews => Observed::Ready(living.streak),
            Nature::FailsToStart | Nature::NeverReady => Observed::Unready,
            Nature::CrashesEachSecond => Observed::Ready(living.streak + age),
        }
    }

    /// Begins all steps that are due. `takes` is how long each takes.
    pub(super) fn begin(&mut self, takes: impl Fn(usize) -> Duration) {
        while let Some(step) = self.state.next_step(self.is_paused, self.now) {
            self.begun += 1;
            if let RolloutStep::Kill(slot) = step {
                for (until, other) in &mut self.in_flight {
                    if starts(*other, slot) {
                        *until = self.now;
                    }
                }
            } else {
                self.in_flight.push((self.now + takes(self.begun), step));
            }
        }
        if self.undone_after.is_some_and(|steps| steps <= self.begun) {
            self.undone_after = None;
            self.state.fail();
        }
    }

    /// Ends the steps that are over.
    pub(super) fn end(&mut self) {
        let now = self.now;
        let (over, in_flight) = self.in_flight.drain(..).partition(|(until, _)| *until <= now);
        self.in_flight = in_flight;
        let over: Vec<(Duration, RolloutStep)> = over;
        for (_, step) in over {
            match step {
                RolloutStep::Stop(slot) => {
                    self.workers[slot] = None;
                    self.surplus.remove(&slot);
                    self.state.stopped(slot, StepEnd::Succeeded);
                }
                RolloutStep::Start(slot, version) => {
                    let starts = self.nature(slot, version) != Nature::FailsToStart;
                    // A worker that crashes uses up one for each second.
                    self.next_streak += 10_000;
                    let streak = self.next_streak;
                    let is_replaced = self.restarted.remove(&slot);
                    assert!(is_replaced || self.workers[slot].is_none(), "two workers in slot {slot}");
                    self.workers[slot] = starts.then_some(Living { version, streak, since: now });
                    if !starts {
                        self.surplus.remove(&slot);
                    }
                    self.state.started(slot, if starts { StepEnd::Succeeded } else { StepEnd::Failed });
                }
                RolloutStep::Kill(_) => unreachable!("a kill takes no time"),
            }
        }
    }

    /// Restarts the supervisor of the pool, which ends all workers and starts those again that have
    /// started before.
    fn restart(&mut self) {
        for (_, step) in std::mem::take(&mut self.in_flight) {
            match step {
                RolloutStep::Stop(slot) => {
                    self.restarted.insert(slot);
                    self.state.stopped(slot, StepEnd::Interrupted);
                }
                RolloutStep::Start(slot, _) => self.state.started(slot, StepEnd::Interrupted),
                RolloutStep::Kill(_) => unreachable!("a kill takes no time"),
            }
        }
        // None of them is available before its minimum time is over.
        self.added += self.wanted;
        for living in self.workers.iter_mut().flatten() {
            self.next_streak += 10_000;
            (living.streak, living.since) = (self.next_streak, self.now);
        }
    }

    /// Checks the limits.
    pub(super) fn check(&mut self) {
        let Margins { unavailable, surge } = self.limits.resolve(self.wanted);
        let there = self.workers.iter().flatten().count();
        assert!(there <= self.wanted + surge.max(self.surplus.len()), "{there} workers: {:?}", self.state);
        let is_good = |slot: &usize| {
            self.ready(*slot) != Observed::Unready
                && self.workers[*slot].is_some_and(|living| self.nature(*slot, living.version).is_good())
        };
        let good = (0..self.workers.len()).filter(is_good).count();
        let is_dead =
            |slot: &usize| !(self.old)(*slot).is_good() || (!self.reverts && !(self.new)(*slot).is_good());
        let dead = (0..self.workers.len()).filter(is_dead).count();
        // A worker that is ready and not yet available may still be replaced first.
        if self.state.available(self.now) + unavailable + dead >= self.wanted {
            self.added = 0;
        }
        assert!(good + unavailable + dead + self.added >= self.wanted, "only {good} work: {:?}", self.state);
    }

    /// Runs until the rollout is over. Each step takes one of these numbers of seconds, in turn.
    pub(super) fn run_taking(&mut self, seconds: &[u64]) {
        self.run(|step| secs(seconds[step % seconds.len()]));
    }

    /// Runs until the rollout is over.
    pub(super) fn run(&mut self, takes: impl Fn(usize) -> Duration + Copy) {
        for _ in 0..100_000 {
            for slot in 0..self.workers.len() {
                let ready = self.ready(slot);
                self.state.observe(slot, ready, self.now);
            }
            if self.resizes.last().is_some_and(|(steps, _)| *steps <= self.begun) {
                self.resizes.pop().into_iter().for_each(|(_, wanted)| self.resize(wanted));
                continue;
            }
            if self.restarted_after.is_some_and(|steps| steps <= self.begun) {
                self.restarted_after = None;
                self.restart();
                continue;
            }
            while self.state.overdue(self.now).is_some() {}
            self.begin(takes);
            self.check();
            if self.state.is_over(self.now) && self.in_flight.is_empty() {
                return;
            }
            let due =
                self.in_flight.iter().map(|(until, _)| *until).chain(self.state.next_deadline(self.now));
            let is_renewing = |slot: usize| matches!(self.ready(slot), Observed::Renewing(_));
            let renews = (0..self.workers.len()).any(is_renewing);
            let due = due.min();
            assert!(due.is_some() || renews, "nothing is under way");
            let next = due.unwrap_or(Duration::MAX);
            // A worker may crash at any second.
            self.now = next.min(self.now + secs(1)).max(self.now);
            self.end();
        }
        panic!("it never ends: {:?}", self.state);
    }

    pub(super) fn versions(&self) -> Vec<Option<Version>> {
        self.workers.iter().map(|living| living.map(|living| living.version)).collect()
    }

    /// Checks that all workers of the pool have this version, and that no other worker runs.
    pub(super) fn assert_all(&self, version: Version) {
        for (slot, found) in self.versions().into_iter().enumerate() {
            assert_eq!(found, (slot < self.wanted).then_some(version), "slot {slot}: {:?}", self.state);
        }
    }

    pub(super) fn outcomes(&self) -> Vec<SlotOutcome> {
        self.state.outcomes(self.now).collect()
    }
}

/// Returns `true` if the step starts the worker of this slot.
fn starts(step: RolloutStep, slot: usize) -> bool {
    matches!(step, RolloutStep::Start(started, _) if started == slot)
}

pub(super) fn slowly(step: usize) -> Duration {
    secs([0, 3, 1, 7, 2][step % 5])
}

pub(super) fn good() -> impl Strategy<Value = Nature> {
    prop_oneof![2 => Just(Nature::Good), 1 => Just(Nature::Renews)]
}

pub(super) fn bad() -> impl Strategy<Value = Nature> {
    prop_oneof![Just(Nature::FailsToStart), Just(Nature::NeverReady), Just(Nature::CrashesEachSecond),]
}

/// How many seconds steps take.
pub(super) fn seconds() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0..20_u64, 8)
}

/// How the workers of one version behave, by slot: most are good.
pub(super) fn natures(slots: usize) -> impl Strategy<Value = Vec<Nature>> {
    prop::collection::vec(prop_oneof![2 => good(), 1 => bad()], slots)
}

/// The wanted workers and the limits, not both zero.
pub(super) fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..8_usize, 0..4_usize, 0..4_usize).prop_filter("it could do nothing", |(_, down, up)| down + up > 0)
}
