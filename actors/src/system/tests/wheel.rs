//! The timer wheel, checked against a table of cases and against a sorted list.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::system::wheel::{BUCKETS, Key, TICK, Wheel};

const ROUND: Duration = TICK.saturating_mul(BUCKETS as u32);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the values that are due by `now`, in order.
fn due(wheel: &mut Wheel<u32>, now: Instant) -> Vec<u32> {
    let mut due = Vec::new();
    wheel.advance(now, |_, value| due.push(*value));
    due.sort_unstable();
    due
}

fn next(wheel: &mut Wheel<u32>) -> Option<Instant> {
    wheel.next().map(|(_, time)| time)
}

#[test]
fn a_value_is_due_when_the_tick_after_its_time_begins_and_not_before() {
    let (tick, just) = (TICK, Duration::from_nanos(1));
    let cases = [
        (Duration::ZERO, Duration::ZERO),
        (just, tick),
        (tick - just, tick),
        (tick, tick),
        (tick + just, tick * 2),
        (ms(1_000), ms(1_000)),
        (ROUND - just, ROUND),
        (ROUND * 3 + just, ROUND * 3 + tick),
        (ms(3_600_000), ms(3_600_000)),
    ];
    for (time, due_after) in cases {
        let (start, mut wheel) = (Instant::now(), Wheel::new());
        let (_, tick) = wheel.insert(start, time, 7);
        let due_at = start + due_after;
        assert_eq!((wheel.beginning(tick), wheel.next()), (Some(due_at), Some((tick, due_at))), "{time:?}");
        if let Some(before) = due_after.checked_sub(just) {
            assert_eq!(due(&mut wheel, start + before), [], "{time:?}");
        }
        assert_eq!(due(&mut wheel, due_at), [7], "{time:?}");
        assert_eq!((wheel.next(), due(&mut wheel, due_at + ROUND)), (None, vec![]), "{time:?}");
    }
}

#[test]
fn advancing_by_any_time_finds_everything_that_is_due() {
    let (start, mut wheel) = (Instant::now(), Wheel::new());
    for value in 0..100 {
        wheel.insert(start, ROUND / 7 * value, value);
    }
    assert_eq!(due(&mut wheel, start + ROUND * 100), (0..100).collect::<Vec<_>>());
}

#[test]
fn values_of_different_rounds_share_a_bucket_and_are_due_in_their_own() {
    let (start, mut wheel) = (Instant::now(), Wheel::new());
    for round in 0..3 {
        wheel.insert(start, TICK * 5 + ROUND * round, round);
    }
    for round in 0..3 {
        assert_eq!(next(&mut wheel), Some(start + TICK * 5 + ROUND * round));
        assert_eq!(due(&mut wheel, start + TICK * 5 + ROUND * round), [round]);
    }
}

#[test]
fn a_removed_value_is_never_due_and_its_key_finds_no_other() {
    let (start, mut wheel) = (Instant::now(), Wheel::new());
    let (key, _) = wheel.insert(start, TICK, 1);
    assert_eq!((wheel.remove(key), wheel.next()), (Some(1), None));
    let (other, _) = wheel.insert(start, TICK, 2);
    assert_eq!((wheel.remove(key), wheel.get_mut(key)), (None, None));
    assert_eq!(due(&mut wheel, start + TICK), [2]);
    assert_eq!((wheel.remove(other), wheel.waiting()), (Some(2), 0));
}

#[test]
fn a_clock_that_goes_back_and_a_time_that_never_comes_make_no_value_due_early() {
    let (start, mut wheel) = (Instant::now() + ROUND, Wheel::new());
    let far = Duration::from_secs(86_400 * 365 * 30);
    wheel.insert(start, far, 1);
    wheel.insert(start - ROUND, ROUND / 2, 2);
    assert_eq!(due(&mut wheel, start), []);
    assert_eq!(due(&mut wheel, start + ROUND / 2), [2]);
    assert_eq!(due(&mut wheel, start + far - TICK), []);
    assert_eq!(due(&mut wheel, start + far), [1]);
    wheel.insert(start, Duration::MAX, 3);
    assert_eq!(due(&mut wheel, start + far * 10), []);
    assert!(next(&mut wheel).is_none_or(|next| next > start + far * 10));
}

