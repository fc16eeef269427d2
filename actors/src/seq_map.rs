//! A map from ascending numbers to values, in the order of the numbers.
//!
//! Nearly all values are added at the end, and any value may be removed. A hundred thousand members
//! of one group may end at once, and each of them is removed alone. So a removal leaves a gap, and
//! gaps are removed when there are more of them than values. Every operation costs O(log n),
//! amortised. While no number is missing, a value is found in O(1).
//!
//! A B-tree would be half empty when it is filled in order, and takes as much memory for one value
//! as for eleven. Here the only value of a map takes none: it is in the map itself.

use std::collections::VecDeque;
use std::mem;

/// A capacity up to this is kept, however few values there are.
const KEPT_CAPACITY: usize = 16;

/// A map from ascending numbers to values.
#[derive(Clone, Debug)]
pub struct SeqMap<T> {
    slots: Slots<T>,
    len: usize,
}

/// The values. Most maps have at most one, which takes no memory of its own.
#[derive(Clone, Debug)]
enum Slots<T> {
    Empty,
    One(u64, T),
    /// The first and the last slot are never gaps.
    Many(VecDeque<Slot<T>>),
}

/// A value with its number, or a gap.
type Slot<T> = (u64, Option<T>);

impl<T> Default for SeqMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> SeqMap<T> {
    /// Returns an empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Slots::Empty, len: 0 }
    }

    /// Sets the value of a number and returns the previous one. Costs O(1) if the number is the
    /// highest, and O(n) if it is new and lower.
    pub fn insert(&mut self, number: u64, value: T) -> Option<T> {
        let before = match &mut self.slots {
            Slots::Empty => {
                self.slots = Slots::One(number, value);
                None
            }
            Slots::One(other, before) if *other == number => Some(mem::replace(before, value)),
            Slots::One(..) => {
                let mut slots: VecDeque<_> = mem::take(self).into_slots().collect();
                let before = insert(&mut slots, number, value);
                *self = Self { slots: Slots::Many(slots), len: 1 };
                before
            }
            Slots::Many(slots) => insert(slots, number, value),
        };
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes the value with this number and returns it.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let value = match &mut self.slots {
            Slots::Many(slots) => remove(slots, self.len, number)?,
            Slots::One(other, _) if *other == number => {
                return mem::take(self).into_values().next().map(|(_, value)| value);
            }
            Slots::Empty | Slots::One(..) => return None,
        };
        self.len -= 1;
        Some(value)
    }

    /// Returns the value with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        match &self.slots {
            Slots::One(other, value) if *other == number => Some(value),
            Slots::Empty | Slots::One(..) => None,
            Slots::Many(slots) => slots.get(index_of(slots, number)?)?.1.as_ref(),
        }
    }

    /// Returns a mutable reference to the value with this number.
    #[must_use]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match &mut self.slots {
            Slots::One(other, value) if *other == number => Some(value),
            Slots::Empty | Slots::One(..) => None,
            Slots::Many(slots) => {
                let index = index_of(slots, number)?;
                slots.get_mut(index)?.1.as_mut()
            }
        }
    }

    /// Returns the value with the lowest number.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        match &self.slots {
            Slots::Empty => None,
            Slots::One(_, value) => Some(value),
            Slots::Many(slots) => slots.front()?.1.as_ref(),
        }
    }

    /// Returns the value with the highest number.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        match &self.slots {
            Slots::Empty => None,
            Slots::One(_, value) => Some(value),
            Slots::Many(slots) => slots.back()?.1.as_ref(),
        }
    }

    /// Returns all values with their numbers, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.iter_from(0)
    }

    /// Returns the values from a number on with their numbers, in order.
    pub fn iter_from(&self, first: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let (one, many) = match &self.slots {
            Slots::Empty => (None, None),
            Slots::One(number, value) => ((*number >= first).then_some((*number, value)), None),
            Slots::Many(slots) => (None, Some(slots.range(first_from(slots, first)..))),
        };
        let many = many.into_iter().flatten();
        one.into_iter().chain(many.filter_map(|(number, value)| Some((*number, value.as_ref()?))))
    }

    /// Returns all values, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.iter().map(|(_, value)| value)
    }

    /// Returns mutable references to all values, in order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let (one, many) = match &mut self.slots {
            Slots::Empty => (None, None),
            Slots::One(_, value) => (Some(value), None),
            Slots::Many(slots) => (None, Some(slots.iter_mut())),
        };
        one.into_iter().chain(many.into_iter().flatten().filter_map(|(_, value)| value.as_mut()))
    }

    /// Returns all values with their numbers, in order. Consumes the map.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = (u64, T)> {
        self.into_slots().filter_map(|(number, value)| Some((number, value?)))
    }

    fn into_slots(self) -> impl DoubleEndedIterator<Item = Slot<T>> {
        let (one, many) = match self.slots {
            Slots::Empty => (None, None),
            Slots::One(number, value) => (Some((number, Some(value))), None),
            Slots::Many(slots) => (None, Some(slots)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Returns the number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn insert<T>(slots: &mut VecDeque<Slot<T>>, number: u64, value: T) -> Option<T> {
    let index = match slots.back() {
        Some((last, _)) if *last >= number => first_from(slots, number),
        _ => slots.len(),
    };
    match slots.get_mut(index) {
        Some((other, slot)) if *other == number => slot.replace(value),
        _ => {
            slots.insert(index, (number, Some(value)));
            None
        }
    }
}

/// Removes one of `len` values.
fn remove<T>(slots: &mut VecDeque<Slot<T>>, len: usize, number: u64) -> Option<T> {
    let index = index_of(slots, number)?;
    let value = slots.get_mut(index)?.1.take()?;
    while slots.front().is_some_and(is_gap) {
        slots.pop_front();
    }
    while slots.back().is_some_and(is_gap) {
        slots.pop_back();
    }
    if slots.len() > 2 * (len - 1) {
        slots.retain(|slot| !is_gap(slot));
    }
    if slots.capacity() > KEPT_CAPACITY.max(4 * slots.len()) {
        slots.shrink_to(2 * slots.len());
    }
    Some(value)
}

/// Returns the index of the first slot with this number or a higher one.
fn first_from<T>(slots: &VecDeque<Slot<T>>, number: u64) -> usize {
    slots.partition_point(|(other, _)| *other < number)
}

fn index_of<T>(slots: &VecDeque<Slot<T>>, number: u64) -> Option<usize> {
    let first = slots.front()?.0;
    if first == number { Some(0) } else { search(slots, number, first) }
}

/// Returns the index of a number that is not the first.
#[inline(never)]
fn search<T>(slots: &VecDeque<Slot<T>>, number: u64, first: u64) -> Option<usize> {
    // The slot of a number is here if none before it is missing.
    let dense = usize::try_from(number.wrapping_sub(first)).ok()?;
    if slots.get(dense).is_some_and(|(other, _)| *other == number) {
        return Some(dense);
    }
    slots.binary_search_by_key(&number, |(other, _)| *other).ok()
}

impl<T> FromIterator<(u64, T)> for SeqMap<T> {
    fn from_iter<I: IntoIterator<Item = (u64, T)>>(values: I) -> Self {
        let mut map = Self::new();
        values.into_iter().for_each(|(number, value)| drop(map.insert(number, value)));
        map
    }
}

fn is_gap<T>((_, value): &Slot<T>) -> bool {
    value.is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Returns how many slots a map has, and for how many it has room.
    fn slots<T>(map: &SeqMap<T>) -> (usize, usize) {
        match &map.slots {
            Slots::Empty => (0, 0),
            Slots::One(..) => (1, 0),
            Slots::Many(slots) => (slots.len(), slots.capacity()),
        }
    }

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
            assert!(slots(&map).0 <= 2 * map.len);
        }
        assert!(map.iter().eq(model.iter().map(|(number, value)| (*number, value))));
    }

    #[test]
    fn only_value_takes_no_memory_of_its_own() {
        let mut map = SeqMap::default();
        for number in 0..1_000_u64 {
            assert_eq!((map.insert(number, number), slots(&map)), (None, (1, 0)));
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
        assert!(slots(&map).1 <= KEPT_CAPACITY);
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
                prop_assert!(slots(&seq_map).0 <= 2 * seq_map.len, "it has more gaps than values");
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
        assert!(slots(&map).1 <= 400, "room for {} values", slots(&map).1);
    }
}
