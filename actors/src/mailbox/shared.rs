//! The mailbox as its senders, consumer and owner share it.

use std::collections::VecDeque;
use std::task::Waker;

use tokio::task;

use super::config::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
use super::state::MailboxState;
use crate::foreign::wake_each;
use crate::sync::{AtomicU8, AtomicU32, AtomicUsize, Mutex, MutexGuard, Ordering};

/// The reasons why the consumer must check the state before it takes its next message (invariant
/// 6).
#[derive(Default)]
pub(super) struct EventFlags(AtomicU8);

/// A signal is queued.
pub(super) const SIGNAL: u8 = 1;
/// The incarnation is to be killed.
pub(super) const KILL: u8 = 2;
/// Senders wait for room.
pub(super) const SENDERS_WAITING: u8 = 4;
/// A task waits for the outcome of a message.
pub(super) const OUTCOME_WAITERS: u8 = 8;
/// Messages behind the one in flight were evicted.
pub(super) const EVICTED: u8 = 16;
/// A task waits until the mailbox is idle.
pub(super) const IDLE: u8 = 32;

impl EventFlags {
    /// Sets a flag. Flags are set and cleared under the state lock only.
    pub(super) fn set(&self, bit: u8) {
        self.0.fetch_or(bit, Ordering::Release);
    }

    pub(super) fn clear(&self, bits: u8) {
        self.0.fetch_and(!bits, Ordering::Release);
    }

    // Read for each message, by generic code that is compiled in other crates. `inline` lets the
    // compiler inline it there.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    #[inline]
    pub(super) fn has(&self, bit: u8) -> bool {
        self.0.load(Ordering::Acquire) & bit != 0
    }
}

/// The state under the batch lock. It belongs to the incarnation in `owner` (invariant 2).
pub(crate) struct Batch<M> {
    pub(super) owner: Option<u32>,
    pub(crate) messages: VecDeque<M>,
    /// The number of messages counted as handled under this lock.
    pub(crate) handled: u64,
}

impl<M> Batch<M> {
    pub(crate) const fn new() -> Self {
        Self { owner: None, messages: VecDeque::new(), handled: 0 }
    }

    pub(crate) fn is_owned_by(&self, incarnation: u32) -> bool {
        self.owner == Some(incarnation)
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
    /// The length of the batch or more, but never less, so that a sender never finds room that does
    /// not exist.
    pub(super) batch_len: AtomicUsize,
    /// The number of messages in flight: 0 or 1. The attached incarnation writes it under either
    /// lock. Every other reader and writer holds both locks.
    pub(super) in_flight: AtomicU8,
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
            in_flight: AtomicU8::new(0),
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

    /// Returns `true` if one more message fits.
    pub(super) fn has_room(&self, state: &MailboxState<M>) -> bool {
        let free = state.limit.saturating_sub(state.messages.len() + state.reserved());
        free > self.batch_len.load(Ordering::Relaxed) || free > self.batch.lock().len()
    }

    /// Sets the task in which the incarnation runs.
    pub(crate) fn set_task(&self, incarnation: u32, task: Option<task::Id>) {
        if let Some(mut state) = self.lock_attached(incarnation) {
            state.task = task;
        }
    }

    /// Takes the wakers of the tasks that wait until the mailbox is idle. The caller wakes them
    /// outside the locks.
    pub(super) fn take_idle_wakers(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.flags.has(IDLE) {
            return Vec::new();
        }
        self.flags.clear(IDLE);
        state.cold_mut().map(|cold| std::mem::take(&mut cold.idle_wakers)).unwrap_or_default()
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

pub(super) fn handled<M>(state: &MailboxState<M>, batch: &Batch<M>) -> u64 {
    state.handled + batch.handled
}

/// Returns the number of settled messages. The message with the next number settles next.
pub(super) fn settled_count<M>(state: &MailboxState<M>, batch: &Batch<M>) -> u64 {
    handled(state, batch) + state.cold().map_or(0, |cold| cold.lost + cold.dead)
}
