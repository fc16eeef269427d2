//! Rollouts in a world of random outcomes.

use std::time::Duration;

use proptest::prelude::*;

use crate::pool::scheduler::rollout::{RolloutState, RolloutStep, SlotOutcome, Version};
use crate::pool::scheduler::rollout_limit::{Margins, RolloutLimits};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How the workers of one version behave.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Nature {
    Good,
    /// It does not start.
    FailsToStart,
    /// It starts and is never ready.
    NeverReady,
    /// It is ready for a second at a time.
    CrashesEachSecond,
}

/// A worker in the world.
#[derive(Clone, Copy, Debug)]
struct Living {
    version: Version,
    incarnation: u32,
    since: Duration,
}

/// A pool whose steps take a while.
struct World {
    state: RolloutState,
    limits: RolloutLimits,
    wanted: usize,
    reverts: bool,
    now: Duration,
    workers: Vec<Option<Living>>,
    /// The steps under way, with the end of each.
    in_flight: Vec<(Duration, RolloutStep)>,
    next_incarnation: u32,
    /// What each version does, by slot.
    new: Box<dyn Fn(usize) -> Nature>,
    old: Box<dyn Fn(usize) -> Nature>,
    is_paused: bool,
    /// The number of steps that were begun.
    begun: usize,
    /// The numbers after which it is undone.
    undone_after: Option<usize>,
}

impl World {
    fn new(wanted: usize, max_unavailable: usize, max_surge: usize, reverts: bool) -> Self {
        let limits = RolloutLimits {
            max_unavailable: max_unavailable.into(),
            max_surge: max_surge.into(),
            min_ready: secs(2),
            progress_deadline: secs(60),
        };
        let old = Living { version: Version::Old, incarnation: 1, since: Duration::ZERO };
        let state = RolloutState::new(limits, wanted, reverts, |_| Some(1));
        Self {
            workers: (0..state.slots()).map(|slot| (slot < wanted).then_some(old)).collect(),
            state,
            limits,
            wanted,
            reverts,
            now: secs(1_000),
            in_flight: Vec::new(),
            next_incarnation: 1,
            new: Box::new(|_| Nature::Good),
            old: Box::new(|_| Nature::Good),
            is_paused: false,
            begun: 0,
            undone_after: None,
        }
    }

    fn nature(&self, slot: usize, version: Version) -> Nature {
        if version == Version::New { (self.new)(slot) } else { (self.old)(slot) }
    }

    fn ready(&self, slot: usize) -> Option<u32> {
        let living = self.workers[slot]?;
        let is_leaving =
            self.in_flight.iter().any(|(_, step)| matches!(step, RolloutStep::Stop(other) if *other == slot));
        match self.nature(slot, living.version) {
            _ if is_leaving => None,
            Nature::Good => Some(living.incarnation),
            Nature::FailsToStart | Nature::NeverReady => None,
            Nature::CrashesEachSecond => {
                Some(living.incarnation + (self.now - living.since).as_secs() as u32)
            }
        }
    }

