//! Many values, in runs of at most [`MAX_SLOTS`] slots.
//!
//! One buffer for all would be copied each time that it grows, and half of it may be unused. It
//! would also be freed as a whole only, while runs are freed as their values are removed.

use std::collections::VecDeque;
use std::mem;

use super::run::{MAX_SLOTS, Run};

/// Chunks are merged when they are filled to less than one part in this on average.
const LEAST_FILL: usize = 8;

/// Values in the order of their numbers, in several runs.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T> {
    /// There is at least one. The first and the last are never empty.
    chunks: VecDeque<Chunk<T>>,
    /// The number of values.
    len: usize,
}

/// A run, which has every value with a number from `first` to the `first` of the next chunk. The
/// first chunk has all lower ones too.
#[derive(Clone, Debug)]
struct Chunk<T> {
    first: u64,
    run: Run<T>,
}

impl<T> From<Run<T>> for Chunks<T> {
    fn from(run: Run<T>) -> Self {
        let (len, first) = (run.len(), run.first_number().unwrap_or_default());
        Self { chunks: VecDeque::from([Chunk { first, run }]), len }
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

    pub(super) fn run_of(&self, number: u64) -> Option<&Run<T>> {
        self.chunks.get(self.index_of(number)).map(|chunk| &chunk.run)
    }

    pub(super) fn run_of_mut(&mut self, number: u64) -> Option<&mut Run<T>> {
        let index = self.index_of(number);
        self.chunks.get_mut(index).map(|chunk| &mut chunk.run)
    }

    pub(super) fn insert(&mut self, number: u64, value: T) -> Option<T> {
        let mut index = self.index_of(number);
        let is_last = index + 1 == self.chunks.len();
        let chunk = self.chunks.get_mut(index)?;
        if !chunk.run.has_room_for(number) {
            if is_last && chunk.run.is_before(number) {
                self.chunks.push_back(Chunk { first: number, run: Run::of_first(number, value) });
                self.len += 1;
                return None;
            }
            let run = chunk.run.split();
            let first = run.first_number().unwrap_or(number);
            self.chunks.insert(index + 1, Chunk { first, run });
            index += usize::from(number >= first);
        }
        let chunk = self.chunks.get_mut(index)?;
        chunk.first = chunk.first.min(number);
        let before = chunk.run.insert(number, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let index = self.index_of(number);
        let run = &mut self.chunks.get_mut(index)?.run;
        let value = run.remove(number)?;
        self.len -= 1;
        if run.len() == 0 {
            *run = Run::default();
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
                Some(last) if last.run.len() + chunk.run.len() <= MAX_SLOTS / 2 => {
                    last.run.append(chunk.run);
                }
                _ => merged.push_back(chunk),
            }
        }
        self.chunks = merged;
    }

    /// Takes the run out if there is only one and it is at most half full. No chunk is left then.
    pub(super) fn take_run_if_few(&mut self) -> Option<Run<T>> {
        let is_few = self.chunks.len() == 1 && self.len <= MAX_SLOTS / 2;
        if is_few { self.chunks.pop_front().map(|chunk| chunk.run) } else { None }
    }

    /// Returns the runs from the one that has this number on.
    pub(super) fn runs_from(&self, first: u64) -> impl DoubleEndedIterator<Item = &Run<T>> {
        self.chunks.range(self.index_of(first)..).map(|chunk| &chunk.run)
    }

    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = &Run<T>> {
        self.chunks.iter().map(|chunk| &chunk.run)
    }

    pub(super) fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run<T>> {
        self.chunks.iter_mut().map(|chunk| &mut chunk.run)
    }

    pub(super) fn into_runs(self) -> impl DoubleEndedIterator<Item = Run<T>> {
        self.chunks.into_iter().map(|chunk| chunk.run)
    }
}

fn is_empty<T>(chunk: &Chunk<T>) -> bool {
    chunk.run.len() == 0
}
