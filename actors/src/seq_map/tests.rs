//! The map against ordered maps of the standard library.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn all(map: &SeqMap<u64>) -> Vec<u64> {
    map.iter().map(|(number, value)| number * 1000 + value).collect()
}

#[test]
fn a_removed_value_is_gone_and_the_others_keep_their_order() {
    let mut map = SeqMap::default();
    [3, 1, 7, 5].into_iter().for_each(|number| assert_eq!(map.insert(number, number), None));
    assert_eq!(all(&map), [1001, 3003, 5005, 7007]);
    assert_eq!((map.remove(3), map.remove(3), map.remove(4)), (Some(3), None, None));
    assert_eq!((all(&map), map.len()), (vec![1001, 5005, 7007], 3));
    assert_eq!((map.get(5), map.get(3)), (Some(&5), None));
    assert_eq!((map.first(), map.last()), (Some(&1), Some(&7)));
    *map.get_mut(5).expect("it is there") += 1;
    assert_eq!(map.into_values().collect::<Vec<_>>(), [(1, 1), (5, 6), (7, 7)]);
}

#[test]
fn it_is_a_sorted_map_that_never_keeps_more_gaps_than_values() {
    let (mut map, mut model, mut random) = (SeqMap::default(), BTreeMap::new(), 1_u64);
    for step in 0..20_000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The map grows for a while, then it shrinks for a while.
        let grows = (random >> 60 < 10) == (step / 2_000 % 2 == 0);
        if grows {
            // Every number is used once, and they are nearly in order.
            let number = (step & !7) | ((step * 3 + 1) & 7);
            map.insert(number, step);
            model.insert(number, step);
        } else {
            let any = model.range((random >> 33) % (step + 1)..).next().map_or(0, |(number, _)| *number);
            assert_eq!(map.remove(any), model.remove(&any));
        }
        assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
        assert_eq!((map.first(), map.last()), (model.values().next(), model.values().last()));
        assert!(map.slots().0 <= 2 * map.len());
    }
    assert!(map.iter().eq(model.iter().map(|(number, value)| (*number, value))));
}

#[test]
fn only_value_takes_no_memory_of_its_own() {
    let mut map = SeqMap::default();
    for number in 0..1_000_u64 {
        assert_eq!((map.insert(number, number), map.slots()), (None, (1, 0)));
        assert_eq!((map.insert(number, 7), map.get(number)), (Some(number), Some(&7)));
        assert_eq!((map.remove(number + 1), map.remove(number), map.is_empty()), (None, Some(7), true));
    }
}

#[test]
fn emptied_map_releases_its_memory() {
    let mut map = SeqMap::default();
    (0..100_000_u64).for_each(|number| assert_eq!(map.insert(number, number), None));
    for number in 0..100_000 {
        assert_eq!(map.remove(number), Some(number));
    }
    assert!(map.slots().1 <= buffer::KEPT_CAPACITY);
}

#[test]
fn large_map_has_room_for_hardly_more_than_its_values() {
    let map: SeqMap<u64> = (0..100_000).map(|number| (number, number)).collect();
    let (slots, room) = map.slots();
    assert_eq!((slots, room - slots < 64), (100_000, true), "{room}");
}

#[test]
fn large_map_releases_the_memory_of_its_first_values_while_it_has_others() {
    let mut map: SeqMap<u64> = (0..100_000).map(|number| (number, number)).collect();
    for number in 0..90_000 {
        assert_eq!(map.remove(number), Some(number));
    }
    assert!(map.slots().1 < 10_100);
    assert_eq!((map.first(), map.last(), map.len()), (Some(&90_000), Some(&99_999), 10_000));
}

#[test]
fn values_that_are_inserted_in_reverse_are_in_order() {
    let mut map = SeqMap::default();
    (0..1_000_u64).rev().for_each(|number| assert_eq!(map.insert(number, number), None));
    assert!(map.iter().map(|(number, value)| (number, *value)).eq((0..1_000).map(|number| (number, number))));
    assert!((0..1_000).all(|number| map.get(number) == Some(&number)));
}

/// An operation on a map.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Appends this many values, after a gap of this many numbers.
    Append(u64, u64),
    /// Inserts one value at any number.
    InsertAt(u64),
    Remove(u64),
    /// Removes all values except those whose number is a multiple of this.
    RemoveAllBut(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (1..100_u64, 0..70_u64).prop_map(|(many, after)| Op::Append(many, after)),
        (0..1_000_u64).prop_map(Op::InsertAt),
        (0..1_000_u64).prop_map(Op::Remove),
        (2..200_u64).prop_map(Op::RemoveAllBut),
    ]
}

fn apply(op: Op, seq_map: &mut SeqMap<u64>, map: &mut BTreeMap<u64, u64>) {
    match op {
        Op::Append(many, after) => {
            let next = map.last_key_value().map_or(0, |(last, _)| last + 1) + after;
            for number in next..next + many {
                assert_eq!(seq_map.insert(number, number), map.insert(number, number));
            }
        }
        Op::InsertAt(number) => {
            assert_eq!(seq_map.insert(number, number + 1), map.insert(number, number + 1))
        }
        Op::Remove(number) => assert_eq!(seq_map.remove(number), map.remove(&number)),
        Op::RemoveAllBut(every) => {
            let numbers: Vec<u64> = map.keys().copied().filter(|number| number % every != 0).collect();
            numbers.iter().for_each(|number| assert_eq!(seq_map.remove(*number), map.remove(number)));
        }
    }
}

proptest! {
    #[test]
    fn seq_map_behaves_like_an_ordered_map(ops in prop::collection::vec(op(), 0..40), from in 0..1_000_u64) {
        let (mut seq_map, mut map) = (SeqMap::default(), BTreeMap::new());
        for op in ops {
            apply(op, &mut seq_map, &mut map);
            prop_assert_eq!(seq_map.len(), map.len());
            prop_assert!(seq_map.slots().0 <= 2 * seq_map.len(), "it has more gaps than values");
            prop_assert_eq!(seq_map.get(from), map.get(&from));
            prop_assert_eq!(seq_map.get_mut(from), map.get_mut(&from));
        }
        let all: Vec<(u64, u64)> = map.into_iter().collect();
        let seen: Vec<(u64, u64)> = seq_map.iter().map(|(number, value)| (number, *value)).collect();
        prop_assert_eq!(&seen, &all);
        let back: Vec<u64> = seq_map.iter().rev().map(|(number, _)| number).collect();
        prop_assert!(back.iter().rev().eq(all.iter().map(|(number, _)| number)));
        prop_assert!(seq_map.values().eq(all.iter().map(|(_, value)| value)));
        let rest = all.iter().filter(|(number, _)| *number >= from).copied();
        prop_assert!(seq_map.iter_from(from).map(|(number, value)| (number, *value)).eq(rest));
        prop_assert!(seq_map.into_values().eq(all));
    }
}

#[test]
fn removed_values_take_no_memory() {
    let mut map: SeqMap<u64> = (0..100_000).map(|number| (number, number)).collect();
    for number in (0..100_000).filter(|number| number % 1_000 != 0) {
        assert_eq!(map.remove(number), Some(number));
    }
    assert!(map.slots().1 <= 400, "room for {} values", map.slots().1);
}
