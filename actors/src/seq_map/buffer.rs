//! A buffer of values with gaps.

use std::collections::VecDeque;

/// A capacity up to this is kept, however few values there are.
pub(super) const KEPT_CAPACITY: usize = 16;

/// The largest number of slots in one buffer.
pub(super) const MAX_SLOTS: usize = 64;

/// Values in the order of their numbers.
#[derive(Clone, Debug)]
pub(super) struct Buffer<T> {
    /// The first and the last slot are never gaps.
    slots: VecDeque<Slot<T>>,
    /// The number of values.
    len: usize,
}

/// A value with its number, or a gap.
type Slot<T> = (u64, Option<T>);

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), len: 0 }
    }
}

impl<T> Buffer<T> {
    /// Returns a buffer with one value, and with room for all values that it may have.
    pub(super) fn of_first(number: u64, value: T) -> Self {
        let mut slots = VecDeque::with_capacity(MAX_SLOTS);
        slots.push_back((number, Some(value)));
        Self { slots, len: 1 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of slots, and for how many there is room.
    #[cfg(test)]
    pub(super) fn slots(&self) -> (usize, usize) {
        (self.slots.len(), self.slots.capacity())
    }

    /// Returns `true` if it may have a value with this number without more slots than allowed.
    pub(super) fn has_room_for(&self, number: u64) -> bool {
        self.slots.len() < MAX_SLOTS || self.index_of(number).is_some()
    }

    /// Returns `true` if the number is higher than that of every value.
    pub(super) fn is_before(&self, number: u64) -> bool {
        self.slots.back().is_none_or(|(last, _)| *last < number)
    }

    /// Returns the lowest number.
    pub(super) fn first_number(&self) -> Option<u64> {
        self.slots.front().map(|(number, _)| *number)
    }

    /// Removes the upper half of the slots and returns it.
    pub(super) fn split(&mut self) -> Self {
        self.slots.retain(|slot| !is_gap(slot));
        let slots = self.slots.split_off(self.slots.len() / 2);
        self.len = self.slots.len();
        Self { len: slots.len(), slots }
    }

    /// Adds the values of a buffer whose numbers are all higher.
    pub(super) fn append(&mut self, other: Self) {
        self.len += other.len;
        self.slots.extend(other.slots.into_iter().filter(|slot| !is_gap(slot)));
    }

    pub(super) fn insert(&mut self, number: u64, value: T) -> Option<T> {
        let index = if self.is_before(number) { self.slots.len() } else { first_from(&self.slots, number) };
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

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
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
            self.slots.retain(|slot| !is_gap(slot));
        }
        if self.slots.capacity() > KEPT_CAPACITY.max(4 * self.slots.len()) {
            self.slots.shrink_to(2 * self.slots.len());
        }
        Some(value)
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.slots.get(self.index_of(number)?)?.1.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index_of(number)?;
        self.slots.get_mut(index)?.1.as_mut()
    }

    pub(super) fn first(&self) -> Option<&T> {
        self.slots.front()?.1.as_ref()
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.slots.back()?.1.as_ref()
    }

    pub(super) fn iter_from(&self, first: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let slots = self.slots.range(first_from(&self.slots, first)..);
        slots.filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    pub(super) fn into_values(self) -> impl DoubleEndedIterator<Item = (u64, T)> {
        self.slots.into_iter().filter_map(|(number, value)| Some((number, value?)))
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        let first = self.first_number()?;
        if first == number { Some(0) } else { search(&self.slots, number, first) }
    }
}

/// Returns the index of the first slot with this number or a higher one.
fn first_from<T>(slots: &VecDeque<Slot<T>>, number: u64) -> usize {
    if slots.front().is_none_or(|(first, _)| *first >= number) {
        return 0;
    }
    slots.partition_point(|(other, _)| *other < number)
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

fn is_gap<T>((_, value): &Slot<T>) -> bool {
    value.is_none()
}
