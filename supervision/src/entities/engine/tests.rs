//! The rules of the engine: by example, and for any order of events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::places::TURN;
use super::{Action, Engine, Event, Limits, Reading, SlotKey};
use crate::policy::Backoff;

const SECOND: Duration = Duration::from_secs(1);

fn limits(max_live: usize) -> Limits {
    Limits {
        max_live,
        max_keys: 100,
        idle_after: Some(10 * SECOND),
        backoff: Backoff::new(SECOND, 8 * SECOND),
        give_up_after: None,
        start_timeout: Some(5 * SECOND),
        stop_timeout: 2 * SECOND,
    }
}

fn idle(_: SlotKey) -> Reading {
    Reading { step: 1, is_idle: true }
}

/// Starts an entity that has a message, and returns its key.
fn start(engine: &mut Engine, now: Duration) -> SlotKey {
    let key = engine.add().expect("there is room");
    engine.handle(key, Event::Queued, now);
    assert_eq!(engine.advance(now, idle), [Action::Start(key)]);
    engine.handle(key, Event::Started, now);
    key
}

#[test]
fn least_recently_used_one_makes_room() {
    let mut engine = Engine::new(limits(2));
    let first = start(&mut engine, SECOND);
    let second = start(&mut engine, 2 * SECOND);
    engine.use_now(first, 3 * SECOND);
    let third = engine.add().expect("there is room");
    engine.handle(third, Event::Queued, 4 * SECOND);
    assert_eq!(engine.advance(4 * SECOND, idle), [Action::Stop(second)]);
    assert_eq!(engine.advance(4 * SECOND, idle), [], "one stop is enough for one that waits");
    engine.handle(second, Event::Ended { failed: false }, 5 * SECOND);
    assert_eq!(engine.advance(5 * SECOND, idle), [Action::Rest(second), Action::Start(third)]);
}

#[test]
fn one_that_works_makes_room_only_after_its_turn() {
    let mut engine = Engine::new(limits(1));
    let first = start(&mut engine, SECOND);
    let second = engine.add().expect("there is room");
    engine.handle(second, Event::Queued, SECOND);
    let works = |step| move |_| Reading { step, is_idle: false };
    assert_eq!(engine.advance(SECOND, works(1 + 2 * (TURN - 1))), []);
    assert!(engine.next_due().is_some_and(|due| due > SECOND), "it looks again");
    assert_eq!(engine.advance(SECOND, works(1 + 2 * TURN)), [Action::Stop(first)]);
}

#[test]
fn failure_delays_its_own_key_only() {
    let mut engine = Engine::new(limits(2));
    let poisoned = start(&mut engine, SECOND);
    engine.handle(poisoned, Event::Ended { failed: true }, SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Rest(poisoned)]);
    assert!(!engine.remove(poisoned, SECOND), "its failures count still");
    engine.handle(poisoned, Event::Queued, SECOND);
    assert_eq!(engine.advance(SECOND, idle), []);
    start(&mut engine, SECOND);
    assert_eq!(engine.next_due(), Some(2 * SECOND));
    assert_eq!(engine.advance(2 * SECOND, idle), [Action::Start(poisoned)]);
    engine.handle(poisoned, Event::Ended { failed: true }, 2 * SECOND);
    engine.handle(poisoned, Event::Queued, 2 * SECOND);
    let _ = engine.advance(2 * SECOND, idle);
    assert_eq!(engine.next_due(), Some(4 * SECOND), "the second delay is twice the first");
}

#[test]
fn failures_are_forgotten_after_a_healthy_run_and_with_time() {
    let mut engine = Engine::new(limits(2));
    let key = start(&mut engine, SECOND);
    engine.handle(key, Event::Ended { failed: true }, SECOND);
    let _ = engine.advance(SECOND, idle);
    assert!(engine.remove(key, 10 * SECOND), "a delay of 1 s and 8 s of health");
    let key = start(&mut engine, 10 * SECOND);
    engine.handle(key, Event::Ended { failed: true }, 10 * SECOND);
    engine.handle(key, Event::Queued, 11 * SECOND);
    assert_eq!(engine.advance(11 * SECOND, idle), [Action::Rest(key), Action::Start(key)]);
    engine.handle(key, Event::Started, 11 * SECOND);
    engine.handle(key, Event::Ended { failed: true }, 20 * SECOND);
    engine.handle(key, Event::Queued, 20 * SECOND);
    let _ = engine.advance(20 * SECOND, idle);
    assert_eq!(engine.next_due(), Some(21 * SECOND), "the first delay again");
}