#[test]
fn clearing_finds_everything_and_the_next_clock_may_be_an_earlier_one() {
    let (start, mut wheel) = (Instant::now() + ROUND, Wheel::new());
    let (key, _) = wheel.insert(start, ROUND * 9, 1);
    let mut found = Vec::new();
    wheel.clear(|_, value| found.push(*value));
    assert_eq!((found, wheel.next(), wheel.get_mut(key)), (vec![1], None, Some(&mut 1)));
    let earlier = start - ROUND;
    wheel.insert(earlier, TICK, 2);
    assert_eq!(next(&mut wheel), Some(earlier + TICK));
    assert_eq!(due(&mut wheel, earlier + TICK), [2]);
}

#[test]
fn a_bucket_gives_the_memory_of_a_burst_back() {
    let (start, mut wheel) = (Instant::now(), Wheel::new());
    let keys: Vec<Key> = (0..100_000).map(|value| wheel.insert(start, TICK * (value % 8), value).0).collect();
    assert!(wheel.slots() >= 100_000);
    assert!(keys.into_iter().all(|key| wheel.remove(key).is_some()));
    assert!(wheel.slots() <= 8 * 64, "{} slots", wheel.slots());
}

#[derive(Clone, Debug)]
enum Op {
    /// Inserts a value that is due after this many milliseconds.
    Insert(u64),
    /// Removes a value, counted from the latest one.
    Remove(usize),
    /// Advances the time by this many milliseconds.
    Advance(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..400_u64).prop_map(Op::Insert),
        2 => (0..40_000_u64).prop_map(Op::Insert),
        4 => (0..20_usize).prop_map(Op::Remove),
        2 => (0..200_u64).prop_map(Op::Advance),
        1 => (0..30_000_u64).prop_map(Op::Advance),
    ]
}

/// One value of the list.
struct Listed {
    value: u32,
    key: Key,
    due_at: Instant,
    is_due: bool,
}

/// Returns the first beginning of a tick that is not before `time`.
fn rounded_up(origin: Instant, time: Instant) -> Instant {
    let ticks = (time - origin).as_nanos().div_ceil(TICK.as_nanos());
    origin + TICK * ticks as u32
}

proptest! {
    #[test]
    fn the_wheel_agrees_with_a_sorted_list(ops in prop::collection::vec(op(), 1..200)) {
        let (mut now, mut wheel, mut origin) = (Instant::now(), Wheel::new(), None);
        let mut list: Vec<Listed> = Vec::new();
        for (value, op) in (0..).zip(ops) {
            match op {
                Op::Insert(after) => {
                    let due_at = rounded_up(*origin.get_or_insert(now), now + ms(after));
                    let (key, tick) = wheel.insert(now, ms(after), value);
                    prop_assert_eq!(wheel.beginning(tick), Some(due_at));
                    list.push(Listed { value, key, due_at, is_due: false });
                }
                Op::Remove(back) if back < list.len() => {
                    let listed = list.remove(list.len() - 1 - back);
                    prop_assert_eq!(wheel.remove(listed.key), Some(listed.value));
                    prop_assert_eq!(wheel.remove(listed.key), None);
                }
                Op::Remove(_) => {}
                Op::Advance(by) => {
                    now += ms(by);
                    let mut expected = Vec::new();
                    for listed in list.iter_mut().filter(|it| !it.is_due && it.due_at <= now) {
                        listed.is_due = true;
                        expected.push(listed.value);
                    }
                    prop_assert_eq!(due(&mut wheel, now), expected);
                }
            }
            let first = list.iter().filter(|it| !it.is_due).map(|it| it.due_at).min();
            prop_assert_eq!(next(&mut wheel), first);
            if first.is_none() {
                origin = None;
            }
            prop_assert_eq!(wheel.waiting(), list.iter().filter(|it| !it.is_due).count());
            for listed in &list {
                prop_assert_eq!(wheel.get_mut(listed.key), Some(&mut listed.value.clone()));
            }
        }
    }
}
