//! A stream of events, from a bounded ring that never makes the sender wait.
//!
//! A value is kept until every subscriber has read it, or until the ring is full: then the oldest
//! one is evicted. Both happen under the lock of the ring. No value is dropped and no task is woken
//! under that lock, because an event may hold a user's error whose `Drop` subscribes or sends.
//!
//! What happens under a lock of the sender is *recorded* under that lock, which puts the events in
//! order, and *published* after it: wakers and drops are foreign code. A waker may record and
//! publish again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::foreign::{drop_each, wake_each};
use crate::sync::{Mutex, OnceLock};

/// The number of values that a subscriber may fall behind before it misses the oldest one.
const RING: usize = 4096;

/// The sending end of a stream with any number of subscribers. Costs nothing until there is a
/// subscriber.
pub struct Broadcast<T>(OnceLock<Arc<Mutex<Ring<T>>>>);

/// The values that not all subscribers have read.
struct Ring<T> {
    items: VecDeque<Item<T>>,
    /// The sequence number of the first item, or of the next one if there is none.
    first: u64,
    subscribers: usize,
    next_subscriber: u64,
    /// The subscribers that wait, all of which have read every item.
    wakers: BTreeMap<u64, Waker>,
    unpublished: Unpublished<T>,
    is_closed: bool,
}

/// The wake-ups and drops that remain after values were recorded. Dropping this runs them.
struct Unpublished<T> {
    wakers: Vec<Waker>,
    evicted: Vec<T>,
}

impl<T> Drop for Unpublished<T> {
    fn drop(&mut self) {
        wake_each(mem::take(&mut self.wakers));
        drop_each(mem::take(&mut self.evicted));
    }
}

impl<T> Unpublished<T> {
    const fn new() -> Self {
        Self { wakers: Vec::new(), evicted: Vec::new() }
    }
}

struct Item<T> {
    value: T,
    /// When it was recorded, which orders it among the values of other streams.
    at: Instant,
    /// The number of subscribers that have not read it. Each reads in order, so only the first item
    /// can reach 0.
    unread: usize,
}

impl<T> Ring<T> {
    const fn new() -> Self {
        Self {
            items: VecDeque::new(),
            first: 0,
            subscribers: 0,
            next_subscriber: 0,
            wakers: BTreeMap::new(),
            unpublished: Unpublished::new(),
            is_closed: false,
        }
    }