#[test]
fn one_is_given_up_after_its_failures() {
    let mut engine = Engine::new(Limits { give_up_after: Some(2), ..limits(2) });
    let key = start(&mut engine, SECOND);
    engine.handle(key, Event::Ended { failed: true }, SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Rest(key)]);
    engine.handle(key, Event::Queued, 2 * SECOND);
    assert_eq!(engine.advance(2 * SECOND, idle), [Action::Start(key)]);
    engine.handle(key, Event::Ended { failed: true }, 2 * SECOND);
    assert_eq!(engine.advance(2 * SECOND, idle), [Action::GiveUp(key)]);
    engine.forget(key);
    assert_eq!(engine.known(), 0);
}

#[test]
fn stop_with_the_tree_that_takes_too_long_is_a_kill_and_then_an_abandonment() {
    let mut engine = Engine::new(Limits { give_up_after: Some(1), ..limits(1) });
    let key = start(&mut engine, SECOND);
    engine.close(SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Stop(key)]);
    assert_eq!(engine.advance(3 * SECOND, idle), [Action::Kill(key)]);
    assert_eq!(engine.advance(5 * SECOND, idle), [Action::Abandon(key)]);
    engine.handle(key, Event::Ended { failed: true }, 5 * SECOND);
    assert_eq!(engine.advance(5 * SECOND, idle), [Action::Rest(key)], "it has not failed");
    assert_eq!(engine.running(), 0);
}

#[test]
fn one_that_makes_room_finishes_what_it_does_unless_the_tree_stops() {
    let mut engine = Engine::new(limits(1));
    let first = start(&mut engine, SECOND);
    let second = engine.add().expect("there is room");
    engine.handle(second, Event::Queued, SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Stop(first)]);
    assert_eq!(engine.advance(1_000 * SECOND, idle), []);
    engine.close(1_000 * SECOND);
    assert_eq!(engine.advance(1_000 * SECOND, idle), [Action::Rest(second)]);
    assert_eq!(engine.advance(1_002 * SECOND, idle), [Action::Kill(first)]);
}

#[test]
fn idle_one_behind_many_that_work_makes_room() {
    let mut engine = Engine::new(limits(99));
    let keys: Vec<SlotKey> = (0..99).map(|_| start(&mut engine, SECOND)).collect();
    let waiting = engine.add().expect("there is room");
    engine.handle(waiting, Event::Queued, SECOND);
    let last = keys[98];
    let seen = |key| Reading { step: 1, is_idle: key == last };
    let stops = (0..4).map(|_| engine.advance(SECOND, seen)).find(|actions| !actions.is_empty());
    assert_eq!(stops, Some(vec![Action::Stop(last)]));
}

#[test]
fn start_that_takes_too_long_is_a_kill() {
    let mut engine = Engine::new(limits(1));
    let key = engine.add().expect("there is room");
    engine.handle(key, Event::Queued, SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Start(key)]);
    assert_eq!(engine.advance(6 * SECOND, idle), [Action::Kill(key)]);
    engine.handle(key, Event::Started, 6 * SECOND);
    engine.handle(key, Event::Ended { failed: true }, 6 * SECOND);
    assert_eq!(engine.advance(6 * SECOND, idle), [Action::Rest(key)]);
}

#[test]
fn event_for_an_earlier_entity_of_a_slot_has_no_effect() {
    let mut engine = Engine::new(limits(1));
    let before = engine.add().expect("there is room");
    assert!(engine.remove(before, SECOND));
    let after = engine.add().expect("there is room");
    assert_eq!((before.index(), SlotKey::from_number(after.to_number())), (after.index(), after));
    engine.handle(before, Event::Queued, SECOND);
    assert_eq!(engine.advance(SECOND, idle), []);
}