    /// Begins all steps that are due. `takes` is how long each takes.
    fn begin(&mut self, takes: impl Fn(usize) -> Duration) {
        while let Some(step) = self.state.next_step(self.is_paused, self.now) {
            self.begun += 1;
            if let RolloutStep::Kill(slot) = step {
                for (until, other) in &mut self.in_flight {
                    if matches!(other, RolloutStep::Start(started, _) if *started == slot) {
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
    fn end(&mut self) {
        let now = self.now;
        let (over, in_flight) = self.in_flight.drain(..).partition(|(until, _)| *until <= now);
        self.in_flight = in_flight;
        let over: Vec<(Duration, RolloutStep)> = over;
        for (_, step) in over {
            match step {
                RolloutStep::Stop(slot) => {
                    self.workers[slot] = None;
                    self.state.stopped(slot, true);
                }
                RolloutStep::Start(slot, version) => {
                    let starts = self.nature(slot, version) != Nature::FailsToStart;
                    self.next_incarnation += 1_000;
                    let incarnation = self.next_incarnation;
                    assert!(self.workers[slot].is_none(), "two workers in slot {slot}");
                    self.workers[slot] = starts.then_some(Living { version, incarnation, since: now });
                    self.state.started(slot, starts);
                }
                RolloutStep::Kill(_) => unreachable!("a kill takes no time"),
            }
        }
    }

    /// Checks the limits.
    fn check(&self) {
        let Margins { unavailable, surge } = self.limits.resolve(self.wanted);
        let there = self.workers.iter().flatten().count();
        assert!(there <= self.wanted + surge, "{there} workers: {:?}", self.state);
        let is_good = |slot: &usize| {
            self.ready(*slot).is_some()
                && self.workers[*slot]
                    .is_some_and(|living| self.nature(*slot, living.version) == Nature::Good)
        };
        let good = (0..self.workers.len()).filter(is_good).count();
        let is_dead = |slot: &usize| {
            (self.old)(*slot) != Nature::Good || (!self.reverts && (self.new)(*slot) != Nature::Good)
        };
        let dead = (0..self.workers.len()).filter(is_dead).count();
        assert!(good + unavailable + dead >= self.wanted, "only {good} work: {:?}", self.state);
    }

    /// Runs until the rollout is over.
    fn run(&mut self, takes: impl Fn(usize) -> Duration + Copy) {
        for _ in 0..100_000 {
            for slot in 0..self.workers.len() {
                let ready = self.ready(slot);
                self.state.observe(slot, ready, self.now);
            }
            while self.state.overdue(self.now).is_some() {}
            self.begin(takes);
            self.check();
            if self.state.is_over(self.now) && self.in_flight.is_empty() {
                return;
            }
            let due =
                self.in_flight.iter().map(|(until, _)| *until).chain(self.state.next_deadline(self.now));
            let next = due.min().expect("something is under way");
            // A worker may crash at any second.
            self.now = next.min(self.now + secs(1)).max(self.now);
            self.end();
        }
        panic!("it never ends: {:?}", self.state);
    }

    fn versions(&self) -> Vec<Option<Version>> {
        self.workers.iter().map(|living| living.map(|living| living.version)).collect()
    }

    /// Checks that all workers of the pool have this version, and that no other worker runs.
    fn assert_all(&self, version: Version) {
        for (slot, found) in self.versions().into_iter().enumerate() {
            assert_eq!(found, (slot < self.wanted).then_some(version), "slot {slot}: {:?}", self.state);
        }
    }

    fn outcomes(&self) -> Vec<SlotOutcome> {
        self.state.outcomes(self.now).collect()
    }
}

fn slowly(step: usize) -> Duration {
    secs([0, 3, 1, 7, 2][step % 5])
}

#[test]
fn workers_are_replaced_in_order_as_many_at_once_as_may_be_unavailable() {
    let mut world = World::new(4, 2, 0, true);
    let mut steps = Vec::new();
    while let Some(step) = world.state.next_step(false, world.now) {
        steps.push(step);
    }
    assert_eq!(steps, [RolloutStep::Stop(0), RolloutStep::Stop(1)]);
    world.state.stopped(1, true);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(1, Version::New)));
    assert_eq!(world.state.next_step(false, world.now), None);
    world.state.started(1, true);
    world.state.observe(1, Some(2), world.now);
    assert_eq!(world.state.next_step(false, world.now), None, "it is not available yet");
    assert_eq!(world.state.next_deadline(world.now), Some(world.now + secs(2)));
    assert_eq!(world.state.next_step(false, world.now + secs(2)), Some(RolloutStep::Stop(2)));
}

#[test]
fn an_additional_worker_is_available_before_the_first_one_stops_and_ends_last() {
    let mut world = World::new(2, 0, 1, true);
    world.begin(|_| secs(1));
    assert_eq!(world.in_flight, [(world.now + secs(1), RolloutStep::Start(2, Version::New))]);
    world.run(|_| secs(1));
    world.assert_all(Version::New);
    assert_eq!(world.outcomes(), [SlotOutcome::Replaced; 2]);
}

#[test]
fn a_worker_that_is_not_available_is_replaced_first() {
    let mut world = World::new(3, 1, 0, true);
    world.state.observe(2, None, world.now);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(2)));
    assert_eq!(world.state.next_step(false, world.now), None);
}

#[test]
fn a_paused_rollout_finishes_what_it_has_begun_and_begins_nothing() {
    let mut world = World::new(3, 1, 1, true);
    world.begin(|_| secs(1));
    world.is_paused = true;
    for _ in 0..20 {
        for slot in 0..world.workers.len() {
            let ready = world.ready(slot);
            world.state.observe(slot, ready, world.now);
        }
        world.begin(|_| secs(1));
        world.now += secs(1);
        world.end();
    }
    assert!(world.in_flight.is_empty() && !world.state.is_over(world.now));
    let new = world.versions().iter().filter(|version| **version == Some(Version::New)).count();
    assert_eq!((new, world.workers.iter().flatten().count()), (2, 4));
    world.is_paused = false;
    world.run(|_| secs(1));
    world.assert_all(Version::New);
}

#[test]
fn a_start_that_is_no_longer_wanted_is_killed() {
    let mut world = World::new(2, 1, 0, true);
    world.begin(|_| secs(1));
    world.now += secs(1);
    world.end();
    world.begin(|_| secs(10_000));
    world.state.fail();
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Kill(0)));
    assert_eq!(world.state.next_step(false, world.now), None, "once");
    world.state.started(0, false);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(0, Version::Old)));
}

