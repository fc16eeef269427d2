//! A map from ascending numbers to values, in the order of the numbers.
//!
//! A hundred thousand members of one group may end at once, and each of them is removed alone. So a
//! removal leaves a gap, and gaps are removed when there are more of them than values. Every
//! operation costs O(log n), amortised.

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

    /// Inserts a value under a number that no other value has had. Costs O(1) if the number is the
    /// highest.
    pub fn insert(&mut self, number: u64, value: T) {
        if self.slots.capacity() == 0 {
            // Most maps have at most one value.
            self.slots.reserve_exact(1);
        }
        self.len += 1;
        match self.slots.back() {
            Some((last, _)) if *last > number => {
                let index = self.slots.partition_point(|(other, _)| *other < number);
                self.slots.insert(index, (number, Some(value)));
            }
            _ => self.slots.push_back((number, Some(value))),
        }
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
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Returns all values with their numbers, in order. Consumes the map.
    pub fn into_values(self) -> impl Iterator<Item = (u64, T)> {
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

    fn index_of(&self, number: u64) -> Option<usize> {
        self.slots.binary_search_by_key(&number, |(other, _)| *other).ok()
    }
}

fn is_gap<T>((_, value): &(u64, Option<T>)) -> bool {
    value.is_none()
}

#[cfg(all(test, not(model)))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn all(map: &SeqMap<u64>) -> Vec<u64> {
        map.iter().map(|(number, value)| number * 1000 + value).collect()
    }

    #[test]
    fn a_removed_value_is_gone_and_the_others_keep_their_order() {
        let mut map = SeqMap::default();
        [3, 1, 7, 5].into_iter().for_each(|number| map.insert(number, number));
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
        (0..100_000_u64).for_each(|number| map.insert(number, number));
        for number in 0..100_000 {
            assert_eq!(map.remove(number), Some(number));
        }
        assert!(map.slots.capacity() <= KEPT_CAPACITY);
    }
}
