//! Values by numbers that are given in order: what a supervisor knows of its children, by their place in the start order.
//!
//! # Model
//!
//! Numbers go up and are never given twice, nearly all values are added at the end, and any may be removed. So values stand in
//! chunks, one for every run of 32 numbers, without gaps between them. While no chunk in the middle is missing, that of a number is
//! found by arithmetic, and else by a binary search.
//!
//! A tree would be half empty when it is filled in order, and the more levels of it there are the longer it takes to find anything.

use std::collections::VecDeque;

/// How many numbers there are to a chunk: as many as there are bits to say which are there.
const CHUNK: u64 = u32::BITS as u64;

/// Values by numbers that are given in order.
#[derive(Debug)]
pub(crate) struct ChunkMap<T> {
    /// By their numbers. The first and the last one are not empty.
    chunks: VecDeque<Chunk<T>>,
    len: usize,
    /// How many chunks are empty.
    empty: usize,
}

/// The values of the numbers from `CHUNK * number` on.
#[derive(Debug)]
struct Chunk<T> {
    number: u64,
    /// Which of them are there.
    present: u32,
    /// Those that are there, in order.
    values: Vec<T>,
}

impl<T> Default for ChunkMap<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), len: 0, empty: 0 }
    }
}

impl<T> ChunkMap<T> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.chunks.get(self.find(number).ok()?)?.get(number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.find(number).ok()?;
        let chunk = self.chunks.get_mut(at)?;
        let place = chunk.place(number).ok()?;
        chunk.values.get_mut(place)
    }

    /// Adds a value; the one that had this number before.
    pub(crate) fn insert(&mut self, number: u64, value: T) -> Option<T> {
        let at = match self.find(number) {
            Ok(at) => at,
            Err(at) => {
                let chunk = Chunk { number: number / CHUNK, present: 0, values: Vec::new() };
                self.chunks.insert(at, chunk);
                self.empty += 1;
                at
            }
        };
        let chunk = self.chunks.get_mut(at)?;
        self.empty -= usize::from(chunk.present == 0);
        let before = chunk.insert(number, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.find(number).ok()?;
        let chunk = self.chunks.get_mut(at)?;
        let removed = chunk.remove(number)?;
        self.len -= 1;
        if chunk.present == 0 {
            self.empty += 1;
            self.tidy();
        }
        Some(removed)
    }

    /// The values with their numbers, in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// Those from a number on.
    pub(crate) fn iter_from(&self, first: u64) -> impl Iterator<Item = (u64, &T)> {
        let at = self.chunks.partition_point(|chunk| chunk.number < first / CHUNK);
        self.chunks.range(at..).flat_map(Chunk::iter).filter(move |(number, _)| *number >= first)
    }

    /// The values, in order.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| &chunk.values)
    }

    /// Returns the values, in order.
    pub(crate) fn into_values(self) -> impl DoubleEndedIterator<Item = T> {
        self.chunks.into_iter().flat_map(|chunk| chunk.values)
    }

    /// The values, in order, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flat_map(|chunk| &mut chunk.values)
    }

    /// Where the chunk of a number is, or where it would be.
    fn find(&self, number: u64) -> Result<usize, usize> {
        let number = number / CHUNK;
        let first = self.chunks.front().map_or(number, |chunk| chunk.number);
        let guess = number.wrapping_sub(first) as usize;
        if self.chunks.get(guess).is_some_and(|chunk| chunk.number == number) {
            return Ok(guess);
        }
        self.chunks.binary_search_by_key(&number, |chunk| chunk.number)
    }

    /// Lets empty chunks go: those at the ends at once, those in between when most are.
    fn tidy(&mut self) {
        while self.chunks.front().is_some_and(|chunk| chunk.present == 0) {
            self.chunks.pop_front();
            self.empty -= 1;
        }
        while self.chunks.back().is_some_and(|chunk| chunk.present == 0) {
            self.chunks.pop_back();
            self.empty -= 1;
        }
        if self.empty > self.chunks.len() / 2 {
            self.chunks.retain(|chunk| chunk.present != 0);
            self.empty = 0;
        }
        if self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }
}

impl<T> FromIterator<(u64, T)> for ChunkMap<T> {
    fn from_iter<I: IntoIterator<Item = (u64, T)>>(values: I) -> Self {
        let mut roster = Self::default();
        values.into_iter().for_each(|(number, value)| drop(roster.insert(number, value)));
        roster
    }
}

