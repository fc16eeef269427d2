//! Rollouts of pools that are resized meanwhile.

use proptest::prelude::*;

use super::rollout_world::{Nature, World, natures, seconds, secs, sizes};
use crate::pool::scheduler::readiness::Observed;
use crate::pool::scheduler::rollout::{RolloutState, RolloutStep, SlotOutcome, StepEnd, Version};
use crate::pool::scheduler::rollout_limit::{RolloutLimit, RolloutLimits};

/// Performs all steps of a world until there is none, at one moment after the other.
fn settle(world: &mut World) {
    for _ in 0..100 {
        for slot in 0..world.workers.len() {
            let ready = world.ready(slot);
            world.state.observe(slot, ready, world.now);
        }
        world.begin(|_| secs(1));
        world.now += secs(1);
        world.end();
    }
    assert!(world.in_flight.is_empty(), "{:?}", world.in_flight);
}

fn count(world: &World, version: Version) -> usize {
    world.versions().iter().filter(|found| **found == Some(version)).count()
}

#[test]
fn a_paused_rollout_starts_added_workers_of_the_new_version_and_goes_on_with_all() {
    let mut world = World::new(3, 1, 0, true);
    world.begin(|_| secs(1));
    world.is_paused = true;
    settle(&mut world);
    assert_eq!((count(&world, Version::New), count(&world, Version::Old)), (1, 2));
    world.resize(5);
    assert!(!world.state.is_resized());
    settle(&mut world);
    assert!(world.state.is_resized() && !world.state.is_over(world.now));
    assert_eq!((count(&world, Version::New), count(&world, Version::Old)), (3, 2));
    world.is_paused = false;
    world.run(|_| secs(1));
    world.assert_all(Version::New);
    assert_eq!(world.outcomes(), [SlotOutcome::Replaced; 5]);
}

#[test]
fn a_paused_rollout_stops_surplus_workers_at_once() {
    let mut world = World::new(5, 1, 0, true);
    world.begin(|_| secs(1));
    world.is_paused = true;
    settle(&mut world);
    world.resize(2);
    let now = world.now;
    let steps: Vec<_> = std::iter::from_fn(|| world.state.next_step(true, now)).collect();
    assert_eq!(steps, [RolloutStep::Stop(2), RolloutStep::Stop(3), RolloutStep::Stop(4)]);
    for slot in 2..5 {
        assert!(!world.state.is_resized());
        world.state.stopped(slot, StepEnd::Succeeded);
        world.workers[slot] = None;
    }
    assert!(world.state.is_resized() && !world.state.is_over(now));
    world.is_paused = false;
    world.run(|_| secs(1));
    world.assert_all(Version::New);
}

#[test]
fn an_additional_worker_becomes_one_of_the_pool_when_it_grows() {
    let mut world = World::new(2, 0, 1, true);
    world.begin(|_| secs(1));
    world.is_paused = true;
    settle(&mut world);
    assert_eq!(world.versions()[2], Some(Version::New));
    world.resize(3);
    assert!(world.state.is_resized(), "it runs already");
    assert_eq!(world.state.next_step(true, world.now), None);
}

#[test]
fn a_surplus_worker_that_starts_is_killed_and_that_is_no_failure() {
    let mut world = World::new(2, 2, 0, true);
    world.begin(|_| secs(0));
    world.end();
    world.begin(|_| secs(10_000));
    world.resize(1);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Kill(1)));
    assert_eq!(world.state.next_deadline(world.now), Some(world.now + secs(60)), "that of worker 0");
    world.state.started(1, StepEnd::Failed);
    assert!(world.state.is_forward() && world.state.is_resized());
    // It is wanted again before its start has failed.
    let mut world = World::new(2, 2, 0, true);
    world.begin(|_| secs(0));
    world.end();
    world.begin(|_| secs(10_000));
    world.resize(1);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Kill(1)));
    world.resize(2);
    world.state.started(1, StepEnd::Failed);
    assert!(world.state.is_forward() && !world.state.is_resized());
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(1, Version::New)));
    world.state.started(1, StepEnd::Succeeded);
    assert!(world.state.is_resized());
}

