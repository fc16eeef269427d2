//! A map from ascending numbers to values: the table of the children of a supervisor, by start
//! order.
//!
//! # Model
//!
//! Numbers ascend and are never reused, nearly all values are added at the end, and any value may
//! be removed. The values are stored in chunks without gaps, one chunk for each range of 32
//! numbers. The chunk of a number is found by arithmetic while no chunk in the middle is missing,
//! and by a binary search otherwise.
//!
//! A B-tree would be half empty when it is filled in order, and each level adds to the time of a
//! lookup.

use std::collections::VecDeque;

/// The numbers per chunk: one for each bit of [`Chunk::present`].
const CHUNK: u64 = u32::BITS as u64;

/// A map from ascending numbers to values.
#[derive(Debug)]
pub(crate) struct ChunkMap<T> {
    /// In order of their numbers. The first and the last chunk are not empty.
    chunks: VecDeque<Chunk<T>>,
    len: usize,
    /// The number of empty chunks.
    empty: usize,
}

/// The values of the numbers from `CHUNK * number` on.
#[derive(Debug)]
struct Chunk<T> {
    number: u64,
    /// The bit set of the numbers that have a value.
    present: u32,
    /// Iterates over the values, in order.
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
        let position = chunk.position(number).ok()?;
        chunk.values.get_mut(position)
    }

    /// Sets the value of a number. Returns the previous one.
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
            self.drop_empty_chunks();
        }
        Some(removed)
    }

    /// Iterates over the numbers and values, in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// Iterates over the numbers and values from a number on, in order.
    pub(crate) fn iter_from(&self, first: u64) -> impl Iterator<Item = (u64, &T)> {
        let at = self.chunks.partition_point(|chunk| chunk.number < first / CHUNK);
        self.chunks.range(at..).flat_map(Chunk::iter).filter(move |(number, _)| *number >= first)
    }

    /// The values, in order.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| &chunk.values)
    }

    /// Consumes the map and iterates over the values, in order.
    pub(crate) fn into_values(self) -> impl DoubleEndedIterator<Item = T> {
        self.chunks.into_iter().flat_map(|chunk| chunk.values)
    }

    /// Iterates over mutable references to the values, in order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flat_map(|chunk| &mut chunk.values)
    }

    /// Returns the index of the chunk of a number, or the index at which to insert it.
    fn find(&self, number: u64) -> Result<usize, usize> {
        let number = number / CHUNK;
        let first = self.chunks.front().map_or(number, |chunk| chunk.number);
        let guess = number.wrapping_sub(first) as usize;
        if self.chunks.get(guess).is_some_and(|chunk| chunk.number == number) {
            return Ok(guess);
        }
        self.chunks.binary_search_by_key(&number, |chunk| chunk.number)
    }

    /// Removes empty chunks: those at the ends at once, those in between when more than half of all
    /// are empty.
    fn drop_empty_chunks(&mut self) {
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
        let mut chunks = Self::default();
        values.into_iter().for_each(|(number, value)| drop(chunks.insert(number, value)));
        chunks
    }
}

impl<T> Chunk<T> {
    /// Returns the position of a number among the values, or the position at which to insert it.
    const fn position(&self, number: u64) -> Result<usize, usize> {
        let bit = 1 << (number % CHUNK);
        let position = (self.present & (bit - 1)).count_ones() as usize;
        if self.present & bit == 0 { Err(position) } else { Ok(position) }
    }

    fn get(&self, number: u64) -> Option<&T> {
        self.values.get(self.position(number).ok()?)
    }

    fn insert(&mut self, number: u64, value: T) -> Option<T> {
        match self.position(number) {
            Ok(position) => self.values.get_mut(position).map(|before| std::mem::replace(before, value)),
            Err(position) => {
                self.values.insert(position, value);
                self.present |= 1 << (number % CHUNK);
                None
            }
        }
    }

    fn remove(&mut self, number: u64) -> Option<T> {
        let position = self.position(number).ok()?;
        self.present &= !(1 << (number % CHUNK));
        let removed = self.values.remove(position);
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

    fn apply(op: Op, chunks: &mut ChunkMap<u64>, map: &mut BTreeMap<u64, u64>) {
        match op {
            Op::Append(many, after) => {
                let next = map.last_key_value().map_or(0, |(last, _)| last + 1) + after;
                for number in next..next + many {
                    assert_eq!(chunks.insert(number, number), map.insert(number, number));
                }
            }
            Op::InsertAt(number) => {
                assert_eq!(chunks.insert(number, number + 1), map.insert(number, number + 1))
            }
            Op::Remove(number) => assert_eq!(chunks.remove(number), map.remove(&number)),
            Op::RemoveAllBut(every) => {
                let numbers: Vec<u64> = map.keys().copied().filter(|number| number % every != 0).collect();
                numbers.iter().for_each(|number| assert_eq!(chunks.remove(*number), map.remove(number)));
            }
        }
    }

    proptest! {
        #[test]
        fn chunk_map_behaves_like_an_ordered_map(ops in prop::collection::vec(op(), 0..40), from in 0..1_000_u64) {
            let (mut chunks, mut map) = (ChunkMap::default(), BTreeMap::new());
            for op in ops {
                apply(op, &mut chunks, &mut map);
                prop_assert_eq!(chunks.len(), map.len());
                prop_assert_eq!(chunks.chunks.iter().filter(|chunk| chunk.present == 0).count(), chunks.empty);
                prop_assert!(chunks.empty <= chunks.chunks.len() / 2, "it is mostly empty");
                prop_assert_eq!(chunks.get(from), map.get(&from));
                prop_assert_eq!(chunks.get_mut(from), map.get_mut(&from));
            }
            let all: Vec<(u64, u64)> = map.into_iter().collect();
            let seen: Vec<(u64, u64)> = chunks.iter().map(|(number, value)| (number, *value)).collect();
            prop_assert_eq!(&seen, &all);
            let back: Vec<u64> = chunks.iter().rev().map(|(number, _)| number).collect();
            prop_assert!(back.iter().rev().eq(all.iter().map(|(number, _)| number)));
            prop_assert!(chunks.values().eq(all.iter().map(|(_, value)| value)));
            let rest = all.iter().filter(|(number, _)| *number >= from).copied();
            prop_assert!(chunks.iter_from(from).map(|(number, value)| (number, *value)).eq(rest));
        }
    }

    #[test]
    fn removed_values_take_no_memory() {
        let mut chunks: ChunkMap<u64> = (0..100_000).map(|number| (number, number)).collect();
        for number in (0..100_000).filter(|number| number % 1_000 != 0) {
            assert_eq!(chunks.remove(number), Some(number));
        }
        assert!(chunks.chunks.capacity() <= 400, "room for {} chunks", chunks.chunks.capacity());
        assert!(chunks.chunks.iter().all(|chunk| chunk.values.capacity() <= 4));
    }
}