impl<T> Chunk<T> {
    /// The place of a number among the values, or the one that it would have.
    const fn place(&self, number: u64) -> Result<usize, usize> {
        let bit = 1 << (number % CHUNK);
        let place = (self.present & (bit - 1)).count_ones() as usize;
        if self.present & bit == 0 { Err(place) } else { Ok(place) }
    }

    fn get(&self, number: u64) -> Option<&T> {
        self.values.get(self.place(number).ok()?)
    }

    fn insert(&mut self, number: u64, value: T) -> Option<T> {
        match self.place(number) {
            Ok(place) => self.values.get_mut(place).map(|before| std::mem::replace(before, value)),
            Err(place) => {
                self.values.insert(place, value);
                self.present |= 1 << (number % CHUNK);
                None
            }
        }
    }

    fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number).ok()?;
        self.present &= !(1 << (number % CHUNK));
        let removed = self.values.remove(place);
        if self.values.len() <= self.values.capacity() / 4 {
            self.values.shrink_to(2 * self.values.len());
        }
        Some(removed)
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let numbers = self.number * CHUNK..=self.number * CHUNK + (CHUNK - 1);
        numbers.filter_map(|number| Some((number, self.get(number)?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What may be done to a roster.
    #[derive(Clone, Copy, Debug)]
    enum Op {
        /// Adds so many at the end, leaving out so many numbers before.
        Add(u64, u64),
        /// Adds one wherever it belongs.
        Put(u64),
        Remove(u64),
        /// Removes all but every so manieth.
        Thin(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (1..100_u64, 0..70_u64).prop_map(|(many, after)| Op::Add(many, after)),
            (0..1_000_u64).prop_map(Op::Put),
            (0..1_000_u64).prop_map(Op::Remove),
            (2..200_u64).prop_map(Op::Thin),
        ]
    }

    fn apply(op: Op, roster: &mut ChunkMap<u64>, map: &mut BTreeMap<u64, u64>) {
        match op {
            Op::Add(many, after) => {
                let next = map.last_key_value().map_or(0, |(last, _)| last + 1) + after;
                for number in next..next + many {
                    assert_eq!(roster.insert(number, number), map.insert(number, number));
                }
            }
            Op::Put(number) => assert_eq!(roster.insert(number, number + 1), map.insert(number, number + 1)),
            Op::Remove(number) => assert_eq!(roster.remove(number), map.remove(&number)),
            Op::Thin(every) => {
                let numbers: Vec<u64> = map.keys().copied().filter(|number| number % every != 0).collect();
                numbers.iter().for_each(|number| assert_eq!(roster.remove(*number), map.remove(number)));
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_map(ops in prop::collection::vec(op(), 0..40), from in 0..1_000_u64) {
            let (mut roster, mut map) = (ChunkMap::default(), BTreeMap::new());
            for op in ops {
                apply(op, &mut roster, &mut map);
                prop_assert_eq!(roster.len(), map.len());
                prop_assert_eq!(roster.chunks.iter().filter(|chunk| chunk.present == 0).count(), roster.empty);
                prop_assert!(roster.empty <= roster.chunks.len() / 2, "it is mostly empty");
                prop_assert_eq!(roster.get(from), map.get(&from));
                prop_assert_eq!(roster.get_mut(from), map.get_mut(&from));
            }
            let all: Vec<(u64, u64)> = map.into_iter().collect();
            let seen: Vec<(u64, u64)> = roster.iter().map(|(number, value)| (number, *value)).collect();
            prop_assert_eq!(&seen, &all);
            let back: Vec<u64> = roster.iter().rev().map(|(number, _)| number).collect();
            prop_assert!(back.iter().rev().eq(all.iter().map(|(number, _)| number)));
            prop_assert!(roster.values().eq(all.iter().map(|(_, value)| value)));
            let rest = all.iter().filter(|(number, _)| *number >= from).copied();
            prop_assert!(roster.iter_from(from).map(|(number, value)| (number, *value)).eq(rest));
        }
    }

    #[test]
    fn what_is_removed_takes_no_room() {
        let mut roster: ChunkMap<u64> = (0..100_000).map(|number| (number, number)).collect();
        for number in (0..100_000).filter(|number| number % 1_000 != 0) {
            assert_eq!(roster.remove(number), Some(number));
        }
        assert!(roster.chunks.capacity() <= 400, "room for {} chunks", roster.chunks.capacity());
        assert!(roster.chunks.iter().all(|chunk| chunk.values.capacity() <= 4));
    }
}
