use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

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

fn idle(_: SlotKey) -> Seen {
    Seen { step: 1, is_idle: true }
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
    let works = |step| move |_| Seen { step, is_idle: false };
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
fn stop_that_takes_too_long_is_a_kill_and_then_an_abandonment() {
    let mut engine = Engine::new(limits(1));
    let key = start(&mut engine, SECOND);
    let _ = engine.advance(11 * SECOND, |_| Seen { step: 5, is_idle: true });
    let works = |_| Seen { step: 5, is_idle: true };
    assert_eq!(engine.advance(21 * SECOND, works), [Action::Stop(key)]);
    assert_eq!(engine.advance(23 * SECOND, works), [Action::Kill(key)]);
    assert_eq!(engine.advance(25 * SECOND, works), [Action::Abandon(key), Action::Rest(key)]);
    assert_eq!(engine.running(), 0);
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

/// What a world that performs the actions knows of an entity.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct World {
    is_running: bool,
    was_told: bool,
}

proptest! {
    /// A world does what it is told, and things happen in any order.
    #[test]
    fn never_more_than_the_limit_run_and_each_that_has_a_message_runs_in_the_end(
        steps in prop::collection::vec((0_usize..12, 0_u8..6, 0_u64..4), 1..200),
        max_live in 1_usize..4,
    ) {
        let mut engine = Engine::new(limits(max_live));
        let keys: Vec<SlotKey> = (0..12).filter_map(|_| engine.add()).collect();
        let (mut worlds, mut unhandled) = (BTreeMap::new(), BTreeSet::new());
        let mut now = SECOND;
        let settle = |engine: &mut Engine, worlds: &mut BTreeMap<SlotKey, World>, now| {
            for action in engine.advance(now, idle) {
                match action {
                    Action::Start(key) => {
                        let world = worlds.entry(key).or_default();
                        assert!(!world.is_running, "one incarnation at a time");
                        *world = World { is_running: true, was_told: false };
                    }
                    Action::Stop(key) | Action::Kill(key) => {
                        worlds.entry(key).or_default().was_told = true;
                    }
                    Action::Abandon(key) => *worlds.entry(key).or_default() = World::default(),
                    Action::Rest(_) => {}
                    Action::GiveUp(key) => panic!("{key:?} is given up"),
                }
            }
            let running = worlds.values().filter(|world| world.is_running).count();
            assert_eq!(running, engine.running());
            assert!(running <= max_live, "{running}");
        };
        for (which, what, seconds) in steps {
            let key = keys[which];
            now += Duration::from_secs(seconds);
            let world: World = worlds.get(&key).copied().unwrap_or_default();
            match what {
                0 if !world.is_running => {
                    engine.handle(key, Event::Queued, now);
                    unhandled.insert(key);
                }
                1 => engine.handle(key, Event::Started, now),
                2 | 3 if world.is_running => {
                    engine.handle(key, Event::Ended { failed: what == 3 }, now);
                    worlds.remove(&key);
                }
                4 => engine.use_now(key, now),
                _ => {}
            }
            settle(&mut engine, &mut worlds, now);
        }
        // From now on all starts succeed, all stops are obeyed, and everything gets its turn.
        for _ in 0..200 {
            for &key in &keys {
                let world: World = worlds.get(&key).copied().unwrap_or_default();
                if world.is_running {
                    unhandled.remove(&key);
                    engine.handle(key, Event::Started, now);
                    if world.was_told {
                        engine.handle(key, Event::Ended { failed: false }, now);
                        worlds.remove(&key);
                    }
                } else if unhandled.contains(&key) {
                    engine.handle(key, Event::Queued, now);
                }
            }
            now += SECOND;
            settle(&mut engine, &mut worlds, now);
        }
        prop_assert!(unhandled.is_empty(), "{unhandled:?} never ran");
    }
}
