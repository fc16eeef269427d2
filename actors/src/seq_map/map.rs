//! The map itself: no value, one, a few, or many.

use std::mem;

use super::buffer::Buffer;
use super::chunks::Chunks;

/// A map from ascending numbers to values.
#[derive(Clone, Debug)]
pub struct SeqMap<T>(Values<T>);

/// The values. Most maps have at most one, which takes no memory of its own.
#[derive(Clone, Debug)]
enum Values<T> {
    Empty,
    One(u64, T),
    Few(Buffer<T>),
    Many(Chunks<T>),
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
        Self(Values::Empty)
    }

    /// Sets the value of a number and returns the previous one. Costs O(1) if the number is the
    /// highest, and O(n) if it is new and lower.
    pub fn insert(&mut self, number: u64, value: T) -> Option<T> {
        match &mut self.0 {
            Values::Empty => {
                self.0 = Values::One(number, value);
                None
            }
            Values::One(other, before) if *other == number => Some(mem::replace(before, value)),
            Values::Few(buffer) if buffer.has_room_for(number) => buffer.insert(number, value),
            Values::Many(chunks) => chunks.insert(number, value),
            Values::One(..) | Values::Few(_) => {
                self.grow();
                self.insert(number, value)
            }
        }
    }

    /// Makes room for one more value.
    fn grow(&mut self) {
        self.0 = match mem::replace(&mut self.0, Values::Empty) {
            Values::Empty => Values::Empty,
            Values::One(number, value) => {
                let mut buffer = Buffer::default();
                buffer.insert(number, value);
                Values::Few(buffer)
            }
            Values::Few(buffer) => Values::Many(Chunks::from(buffer)),
            Values::Many(chunks) => Values::Many(chunks),
        };
    }

    /// Removes the value with this number and returns it.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        match &mut self.0 {
            Values::One(other, _) if *other == number => {
                let Values::One(_, value) = mem::replace(&mut self.0, Values::Empty) else { return None };
                Some(value)
            }
            Values::Empty | Values::One(..) => None,
            Values::Few(buffer) => buffer.remove(number),
            Values::Many(chunks) => {
                let value = chunks.remove(number);
                if let Some(buffer) = chunks.take_buffer_if_few() {
                    self.0 = Values::Few(buffer);
                }
                value
            }
        }
    }

    /// Returns the value with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        match &self.0 {
            Values::One(other, value) if *other == number => Some(value),
            Values::Empty | Values::One(..) => None,
            Values::Few(buffer) => buffer.get(number),
            Values::Many(chunks) => chunks.buffer_of(number)?.get(number),
        }
    }

    /// Returns a mutable reference to the value with this number.
    #[must_use]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match &mut self.0 {
            Values::One(other, value) if *other == number => Some(value),
            Values::Empty | Values::One(..) => None,
            Values::Few(buffer) => buffer.get_mut(number),
            Values::Many(chunks) => chunks.buffer_of_mut(number)?.get_mut(number),
        }
    }

    /// Returns the value with the lowest number.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        match &self.0 {
            Values::Empty => None,
            Values::One(_, value) => Some(value),
            Values::Few(buffer) => buffer.first(),
            Values::Many(chunks) => chunks.buffers().next()?.first(),
        }
    }

    /// Returns the value with the highest number.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        match &self.0 {
            Values::Empty => None,
            Values::One(_, value) => Some(value),
            Values::Few(buffer) => buffer.last(),
            Values::Many(chunks) => chunks.buffers().next_back()?.last(),
        }
    }

    /// Returns all values with their numbers, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.iter_from(0)
    }

    /// Returns the values from a number on with their numbers, in order.
    pub fn iter_from(&self, first: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let (one, few, many) = match &self.0 {
            Values::Empty => (None, None, None),
            Values::One(number, value) => ((*number >= first).then_some((*number, value)), None, None),
            Values::Few(buffer) => (None, Some(buffer), None),
            Values::Many(chunks) => (None, None, Some(chunks.buffers_from(first))),
        };
        let buffers = few.into_iter().chain(many.into_iter().flatten());
        one.into_iter().chain(buffers.flat_map(move |buffer| buffer.iter_from(first)))
    }

    /// Returns all values, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.iter().map(|(_, value)| value)
    }

    /// Returns mutable references to all values, in order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let (one, few, many) = match &mut self.0 {
            Values::Empty => (None, None, None),
            Values::One(_, value) => (Some(value), None, None),
            Values::Few(buffer) => (None, Some(buffer), None),
            Values::Many(chunks) => (None, None, Some(chunks.buffers_mut())),
        };
        let buffers = few.into_iter().chain(many.into_iter().flatten());
        one.into_iter().chain(buffers.flat_map(Buffer::values_mut))
    }

    /// Returns all values with their numbers, in order. Consumes the map.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = (u64, T)> {
        let (one, few, many) = match self.0 {
            Values::Empty => (None, None, None),
            Values::One(number, value) => (Some((number, value)), None, None),
            Values::Few(buffer) => (None, Some(buffer), None),
            Values::Many(chunks) => (None, None, Some(chunks.into_buffers())),
        };
        let buffers = few.into_iter().chain(many.into_iter().flatten());
        one.into_iter().chain(buffers.flat_map(Buffer::into_values))
    }

    /// Returns the number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.0 {
            Values::Empty => 0,
            Values::One(..) => 1,
            Values::Few(buffer) => buffer.len(),
            Values::Many(chunks) => chunks.len(),
        }
    }

    /// Returns the number of slots, and for how many there is room.
    #[cfg(test)]
    pub(super) fn slots(&self) -> (usize, usize) {
        let sum = |(slots, room): (usize, usize), buffer: &Buffer<T>| {
            (slots + buffer.slots().0, room + buffer.slots().1)
        };
        match &self.0 {
            Values::Empty => (0, 0),
            Values::One(..) => (1, 0),
            Values::Few(buffer) => buffer.slots(),
            Values::Many(chunks) => chunks.buffers().fold((0, 0), sum),
        }
    }

    /// Returns `true` if there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> FromIterator<(u64, T)> for SeqMap<T> {
    fn from_iter<I: IntoIterator<Item = (u64, T)>>(values: I) -> Self {
        let mut map = Self::new();
        values.into_iter().for_each(|(number, value)| drop(map.insert(number, value)));
        map
    }
}
