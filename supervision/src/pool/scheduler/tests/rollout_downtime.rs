//! Rollouts of a pool that is down.

use super::rollout_world::{World, secs};
use crate::pool::scheduler::rollout::{RolloutStep, StepEnd};

/// The progress deadline of the world.
const DEADLINE: u64 = 60;

/// Lets the pool be down for a time, and reports that each second.
fn down_for(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        world.state.observe_pool(true, world.is_paused, world.now);
        assert_eq!(world.state.overdue(world.now), None);
        world.now += secs(1);
    }
    world.state.observe_pool(true, world.is_paused, world.now);
}

#[test]
fn a_rollout_fails_when_its_pool_has_been_down_for_its_deadline() {
    for reverts in [true, false] {
        let mut world = World::new(3, 0, 1, reverts);
        assert!(matches!(world.state.next_step(false, world.now), Some(RolloutStep::Start(3, _))));
        world.state.started(3, StepEnd::Interrupted);
        world.state.observe_pool(false, false, world.now);
        let until = world.now + secs(DEADLINE);
        down_for(&mut world, DEADLINE);
        assert_eq!(until, world.now);
        assert_eq!(world.state.overdue(world.now), Some(3), "it waits for this one");
        assert!(!world.state.is_forward());
        assert_eq!(world.state.overdue(world.now), None, "it is reported once");
    }
}

#[test]
fn a_rollout_wakes_up_when_its_pool_has_been_down_for_its_deadline() {
    let mut world = World::new(1, 1, 0, true);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(0)));
    world.state.stopped(0, StepEnd::Interrupted);
    assert_eq!(world.state.next_deadline(world.now), None, "the pool runs");
    let until = world.now + secs(DEADLINE);
    down_for(&mut world, 7);
    assert_eq!(world.state.next_deadline(world.now), Some(until));
    world.state.fail();
    assert_eq!(world.state.next_deadline(world.now), None, "it goes back when the pool starts");
}

#[test]
fn each_downtime_begins_anew() {
    let mut world = World::new(2, 1, 0, true);
    for _ in 0..5 {
        down_for(&mut world, DEADLINE - 1);
        world.state.observe_pool(false, false, world.now);
        assert_eq!(world.state.overdue(world.now), None);
    }
    assert!(world.state.is_forward());
}

#[test]
fn a_paused_rollout_that_has_begun_nothing_waits_for_its_pool() {
    let mut world = World::new(2, 1, 0, true);
    world.is_paused = true;
    down_for(&mut world, 10 * DEADLINE);
    assert!(world.state.is_forward());
    world.is_paused = false;
    down_for(&mut world, DEADLINE);
    assert_eq!(world.state.overdue(world.now), Some(0));
}

#[test]
fn a_paused_rollout_that_has_begun_waits_no_longer_than_its_deadline() {
    let mut world = World::new(2, 1, 0, true);
    assert_eq!(world.state.next_step(false, world.now), Some(RolloutStep::Stop(0)));
    world.state.stopped(0, StepEnd::Interrupted);
    world.is_paused = true;
    down_for(&mut world, DEADLINE);
    assert_eq!(world.state.overdue(world.now), Some(0));
}