#[test]
fn an_added_worker_that_does_not_start_makes_the_rollout_go_back() {
    let mut world = World::new(2, 1, 0, true);
    world.new = Box::new(|slot| if slot == 3 { Nature::FailsToStart } else { Nature::Good });
    world.resizes = vec![(3, 4)];
    world.run(|_| secs(1));
    world.assert_all(Version::Old);
    assert!(!world.state.is_forward() && world.state.is_resized());
}

#[test]
fn more_additional_workers_than_the_new_limit_end_also_in_a_pause() {
    let mut world = World::new(8, 0, 4, true);
    world.begin(|_| secs(1));
    world.is_paused = true;
    settle(&mut world);
    assert_eq!(world.versions().iter().flatten().count(), 12);
    world.resize(2);
    settle(&mut world);
    assert_eq!(world.versions().iter().flatten().count(), 4, "two additional ones for two workers");
    world.is_paused = false;
    world.run(|_| secs(1));
    world.assert_all(Version::New);
}

#[test]
fn an_additional_worker_that_was_given_up_counts_for_the_limit_until_it_ends() {
    let mut world = World::new(5, 2, 2, true);
    world.old = Box::new(|slot| if [2, 6, 7].contains(&slot) { Nature::NeverReady } else { Nature::Good });
    world.new = Box::new(|slot| if slot == 4 { Nature::NeverReady } else { Nature::Good });
    world.resizes = vec![(18, 6), (17, 1), (13, 7), (12, 3)];
    world.run_taking(&[6, 2, 7, 7, 14, 0, 18, 14]);
    assert!(!world.state.is_forward() && world.state.is_resized());
}

#[test]
fn a_surplus_worker_has_no_limit_and_is_no_failure_when_it_does_not_stop() {
    let mut world = World::new(2, 0, 1, true);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(2, Version::New)));
    world.state.started(2, StepEnd::Succeeded);
    world.state.resize(3);
    world.state.resize(2);
    assert_eq!(world.state.next_deadline(world.now), None, "it is to be stopped");
    assert_eq!(world.state.overdue(world.now + secs(10_000)), None);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(2)));
    world.state.stopped(2, StepEnd::Failed);
    assert!(world.state.is_forward() && world.state.is_resized());
}

#[test]
fn a_surplus_worker_that_stops_makes_the_resize_complete() {
    let mut world = World::new(2, 1, 0, true);
    world.resize(1);
    assert!(!world.state.is_resized());
    assert_eq!(world.state.next_step(true, world.now), Some(RolloutStep::Stop(1)));
    world.state.stopped(1, StepEnd::Succeeded);
    assert!(world.state.is_resized() && world.state.is_forward());
}

#[test]
fn a_rollout_does_not_wait_for_an_additional_worker_that_a_restart_has_kept_and_a_resize_wants() {
    let mut world = World::new(1, 0, 1, true);
    world.begin(|_| secs(0));
    world.end();
    world.state.observe(1, Observed::Ready(2), world.now);
    world.now += secs(2);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(0)));
    world.state.stopped(0, StepEnd::Succeeded);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(0, Version::New)));
    world.state.started(0, StepEnd::Succeeded);
    world.state.observe(0, Observed::Ready(3), world.now);
    world.now += secs(2);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(1)), "it ends last");
    world.state.stopped(1, StepEnd::Interrupted);
    world.state.resize(2);
    assert!(world.state.is_over(world.now), "it may never be ready");
    assert_eq!(world.outcomes(), [SlotOutcome::Replaced, SlotOutcome::Unavailable]);
}

