//! A map from ascending numbers to values, in the order of the numbers.
//!
//! Nearly all values are added at the end, and any value may be removed. A hundred thousand members
//! of one group may end at once, and each of them is removed alone. So a removal leaves a gap, and
//! gaps are removed when there are more of them than values. Every operation costs O(log n),
//! amortised. While no number is missing, a value is found in O(1).
//!
//! A B-tree would be half empty when it is filled in order, and takes as much memory for one value
//! as for eleven.

use std::collections::VecDeque;

/// A capacity up to this is kept, however few values there are.
const KEPT_CAPACITY: usize = 16;

/// A map from ascending numbers to values.
#[derive(Clone, Debug)]
pub struct SeqMap<T> {
    /// The first and the last slot are never gaps.
    slots: VecDeque<(u64, Option<T>)>,
    len: usize,
}

impl<T> Default for SeqMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> SeqMap<T> {
    /// Returns an empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: VecDeque::new(), len: 0 }
    }

    /// Sets the value of a number and returns the previous one. Costs O(1) if the number is the
    /// highest, and O(n) if it is new and lower.
    pub fn insert(&mut self, number: u64, value: T) -> Option<T> {
        if self.slots.capacity() == 0 {
            // Most maps have at most one value.
            self.slots.reserve_exact(1);
        }
        let index = match self.slots.back() {
            Some((last, _)) if *last >= number => self.first_from(number),
            _ => self.slots.len(),
        };
        let before = match self.slots.get_mut(index) {
            Some((other, slot)) if *other == number => slot.replace(value),
            _ => {
                self.slots.insert(index, (number, Some(value)));
                None
            }
        };
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes the value with this number and returns it.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let index = self.index_of(number)?;
        let value = self.slots.get_mut(index)?.1.take()?;
        self.len -= 1;
        while self.slots.front().is_some_and(is_gap) {
            self.slots.pop_front();
        }
        while self.slots.back().is_some_and(is_gap) {
            self.slots.pop_back();
        }
        if self.slots.len() > 2 * self.len {
            self.slots.retain(|index| !is_gap(index));
        }
        if self.slots.capacity() > KEPT_CAPACITY.max(4 * self.slots.len()) {
            self.slots.shrink_to(2 * self.slots.len());
        }
        Some(value)
    }

    /// Returns the value with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        self.slots.get(self.index_of(number)?)?.1.as_ref()
    }

    /// Returns a mutable reference to the value with this number.
    #[must_use]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index_of(number)?;
        self.slots.get_mut(index)?.1.as_mut()
    }

    /// Returns the value with the lowest number.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.slots.front()?.1.as_ref()
    }

    /// Returns the value with the highest number.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.slots.back()?.1.as_ref()
    }

    /// Returns all values with their numbers, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.slots.iter().filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Returns the values from a number on with their numbers, in order.
    pub fn iter_from(&self, first: u64) -> impl Iterator<Item = (u64, &T)> {
        let rest = self.slots.range(self.first_from(first)..);
        rest.filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Returns all values, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.slots.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// Returns mutable references to all values, in order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// Returns all values with their numbers, in order. Consumes the map.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = (u64, T)> {
        self.slots.into_iter().filter_map(|(number, value)| Some((number, value?)))
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

    /// Returns the index of the first slot with this number or a higher one.
    fn first_from(&self, number: u64) -> usize {
        self.slots.partition_point(|(other, _)| *other < number)
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        let first = self.slots.front()?.0;
        // Most maps have at most one value.
        if first == number { Some(0) } else { self.search(number, first) }
    }

    /// Returns the index of a number that is not the first.
    #[inline(never)]
    fn search(&self, number: u64, first: u64) -> Option<usize> {
        // The slot of a number is here if none before it is missing.
        let dense = usize::try_from(number.wrapping_sub(first)).ok()?;
        if self.slots.get(dense).is_some_and(|(other, _)| *other == number) {
            return Some(dense);
        }
        self.slots.binary_search_by_key(&number, |(other, _)| *other).ok()
    }
}

impl<T> FromIterator<(u64, T)> for SeqMap<T> {
    fn from_iter<I: IntoIterator<Item = (u64, T)>>(values: I) -> Self {
        let mut map = Self::new();
        values.into_iter().for_each(|(number, value)| drop(map.insert(number, value)));
        map
    }
}

fn is_gap<T>((_, value): &(u64, Option<T>)) -> bool {
    value.is_none()
}

#[cfg(test)]
mod tests {
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
            assert!(map.slots.len() <= 2 * map.len);
        }
        assert!(map.iter().eq(model.iter().map(|(number, value)| (*number, value))));
    }

    #[test]
    fn emptied_map_releases_its_memory() {
        let mut map = SeqMap::default();
        (0..100_000_u64).for_each(|number| assert_eq!(map.insert(number, number), None));
        for number in 0..100_000 {
            assert_eq!(map.remove(number), Some(number));
        }
        assert!(map.slots.capacity() <= KEPT_CAPACITY);
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
                prop_assert!(seq_map.slots.len() <= 2 * seq_map.len, "it has more gaps than values");
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
        assert!(map.slots.capacity() <= 400, "room for {} values", map.slots.capacity());
    }
}
