//! The mailbox as its senders, consumer and owner share it.

use std::sync::Arc;
use std::task::Waker;

use tokio::task;

use super::config::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
use super::state::{MailboxState, Phase};
use crate::foreign::wake_each;
use crate::spans;
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};

/// The attached incarnation, and the reasons why it must check the state before it takes its next
/// message (invariant 6). One number holds both, so that one comparison finds that there is none.
#[derive(Default)]
pub(super) struct EventFlags(AtomicU64);

/// Senders wait for room.
pub(super) const SENDERS_WAITING: u64 = 1;
/// A task waits until the mailbox is idle.
pub(super) const IDLE: u64 = 2;
/// A signal is queued.
pub(super) const SIGNAL: u64 = 4;
/// The incarnation is to be killed.
pub(super) const KILL: u64 = 8;
/// A task waits for the outcome of a message.
pub(super) const OUTCOME_WAITERS: u64 = 16;
/// Messages behind the one in flight were evicted.
pub(super) const EVICTED: u64 = 32;
/// The callback that the attached incarnation runs is observed.
pub(super) const OBSERVED: u64 = 64;

/// The number of bits that the flags take. The others hold the number of the incarnation.
const FLAG_BITS: u32 = 7;
const FLAGS: u64 = (1 << FLAG_BITS) - 1;
/// The flags that can wait until the messages in flight are handled.
const PATIENT: u64 = SENDERS_WAITING | IDLE;

impl EventFlags {
    /// Sets a flag. All changes are made under the state lock.
    pub(super) fn set(&self, bit: u64) {
        self.update(|word| word | bit);
    }

    pub(super) fn clear(&self, bits: u64) {
        self.update(|word| word & !bits);
    }

    /// Sets the attached incarnation, or none. It is not observed.
    pub(super) fn set_attached(&self, incarnation: Option<u32>) {
        self.update(|word| {
            (word & FLAGS & !OBSERVED) | u64::from(incarnation.unwrap_or_default()) << FLAG_BITS
        });
    }

    /// There is one writer, so an atomic operation is not needed.
    fn update(&self, change: impl FnOnce(u64) -> u64) {
        self.0.store(change(self.0.load(Ordering::Relaxed)), Ordering::Release);
    }

    /// Returns `true` if this incarnation is attached and nothing goes before its next message.
    // Read for each message, by generic code that is compiled in other crates. `inline` lets the
    // compiler inline it there.
    #[inline]
    pub(super) fn is_quiet(&self, incarnation: u32) -> bool {
        self.0.load(Ordering::Acquire) & !PATIENT == u64::from(incarnation) << FLAG_BITS
    }

    /// Returns `true` if this incarnation is attached and no flag is set. The caller holds the
    /// state lock.
    #[inline]
    pub(super) fn is_clear(&self, incarnation: u32) -> bool {
        self.0.load(Ordering::Relaxed) == u64::from(incarnation) << FLAG_BITS
    }

    /// Returns `true` if this incarnation is attached and not observed.
    #[inline]
    pub(super) fn is_unobserved(&self, incarnation: u32) -> bool {
        self.0.load(Ordering::Relaxed) & (!FLAGS | OBSERVED) == u64::from(incarnation) << FLAG_BITS
    }

    /// Returns `true` if one of these flags is set.
    #[inline]
    pub(super) fn has(&self, bits: u64) -> bool {
        self.0.load(Ordering::Acquire) & bits != 0
    }
}

/// How many of the messages that were taken together are not handled yet.
///
/// Only the incarnation that took them writes it, and it needs no lock to do so. An abandoned
/// incarnation keeps its own, so it cannot change the counts of the next.
pub(super) type Unhandled = Arc<AtomicU8>;

/// The state under the batch lock. It belongs to the incarnation in `owner` (invariant 2).
pub(crate) struct Batch<M> {
    pub(super) owner: Option<u32>,
    /// In reverse order: the last one is the next.
    pub(crate) messages: Vec<M>,
    /// The number of messages counted as handled under this lock.
    pub(crate) handled: u64,
    /// How many of the messages that were taken together are not handled yet.
    pub(super) unhandled: Option<Unhandled>,
}

impl<M> Batch<M> {
    pub(crate) const fn new() -> Self {
        Self { owner: None, messages: Vec::new(), handled: 0, unhandled: None }
    }

    pub(crate) fn is_owned_by(&self, incarnation: u32) -> bool {
        self.owner == Some(incarnation)
    }

    /// Makes a batch of the messages of the queue. The batch is empty. The queue gets its memory.
    pub(super) fn fill(&mut self, queue: &mut Vec<M>) {
        std::mem::swap(&mut self.messages, queue);
        self.messages.reverse();
    }