#[test]
fn an_additional_worker_that_stops_as_the_pool_grows_counts_as_added_when_it_has_started_again() {
    for stops in [true, false] {
        let mut world = World::new(1, 0, 1, true);
        world.begin(|_| secs(0));
        world.end();
        world.state.observe(1, Observed::Ready(2), world.now);
        world.now += secs(2);
        assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(0)));
        world.state.stopped(0, StepEnd::Succeeded);
        assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(0, Version::New)));
        world.state.started(0, StepEnd::Succeeded);
        world.state.observe(0, Observed::Ready(3), world.now);
        world.now += secs(2);
        assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(1)), "it ends last");
        world.state.resize(2);
        world.state.stopped(1, if stops { StepEnd::Succeeded } else { StepEnd::Failed });
        assert_eq!((world.state.is_resized(), world.state.is_forward()), (!stops, stops));
        if stops {
            assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Start(1, Version::New)));
            world.state.started(1, StepEnd::Succeeded);
            assert!(world.state.is_resized());
        }
    }
}

/// Sizes, each after a number of steps.
fn resizes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..40_usize, 0..8_usize), 1..5).prop_map(|mut resizes| {
        resizes.sort_unstable_by(|a, b| b.cmp(a));
        resizes
    })
}

proptest! {
    #[test]
    fn good_workers_replace_all_within_the_limits_though_the_pool_is_resized(
        (wanted, down, up) in sizes(),
        takes in seconds(),
        resizes in resizes(),
    ) {
        let mut world = World::new(wanted, down, up, true);
        world.resizes = resizes;
        world.run_taking(&takes);
        world.assert_all(Version::New);
        prop_assert!(world.state.is_resized() && world.state.is_forward());
    }

    #[test]
    fn an_undone_rollout_of_a_resized_pool_goes_back(
        (wanted, down, up) in sizes(),
        takes in seconds(),
        after in 1..12_usize,
        resizes in resizes(),
    ) {
        let mut world = World::new(wanted, down, up, true);
        (world.undone_after, world.resizes) = (Some(after), resizes);
        world.run_taking(&takes);
        world.assert_all(if world.undone_after.is_some() { Version::New } else { Version::Old });
    }

    #[test]
    fn every_rollout_of_a_resized_pool_ends_whatever_either_version_does(
        (wanted, down, up) in sizes(),
        takes in seconds(),
        reverts in any::<bool>(),
        old in natures(16),
        new in natures(16),
        resizes in resizes(),
    ) {
        let mut world = World::new(wanted, down, up, reverts);
        (world.old, world.new) = (Box::new(move |slot| old[slot]), Box::new(move |slot| new[slot]));
        world.resizes = resizes;
        world.run_taking(&takes);
        let additional = world.workers.iter().skip(world.wanted).flatten().count();
        prop_assert_eq!(additional, 0);
        prop_assert!(world.state.is_resized());
    }
}

/// The numbers of Kubernetes, which scales without regard to what is available.
#[test]
fn percentages_of_a_smaller_pool_hold_once_the_replacements_under_way_are_over() {
    let percent = RolloutLimit::percent(25);
    let zero = RolloutLimit::from(0);
    let (min_ready, progress_deadline) = (secs(0), secs(60));
    let limits = RolloutLimits { max_unavailable: percent, max_surge: zero, min_ready, progress_deadline };
    let mut state = RolloutState::new(limits, 10, true, |_| Observed::Ready(1));
    let now = secs(1);
    let steps = |state: &mut RolloutState| -> Vec<RolloutStep> {
        std::iter::from_fn(|| state.next_step(false, now)).collect()
    };
    assert_eq!(steps(&mut state), [0, 1].map(RolloutStep::Stop), "two of ten");
    state.resize(5);
    assert_eq!(steps(&mut state), [5, 6, 7, 8, 9].map(RolloutStep::Stop), "no other one is replaced");
    assert_eq!((state.available(now), state.floor(now)), (3, 4), "two of five, because of the resize");
    for slot in [0, 1] {
        state.stopped(slot, StepEnd::Succeeded);
        assert_eq!(steps(&mut state), [RolloutStep::Start(slot, Version::New)]);
        state.started(slot, StepEnd::Succeeded);
        state.observe(slot, Observed::Ready(2), now);
        let next = if slot == 0 { vec![] } else { vec![RolloutStep::Stop(2)] };
        assert_eq!(steps(&mut state), next, "one of five");
    }
}
