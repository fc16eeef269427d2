//! Many values, in buffers of at most [`MAX_SLOTS`] slots each.
//!
//! A single buffer would be copied each time that it grows, and half of it may be unused. It
//! would also be freed as a whole only, while small buffers are freed as their values are removed.

use std::collections::VecDeque;
use std::mem;

use super::buffer::{Buffer, MAX_SLOTS};

/// Chunks are merged when they are filled to less than one part in this on average.
const LEAST_FILL: usize = 8;

/// Values in the order of their numbers, in several buffers.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T> {
    /// There is at least one. The first and the last are never empty.
    chunks: VecDeque<Chunk<T>>,
    /// The number of values.
    len: usize,
}

/// A buffer with every value with a number from `first` to the `first` of the next chunk. The
/// first chunk has all lower ones too.
#[derive(Clone, Debug)]
struct Chunk<T> {
    first: u64,
    buffer: Buffer<T>,
}

impl<T> From<Buffer<T>> for Chunks<T> {
    fn from(buffer: Buffer<T>) -> Self {
        let (len, first) = (buffer.len(), buffer.first_number().unwrap_or_default());
        Self { chunks: VecDeque::from([Chunk { first, buffer }]), len }
    }
}

impl<T> Chunks<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the index of the chunk that has this number, if any has it.
    fn index_of(&self, number: u64) -> usize {
        // The number is here if none before it is missing.
        let first = self.chunks.front().map_or(0, |chunk| chunk.first);
        let dense = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX) / MAX_SLOTS;
        let is_in = self.chunks.get(dense).is_some_and(|chunk| chunk.first <= number)
            && self.chunks.get(dense + 1).is_none_or(|next| next.first > number);
        if is_in {
            return dense;
        }
        self.chunks.partition_point(|chunk| chunk.first <= number).saturating_sub(1)
    }

    pub(super) fn buffer_of(&self, number: u64) -> Option<&Buffer<T>> {
        self.chunks.get(self.index_of(number)).map(|chunk| &chunk.buffer)
    }

    pub(super) fn buffer_of_mut(&mut self, number: u64) -> Option<&mut Buffer<T>> {
        let index = self.index_of(number);
        self.chunks.get_mut(index).map(|chunk| &mut chunk.buffer)
    }

    pub(super) fn insert(&mut self, number: u64, value: T) -> Option<T> {
        let mut index = self.index_of(number);
        let is_last = index + 1 == self.chunks.len();
        let chunk = self.chunks.get_mut(index)?;
        if !chunk.buffer.has_room_for(number) {
            if is_last && chunk.buffer.is_before(number) {
                self.chunks.push_back(Chunk { first: number, buffer: Buffer::of_first(number, value) });
                self.len += 1;
                return None;
            }
            let buffer = chunk.buffer.split();
            let first = buffer.first_number().unwrap_or(number);
            self.chunks.insert(index + 1, Chunk { first, buffer });
            index += usize::from(number >= first);
        }
        let chunk = self.chunks.get_mut(index)?;
        chunk.first = chunk.first.min(number);
        let before = chunk.buffer.insert(number, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let index = self.index_of(number);
        let buffer = &mut self.chunks.get_mut(index)?.buffer;
        let value = buffer.remove(number)?;
        self.len -= 1;
        if buffer.len() == 0 {
            *buffer = Buffer::default();
        }
        self.trim();
        if self.chunks.len() * MAX_SLOTS > LEAST_FILL * self.len {
            self.merge();
        }
        Some(value)
    }

    /// Removes the empty chunks at both ends, but for the last chunk.
    fn trim(&mut self) {
        while self.chunks.front().is_some_and(is_empty) && self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        while self.chunks.back().is_some_and(is_empty) && self.chunks.len() > 1 {
            self.chunks.pop_back();
        }
    }

    /// Merges neighbours that fill half of a chunk together, so that chunks are a quarter full on
    /// average. Half of all values must be removed before the next merge.
    fn merge(&mut self) {
        let mut merged: VecDeque<Chunk<T>> = VecDeque::new();
        for chunk in mem::take(&mut self.chunks).into_iter().filter(|chunk| !is_empty(chunk)) {
            match merged.back_mut() {
                Some(last) if last.buffer.len() + chunk.buffer.len() <= MAX_SLOTS / 2 => {
                    last.buffer.append(chunk.buffer);
                }
                _ => merged.push_back(chunk),
            }
        }
        self.chunks = merged;
    }

    /// Takes the only buffer out if it is at most half full. No chunk is left then.
    pub(super) fn take_buffer_if_few(&mut self) -> Option<Buffer<T>> {
        let is_few = self.chunks.len() == 1 && self.len <= MAX_SLOTS / 2;
        if is_few { self.chunks.pop_front().map(|chunk| chunk.buffer) } else { None }
    }

    /// Returns the buffers from the one that has this number on.
    pub(super) fn buffers_from(&self, first: u64) -> impl DoubleEndedIterator<Item = &Buffer<T>> {
        self.chunks.range(self.index_of(first)..).map(|chunk| &chunk.buffer)
    }

    pub(super) fn buffers(&self) -> impl DoubleEndedIterator<Item = &Buffer<T>> {
        self.chunks.iter().map(|chunk| &chunk.buffer)
    }

    pub(super) fn buffers_mut(&mut self) -> impl Iterator<Item = &mut Buffer<T>> {
        self.chunks.iter_mut().map(|chunk| &mut chunk.buffer)
    }

    pub(super) fn into_buffers(self) -> impl DoubleEndedIterator<Item = Buffer<T>> {
        self.chunks.into_iter().map(|chunk| chunk.buffer)
    }
}

fn is_empty<T>(chunk: &Chunk<T>) -> bool {
    chunk.buffer.len() == 0
}