    fn next_sequence(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Adds a value, for which the subscribers are to be woken.
    fn record(&mut self, value: T) {
        if self.subscribers == 0 {
            return self.unpublished.evicted.push(value);
        }
        self.items.push_back(Item { value, at: Instant::now(), unread: self.subscribers });
        if self.items.len() > RING {
            let evicted = self.pop();
            self.unpublished.evicted.extend(evicted);
        }
        self.unpublished.wakers.extend(mem::take(&mut self.wakers).into_values());
    }

    /// Returns the remaining wake-ups and drops, to be run under no lock.
    fn take_unpublished(&mut self) -> Unpublished<T> {
        mem::replace(&mut self.unpublished, Unpublished::new())
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.first += 1;
        Some(item.value)
    }

    /// Reads the item with this sequence number, which was not evicted.
    fn read(&mut self, sequence: u64) -> Option<(Instant, T)>
    where
        T: Clone,
    {
        let index = usize::try_from(sequence - self.first).ok()?;
        let item = self.items.get_mut(index)?;
        item.unread -= 1;
        let at = item.at;
        let value = if item.unread == 0 { self.pop()? } else { item.value.clone() };
        Some((at, value))
    }

    /// Removes a subscriber that has read all items before `next`. Returns the items that no other
    /// subscriber reads.
    fn unsubscribe(&mut self, id: u64, next: u64) -> (Vec<T>, Option<Waker>) {
        self.subscribers -= 1;
        let read = usize::try_from(next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.items.iter_mut().skip(read).for_each(|item| item.unread -= 1);
        let mut unwanted = Vec::new();
        while self.items.front().is_some_and(|item| item.unread == 0) {
            unwanted.extend(self.pop());
        }
        (unwanted, self.wakers.remove(&id))
    }
}

impl<T: Clone> Broadcast<T> {
    /// Returns a stream without subscribers.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Subscribes to values that are sent from now on.
    pub fn subscribe(&self) -> Subscription<T> {
        let ring = self.0.get_or_init(|| Arc::new(Mutex::new(Ring::new())));
        let mut locked = ring.lock();
        locked.subscribers += 1;
        let id = locked.next_subscriber;
        locked.next_subscriber += 1;
        Subscription { ring: ring.clone(), id, next: locked.next_sequence(), missed: 0 }
    }

    /// Returns `true` if there is a subscriber.
    #[inline]
    #[must_use]
    pub fn has_subscribers(&self) -> bool {
        self.0.get().is_some_and(|ring| ring.lock().subscribers > 0)
    }

    /// Sends a value to all subscribers without waiting. Calls `value` only if there may be a
    /// subscriber.
    pub fn send(&self, value: impl FnOnce() -> T) {
        self.record(value);
        self.publish();
    }

    /// Adds a value as [`send`](Self::send) does but runs no foreign code except `value`, for a
    /// caller that holds a lock. Subscribers can read the value when this returns. The caller
    /// [publishes](Self::publish) it when it has released its locks.
    #[inline]
    pub fn record(&self, value: impl FnOnce() -> T) {
        if let Some(ring) = self.0.get().filter(|_| self.has_subscribers()) {
            let value = value();
            ring.lock().record(value);
        }
    }

    /// Wakes the subscribers that wait for a value that was recorded, and drops the evicted values.
    /// When this returns, this or another thread has taken over the wake-ups of all values that the
    /// caller has recorded.
    #[inline]
    pub fn publish(&self) {
        if let Some(ring) = self.0.get() {
            let unpublished = ring.lock().take_unpublished();
            drop(unpublished);
        }
    }
}

impl<T> Drop for Broadcast<T> {
    fn drop(&mut self) {
        if let Some(ring) = self.0.get() {
            let (unpublished, wakers) = {
                let mut ring = ring.lock();
                ring.is_closed = true;
                (ring.take_unpublished(), mem::take(&mut ring.wakers))
            };
            drop(unpublished);
            wake_each(wakers.into_values());
        }
    }
}

impl<T: Clone> Default for Broadcast<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscribers = self.0.get().map_or(0, |ring| ring.lock().subscribers);
        f.debug_struct("Broadcast").field("subscribers", &subscribers).finish_non_exhaustive()
    }
}

/// A subscription to events of one type, from the moment of the call.
///
/// Its ring holds 4,096 values. A subscriber that falls further behind misses the oldest ones, and
/// [`missed`](Self::missed) counts them. A slow subscriber never slows down the actors.
pub struct Subscription<T> {
    ring: Arc<Mutex<Ring<T>>>,
    id: u64,
    /// The sequence number of the next item to read.
    next: u64,
    missed: u64,
}

impl<T: Clone> Subscription<T> {
    /// Waits for the next value. Returns `None` when the system is dropped and all values are read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await.map(|(_, value)| value)
    }

    /// Returns the next value if it is there already.
    pub fn try_next(&mut self) -> Option<T> {
        let ring = self.ring.clone();
        let mut ring = ring.lock();
        self.read(&mut ring).map(|(_, value)| value)
    }

    /// Returns the number of values that this subscriber missed because it was slow.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// Polls for the next value and the time at which it was recorded. The times order the values
    /// of several streams: a value that is recorded after another one, in any stream of any system,
    /// has no earlier time.
    ///
    /// The waker stays registered until the next value, or until the subscription is dropped.
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<(Instant, T)>> {
        let waker = cx.waker().clone();
        let shared = self.ring.clone();
        let mut ring = shared.lock();
        let next = self.read(&mut ring);
        if next.is_some() || ring.is_closed {
            return Poll::Ready(next);
        }
        let replaced = ring.wakers.insert(self.id, waker);
        drop(ring);
        drop(replaced);
        Poll::Pending
    }

    fn read(&mut self, ring: &mut Ring<T>) -> Option<(Instant, T)> {
        let evicted = ring.first.saturating_sub(self.next);
        self.missed += evicted;
        self.next += evicted;
        let value = ring.read(self.next)?;
        self.next += 1;
        Some(value)
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        let (unwanted, waker) = self.ring.lock().unsubscribe(self.id, self.next);
        drop_each(unwanted);
        drop(waker);
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("missed", &self.missed).finish_non_exhaustive()
    }
}
