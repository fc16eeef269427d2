//! A timer wheel for values that are nearly all removed before their time comes.
//!
//! A heap or a tree would search on every insertion and removal. Here a value goes into the bucket
//! of its tick, which takes constant time. The order is computed only when [`Wheel::advance`] or
//! [`Wheel::next`] needs it.
//!
//! # Guarantees
//!
//! - The time is passed in and no ticks are counted, so a late caller finds every due value.
//! - A value is never due before its time, and due less than one [`TICK`] after it.
//! - [`Wheel::next`] is exact: when it returns `None`, or a time later than now, no value is due.

use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

/// The width of a bucket. The values of one tick are due together.
pub(super) const TICK: Duration = Duration::from_millis(50);

const TICK_NANOS: u64 = TICK.as_nanos() as u64;

/// The number of buckets. A value of a later round stays in its bucket until its own tick has come.
pub(super) const BUCKETS: usize = 256;

/// The tick of an empty bucket, and of a value that was due already.
const NEVER: u64 = u64::MAX;

/// The number of slots that an empty bucket keeps for the next burst.
const SPARE_SLOTS: usize = 64;

/// A timer wheel. Its origin in time is set with the first value.
pub(super) struct Wheel<T> {
    /// The beginning of tick 0.
    origin: Option<Instant>,
    /// Empty until the first value is inserted.
    buckets: Vec<Bucket<T>>,
    next_id: u64,
    /// The number of values whose time has not come.
    waiting: usize,
    #[cfg(all(test, not(model)))]
    advances: usize,
}

struct Bucket<T> {
    slots: Slab<Entry<T>>,
    /// A lower bound of the ticks of the values that wait here.
    earliest: u64,
    /// `false` if the value with the earliest tick may have been removed.
    is_precise: bool,
}

struct Entry<T> {
    id: u64,
    tick: u64,
    value: T,
}

/// The time at which values are due, as the number of its tick.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Tick(u64);

/// The position of one value. It finds nothing once that value was removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key {
    id: u64,
    bucket: u32,
    slot: u32,
}

impl<T> Bucket<T> {
    const EMPTY: Self = Self { slots: Slab::new(), earliest: NEVER, is_precise: true };

    fn insert(&mut self, entry: Entry<T>) -> u32 {
        if entry.tick <= self.earliest {
            (self.earliest, self.is_precise) = (entry.tick, true);
        }
        self.slots.insert(entry) as u32
    }

    fn remove(&mut self, key: Key) -> Option<Entry<T>> {
        self.get_mut(key)?;
        let entry = self.slots.try_remove(key.slot as usize)?;
        if !self.slots.is_empty() {
            self.is_precise &= entry.tick != self.earliest;
        } else if self.slots.capacity() > SPARE_SLOTS {
            *self = Self::EMPTY;
        } else {
            (self.earliest, self.is_precise) = (NEVER, true);
        }
        Some(entry)
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        self.slots.get_mut(key.slot as usize).filter(|entry| entry.id == key.id)
    }

    fn update_earliest(&mut self) {
        self.earliest = self.slots.iter().map(|(_, entry)| entry.tick).min().unwrap_or(NEVER);
        self.is_precise = true;
    }
}

impl<T> Wheel<T> {
    pub(super) const fn new() -> Self {
        Self {
            origin: None,
            buckets: Vec::new(),
            next_id: 0,
            waiting: 0,
            #[cfg(all(test, not(model)))]
            advances: 0,
        }
    }

    /// Inserts a value that is due `after` now.
    pub(super) fn insert(&mut self, now: Instant, after: Duration, value: T) -> (Key, Tick) {
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, || Bucket::EMPTY);
        }
        let origin = *self.origin.get_or_insert(now);
        let tick = tick_after(now.saturating_duration_since(origin).saturating_add(after));
        let id = self.next_id;
        self.next_id += 1;
        self.waiting += 1;
        let bucket = tick as usize % BUCKETS;
        let slot = self.buckets[bucket].insert(Entry { id, tick, value });
        (Key { id, bucket: bucket as u32, slot }, Tick(tick))
    }

    /// Returns the beginning of a tick, or `None` if it overflows the clock.
    pub(super) fn beginning(&self, Tick(tick): Tick) -> Option<Instant> {
        let millis = tick.checked_mul(TICK.as_millis() as u64)?;
        self.origin?.checked_add(Duration::from_millis(millis))
    }

    /// Returns a value, due or not, unless it was removed.
    #[cfg(all(test, not(model)))]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.buckets.get_mut(key.bucket as usize)?.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Removes a value, due or not.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.buckets.get_mut(key.bucket as usize)?.remove(key)?;
        if entry.tick != NEVER {
            self.waiting -= 1;
        }
        Some(entry.value)
    }

    /// Calls `due` for each due value. The value stays until it is removed, and is never due again.
    pub(super) fn advance(&mut self, now: Instant, due: impl FnMut(Key, &mut T)) {
        #[cfg(all(test, not(model)))]
        {
            self.advances += 1;
        }
        if let Some(origin) = self.origin {
            self.take_until(tick_before(now.saturating_duration_since(origin)), due);
        }
    }

    /// Calls `due` for each waiting value, whenever it is due, and resets the origin: the next
    /// clock may be another one.
    pub(super) fn clear(&mut self, due: impl FnMut(Key, &mut T)) {
        self.take_until(NEVER - 1, due);
        self.origin = None;
    }

    fn take_until(&mut self, last: u64, mut due: impl FnMut(Key, &mut T)) {
        for (index, bucket) in (0..).zip(&mut self.buckets) {
            if bucket.earliest > last {
                continue;
            }
            for (slot, entry) in bucket.slots.iter_mut().filter(|(_, entry)| entry.tick <= last) {
                entry.tick = NEVER;
                self.waiting -= 1;
                due(Key { id: entry.id, bucket: index, slot: slot as u32 }, &mut entry.value);
            }
            bucket.update_earliest();
        }
    }

    /// Returns when the next value is due. If no value waits, resets the origin, as
    /// [`clear`](Self::clear) does, and returns `None`.
    pub(super) fn next(&mut self) -> Option<(Tick, Instant)> {
        if self.waiting == 0 {
            self.origin = None;
            return None;
        }
        let mut first = NEVER;
        for bucket in &mut self.buckets {
            if bucket.earliest < first && !bucket.is_precise {
                bucket.update_earliest();
            }
            first = first.min(bucket.earliest);
        }
        Some((Tick(first), self.beginning(Tick(first))?))
    }

    /// Returns the number of values whose time has not come.
    #[cfg(all(test, not(model)))]
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns the number of calls of [`advance`](Self::advance).
    #[cfg(all(test, not(model)))]
    pub(super) fn advances(&self) -> usize {
        self.advances
    }

    /// Returns the number of slots, including free ones.
    #[cfg(all(test, not(model)))]
    pub(super) fn slots(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.slots.capacity()).sum()
    }
}

/// Returns the tick that contains a time after the origin.
fn tick_before(elapsed: Duration) -> u64 {
    nanos(elapsed) / TICK_NANOS
}

/// Returns the first tick that does not begin before a time after the origin.
fn tick_after(elapsed: Duration) -> u64 {
    nanos(elapsed).div_ceil(TICK_NANOS)
}

/// Returns the nanoseconds of a time. Times of more than about 500 years saturate: no value is due
/// there.
fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}