#[test]
fn a_rollout_without_a_way_back_halts_where_it_failed() {
    let mut world = World::new(4, 1, 0, false);
    world.new = Box::new(|slot| if slot == 2 { Nature::FailsToStart } else { Nature::Good });
    world.run(slowly);
    let new = Some(Version::New);
    assert_eq!(world.versions(), [new, new, None, Some(Version::Old)]);
    let [.., missing, kept] = world.outcomes()[..] else { panic!("four workers") };
    assert_eq!((missing, kept), (SlotOutcome::Unavailable, SlotOutcome::Kept));
}

#[test]
fn a_worker_that_does_not_come_back_is_given_up() {
    for nature in [Nature::FailsToStart, Nature::NeverReady] {
        let mut world = World::new(3, 1, 0, true);
        world.new = Box::new(|slot| if slot == 1 { Nature::NeverReady } else { Nature::Good });
        world.old = Box::new(move |slot| if slot == 1 { nature } else { Nature::Good });
        world.run(slowly);
        assert_eq!(world.outcomes(), [SlotOutcome::Kept, SlotOutcome::Unavailable, SlotOutcome::Kept]);
    }
}

#[test]
fn a_pool_without_workers_has_nothing_to_replace() {
    let world = World::new(0, 1, 1, true);
    assert!(world.state.is_over(world.now));
}

fn bad() -> impl Strategy<Value = Nature> {
    prop_oneof![Just(Nature::FailsToStart), Just(Nature::NeverReady), Just(Nature::CrashesEachSecond),]
}

/// The wanted workers and the limits, not both zero.
fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..8_usize, 0..4_usize, 0..4_usize).prop_filter("it could do nothing", |(_, down, up)| down + up > 0)
}

proptest! {
    #[test]
    fn good_workers_replace_all_within_the_limits(
        (wanted, down, up) in sizes(),
        takes in prop::collection::vec(0..20_u64, 8),
    ) {
        let mut world = World::new(wanted, down, up, true);
        world.run(|step| secs(takes[step % takes.len()]));
        world.assert_all(Version::New);
        prop_assert_eq!(world.outcomes(), vec![SlotOutcome::Replaced; wanted]);
    }

    #[test]
    fn a_bad_version_is_rolled_back_to_all_old_within_the_limits(
        (wanted, down, up) in sizes(),
        takes in prop::collection::vec(0..20_u64, 8),
        bad_slot in 0..8_usize,
        nature in bad(),
    ) {
        let bad_slot = bad_slot % wanted;
        let mut world = World::new(wanted, down, up, true);
        world.new = Box::new(move |slot| if slot == bad_slot { nature } else { Nature::Good });
        world.run(|step| secs(takes[step % takes.len()]));
        world.assert_all(Version::Old);
        prop_assert!(!world.state.is_forward());
        let is_back = |outcome: &SlotOutcome| matches!(outcome, SlotOutcome::Kept | SlotOutcome::RolledBack);
        prop_assert!(world.outcomes().iter().all(is_back));
    }

    #[test]
    fn an_undone_rollout_goes_back_from_wherever_it_is(
        (wanted, down, up) in sizes(),
        takes in prop::collection::vec(0..20_u64, 8),
        after in 1..12_usize,
    ) {
        let mut world = World::new(wanted, down, up, true);
        world.undone_after = Some(after);
        world.run(|step| secs(takes[step % takes.len()]));
        world.assert_all(if world.undone_after.is_some() { Version::New } else { Version::Old });
    }

    #[test]
    fn every_rollout_ends_whatever_either_version_does(
        (wanted, down, up) in sizes(),
        takes in prop::collection::vec(0..20_u64, 8),
        reverts in any::<bool>(),
        old in prop::collection::vec(prop_oneof![3 => Just(Nature::Good), 1 => bad()], 12),
        new in prop::collection::vec(prop_oneof![3 => Just(Nature::Good), 1 => bad()], 12),
    ) {
        let mut world = World::new(wanted, down, up, reverts);
        (world.old, world.new) = (Box::new(move |slot| old[slot]), Box::new(move |slot| new[slot]));
        world.run(|step| secs(takes[step % takes.len()]));
        let additional = world.workers.iter().skip(wanted).flatten().count();
        prop_assert_eq!(additional, 0);
    }
}