    /// Returns the number of messages in the batch, without the one in flight.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}

/// A mailbox of messages `M`. The docs of the [module](super) give its model and its invariants.
pub(crate) struct Mailbox<M> {
    /// `true` if the mailbox takes the capacity of its system once it is registered.
    has_default_capacity: bool,
    pub(super) on_restart: MailboxOnRestart,
    pub(super) overflow: OverflowPolicy,
    pub(super) flags: EventFlags,
    /// The number of messages in the batch, and of those in flight behind the one that is being
    /// handled, or more, but never less, so that a sender never finds room that does not exist.
    pub(super) batch_len: AtomicUsize,
    /// The number of messages that the attached incarnation took last. The incarnation writes it
    /// under either lock. Every other reader and writer holds both locks.
    pub(super) taken: AtomicU8,
    /// The incarnation that is parked on its mailbox, or 0. It is written under the state lock. The
    /// consumer reads it without a lock. So does an abandoned incarnation, which must not take the
    /// parking of its successor for its own.
    pub(super) parked_incarnation: AtomicU32,
    pub(super) state: Mutex<MailboxState<M>>,
    pub(super) batch: Mutex<Batch<M>>,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(settings: MailboxConfig) -> Self {
        Self {
            has_default_capacity: settings.capacity.is_none(),
            on_restart: settings.on_restart,
            overflow: settings.overflow,
            flags: EventFlags::default(),
            batch_len: AtomicUsize::new(0),
            taken: AtomicU8::new(0),
            parked_incarnation: AtomicU32::new(0),
            state: Mutex::new(MailboxState::new(settings.capacity.unwrap_or_default().limit())),
            batch: Mutex::new(Batch::new()),
        }
    }

    /// Sets the capacity, unless the settings of the mailbox have one. Must be called before the
    /// mailbox is first opened.
    pub(crate) fn set_default_capacity(&self, capacity: Capacity) {
        if self.has_default_capacity {
            self.state.lock().limit = capacity.limit();
        }
    }

    /// Locks the state if this incarnation is attached.
    pub(super) fn lock_attached(&self, incarnation: u32) -> Option<MutexGuard<'_, MailboxState<M>>> {
        let state = self.state.lock();
        (state.attached_incarnation() == Some(incarnation)).then_some(state)
    }

    /// Marks the incarnation as ending, before it drops the replies that it kept.
    pub(crate) fn mark_ending(&self, incarnation: u32) {
        if let Some(mut state) = self.lock_attached(incarnation) {
            state.is_ending = true;
        }
    }

    /// Marks the mailbox as unowned: once it is closed, it stays closed.
    pub(crate) fn mark_unowned(&self) {
        self.state.lock().is_unowned = true;
    }

    /// Returns `true` if the mailbox is closed and stays closed.
    pub(crate) fn is_gone(&self) -> bool {
        let state = self.state.lock();
        state.is_unowned && state.phase <= Phase::Drained
    }

    /// Returns `true` if one more message fits.
    pub(super) fn has_room(&self, state: &MailboxState<M>) -> bool {
        let free = state.limit.saturating_sub(state.messages.len() + state.reserved());
        free > self.batch_len.load(Ordering::Relaxed) || free > self.taken_out(&self.batch.lock())
    }

    /// Returns how many messages are in flight: the one that is being handled, and those behind it.
    /// The caller holds both locks.
    pub(super) fn in_flight(&self, batch: &Batch<M>) -> u64 {
        match self.taken.load(Ordering::Relaxed) {
            taken @ 0..=1 => taken,
            taken => batch.unhandled.as_ref().map_or(taken, |unhandled| unhandled.load(Ordering::Acquire)),
        }
        .into()
    }

    /// Returns the number of messages that have left the queue and take room: the batch, and those
    /// in flight behind the one that is being handled. The caller holds both locks.
    pub(super) fn taken_out(&self, batch: &Batch<M>) -> usize {
        #[allow(clippy::cast_possible_truncation)]
        let behind = self.in_flight(batch).saturating_sub(1) as usize;
        batch.len() + behind
    }

    /// Returns the number of handled messages, if this many are in flight: the incarnation may
    /// handle more between two looks. The caller holds both locks.
    pub(super) fn handled(&self, state: &MailboxState<M>, batch: &Batch<M>, in_flight: u64) -> u64 {
        let of_taken = u64::from(self.taken.load(Ordering::Relaxed)) - in_flight;
        state.handled + batch.handled + of_taken
    }

    /// Returns the number of settled messages. The message with the next number settles next. The
    /// caller holds both locks.
    pub(super) fn settled(&self, state: &MailboxState<M>, batch: &Batch<M>) -> u64 {
        self.handled(state, batch, self.in_flight(batch))
            + state.cold().map_or(0, |cold| cold.not_handled.lost + cold.not_handled.dead)
    }

    /// Returns how many messages are in flight, and the sequence number of the one that settles
    /// next: of the one that is being handled, if there is one.
    pub(super) fn current(&self, state: &MailboxState<M>) -> (u64, u64) {
        let batch = self.batch.lock();
        (self.in_flight(&batch), self.settled(state, &batch) + 1)
    }

    /// Sets the task in which the incarnation runs. If spans of handlers are wanted, the mailbox
    /// keeps the spans of senders from now on.
    pub(crate) fn set_task(&self, incarnation: u32, task: Option<task::Id>) {
        let are_wanted = spans::are_wanted();
        if let Some(mut state) = self.lock_attached(incarnation) {
            state.task = task;
            if are_wanted {
                state.keep_senders();
            }
        }
    }

    /// Takes the wakers of the tasks that wait until the mailbox is idle. The caller wakes them
    /// outside the locks.
    pub(super) fn take_idle_wakers(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.flags.has(IDLE) {
            return Vec::new();
        }
        self.flags.clear(IDLE);
        state.cold_mut().map(|cold| std::mem::take(&mut cold.observers.idle_wakers)).unwrap_or_default()
    }

    /// Records that every notification of an end was sent.
    pub(crate) fn end_reported(&self) {
        let mut state = self.state.lock();
        state.unreported_ends = state.unreported_ends.saturating_sub(1);
        let wakers = self.take_idle_wakers(&mut state);
        drop(state);
        wake_each(wakers);
    }
}