#[test]
fn closing_stops_what_runs_and_starts_nothing_until_it_reopens() {
    let mut engine = Engine::new(limits(1));
    let running = start(&mut engine, SECOND);
    let waiting = engine.add().expect("there is room");
    engine.handle(waiting, Event::Queued, SECOND);
    engine.close(SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Rest(waiting), Action::Stop(running)]);
    engine.handle(waiting, Event::Queued, SECOND);
    engine.handle(running, Event::Ended { failed: false }, SECOND);
    assert_eq!(engine.advance(SECOND, idle), [Action::Rest(running)]);
    engine.reopen();
    let rests = engine.advance(SECOND, idle);
    assert_eq!(rests, [Action::Rest(running), Action::Rest(waiting)]);
}

/// A world that performs the actions of an engine.
struct World {
    engine: Engine,
    keys: Vec<SlotKey>,
    max_live: usize,
    now: Duration,
    /// The incarnations that run, and whether each was told to end.
    running: BTreeMap<SlotKey, bool>,
    /// Those that have a message.
    unhandled: BTreeSet<SlotKey>,
}

impl World {
    fn new(max_live: usize) -> Self {
        let mut engine = Engine::new(limits(max_live));
        let keys = (0..12).filter_map(|_| engine.add()).collect();
        let (running, unhandled) = (BTreeMap::new(), BTreeSet::new());
        Self { engine, keys, max_live, now: SECOND, running, unhandled }
    }

    fn queue(&mut self, key: SlotKey) {
        self.unhandled.insert(key);
        self.engine.handle(key, Event::Queued, self.now);
    }

    fn end(&mut self, key: SlotKey, failed: bool) {
        self.running.remove(&key);
        self.engine.handle(key, Event::Ended { failed }, self.now);
    }

    fn perform(&mut self) {
        for action in self.engine.advance(self.now, idle) {
            match action {
                Action::Start(key) => {
                    assert!(self.running.insert(key, false).is_none(), "one incarnation at a time");
                }
                Action::Stop(key) | Action::Kill(key) => {
                    self.running.insert(key, true);
                }
                Action::Abandon(key) => self.end(key, true),
                Action::Rest(_) => {}
                Action::GiveUp(key) => panic!("{key:?} is given up"),
            }
        }
        assert_eq!(self.running.len(), self.engine.running());
        assert!(self.running.len() <= self.max_live);
    }

    /// Each incarnation starts and handles its messages, and ends if it was told to.
    fn work(&mut self) {
        for key in self.keys.clone() {
            match self.running.get(&key) {
                Some(&was_told) => {
                    self.unhandled.remove(&key);
                    self.engine.handle(key, Event::Started, self.now);
                    if was_told {
                        self.end(key, false);
                    }
                }
                None if self.unhandled.contains(&key) => self.queue(key),
                None => {}
            }
        }
    }
}

proptest! {
    /// Things happen in any order.
    #[test]
    fn never_more_than_the_limit_run_and_each_that_has_a_message_runs_in_the_end(
        steps in prop::collection::vec((0_usize..12, 0_u8..5, 0_u64..4), 1..200),
        max_live in 1_usize..4,
    ) {
        let mut world = World::new(max_live);
        for (which, what, seconds) in steps {
            let key = world.keys[which];
            world.now += Duration::from_secs(seconds);
            let is_running = world.running.contains_key(&key);
            match what {
                0 if !is_running => world.queue(key),
                1 => world.engine.handle(key, Event::Started, world.now),
                2 | 3 if is_running => world.end(key, what == 3),
                4 => world.engine.use_now(key, world.now),
                _ => {}
            }
            world.perform();
        }
        for _ in 0..200 {
            world.work();
            world.now += SECOND;
            world.perform();
        }
        prop_assert!(world.unhandled.is_empty(), "{:?} never ran", world.unhandled);
    }
}
