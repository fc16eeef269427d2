//! The mailbox as its senders, consumer and owner share it, and the queries open to all of them.

use std::borrow::Cow;
use std::task::Waker;

use tokio::task;

use super::batch::Batch;
use super::config::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
use super::state::{ExitCallback, ExitHook, Interest, MailboxState, MessageOutcome, Phase};
use crate::counters::MessageStats;
use crate::foreign::wake_each;
use crate::sync::{AtomicU8, AtomicU32, AtomicUsize, Mutex, Ordering};

/// The reasons why the consumer must check the state before it takes its next message (invariant
/// 6).
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
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(0))
    }

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
            flags: EventFlags::new(),
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

    /// Marks the incarnation as ending, before it drops the replies that it kept.
    pub(crate) fn mark_ending(&self, incarnation: u32) {
        let mut state = self.state.lock();
        state.is_ending |= state.attached_incarnation() == Some(incarnation);
    }

    /// Returns `true` if one more message fits.
    pub(super) fn has_room(&self, state: &MailboxState<M>) -> bool {
        let free = state.limit.saturating_sub(state.messages.len() + state.reserved());
        free > self.batch_len.load(Ordering::Relaxed) || free > self.batch.lock().len()
    }

    /// Returns the number of the attached incarnation, if there is one.
    pub(crate) fn attached_incarnation(&self) -> Option<u32> {
        self.state.lock().attached_incarnation()
    }

    /// Returns `true` if the mailbox is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().phase <= Phase::Drained
    }

    /// Returns the number of the latest incarnation, attached or not.
    pub(crate) fn latest_incarnation(&self) -> u32 {
        self.state.lock().incarnation
    }

    /// Returns the message counters. They add up whenever they are read (invariant 4).
    pub(crate) fn counters(&self) -> MessageStats {
        let state = self.state.lock();
        let batch = self.batch.lock();
        let (lost, dead, discarded) = state
            .cold()
            .map_or((0, 0, 0), |cold| (cold.lost, cold.dead + cold.evicted_unsettled, cold.discarded));
        MessageStats {
            accepted: state.accepted() + discarded,
            handled: handled(&state, &batch),
            lost_in_flight: lost,
            dead_lettered: dead + discarded,
            queued: (state.messages.len() + batch.len()) as u64
                + u64::from(self.in_flight.load(Ordering::Relaxed)),
        }
    }

    /// Returns the outcome of the message with this sequence number. While it is pending, `waker`
    /// is woken when it is decided.
    ///
    /// Both locks are held until the flag is set: the consumer must not settle the message and take
    /// the next one in between (invariant 6).
    pub(crate) fn outcome(&self, sequence: u64, waker: &Waker) -> MessageOutcome {
        let mut state = self.state.lock();
        let batch = self.batch.lock();
        let outcome = state.outcome(sequence, settled_count(&state, &batch));
        if matches!(outcome, MessageOutcome::Pending) {
            state.cold_or_init().await_outcome(sequence, waker);
            self.flags.set(OUTCOME_WAITERS);
        }
        outcome
    }

    /// Removes the waker for the outcome of this message.
    pub(crate) fn forget_outcome(&self, sequence: u64) {
        let waker = self.state.lock().cold_mut().and_then(|cold| cold.forget_outcome(sequence));
        drop(waker);
    }

    /// Returns `true` if the mailbox is open and no incarnation is attached.
    pub(crate) fn is_vacant(&self) -> bool {
        self.state.lock().phase == Phase::Detached
    }

    /// Returns `true` if the attached incarnation runs in this task.
    pub(crate) fn is_run_by(&self, task: task::Id) -> bool {
        self.state.lock().is_run_by(Some(task))
    }

    /// Returns `true` if `caller` is the task of the attached incarnation, which would have to
    /// answer the call that `caller` waits for.
    pub(crate) fn is_answered_by(&self, caller: Option<task::Id>) -> bool {
        self.state.lock().is_run_by(caller)
    }

    /// Makes the attached incarnation poll its init or handler again: now, or when it next waits
    /// inside one.
    pub(crate) fn poke(&self) {
        let waker = {
            let mut state = self.state.lock();
            let waits_inside = matches!(state.wake_on, Interest::Kill | Interest::Exits | Interest::Signals);
            state.is_poked = !waits_inside && state.attached_incarnation().is_some();
            if waits_inside { state.waker.clone() } else { None }
        };
        wake_each(waker);
    }

    /// Sets the task in which the incarnation runs.
    pub(crate) fn set_task(&self, incarnation: u32, task: Option<task::Id>) {
        let mut state = self.state.lock();
        if state.attached_incarnation() == Some(incarnation) {
            state.task = task;
        }
    }

    /// Registers `hook` to run on the end of its incarnation or on the close, before any watcher is
    /// notified. Returns the number under which a hook on the close can be removed, or the hook if
    /// its event has happened already.
    pub(crate) fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook> {
        let mut state = self.state.lock();
        let over = match hook.incarnation {
            Some(_) => state.attached_incarnation() != hook.incarnation,
            None => state.phase == Phase::Closed,
        };
        if over {
            return Err(hook);
        }
        let cold = state.cold_or_init();
        if hook.incarnation.is_some() {
            cold.exit_hooks.push(hook);
        } else {
            cold.last_hook += 1;
            cold.close_hooks.insert(cold.last_hook, hook);
        }
        Ok(cold.last_hook)
    }

    /// Removes a hook on the close and returns it, to be dropped outside the locks.
    pub(crate) fn remove_close_hook(&self, number: u64) -> Option<ExitHook> {
        self.state.lock().cold_mut()?.close_hooks.remove(number)
    }

    /// Returns `true` if a hook on the close is registered.
    pub(crate) fn has_close_hook(&self, number: u64) -> bool {
        self.state.lock().cold().is_some_and(|cold| cold.close_hooks.get(number).is_some())
    }

    /// Returns the names that are released when the mailbox is closed.
    pub(crate) fn names(&self) -> Vec<Cow<'static, str>> {
        let state = self.state.lock();
        let hooks = state.cold().into_iter().flat_map(|cold| cold.close_hooks.iter());
        hooks.filter_map(|(_, hook)| hook.name.clone()).collect()
    }

    /// Registers `watcher` for the end of the attached incarnation, or of the next one. Returns it
    /// if the mailbox is closed. While close hooks are still running, the watcher is kept instead,
    /// and is notified once the names are free.
    pub(crate) fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback> {
        let mut state = self.state.lock();
        let is_closed = state.phase == Phase::Closed;
        if is_closed && state.cold().is_none_or(|cold| cold.pending_closes == 0) {
            return Err(watcher);
        }
        let cold = state.cold_or_init();
        let id = cold.next_watcher;
        cold.next_watcher += 1;
        if is_closed { &mut cold.close_watchers } else { &mut cold.watchers }.insert(id, watcher);
        Ok(id)
    }

    /// Returns the number of watchers that wait for an end.
    pub(crate) fn watchers(&self) -> usize {
        self.state.lock().cold().map_or(0, |cold| cold.watchers.len())
    }

    /// Removes a watcher that was not notified yet.
    pub(crate) fn unwatch(&self, id: u64) {
        let watcher = {
            let mut state = self.state.lock();
            state
                .cold_mut()
                .and_then(|cold| cold.watchers.remove(id).or_else(|| cold.close_watchers.remove(id)))
        };
        drop(watcher);
    }
}

fn handled<M>(state: &MailboxState<M>, batch: &Batch<M>) -> u64 {
    state.handled + batch.handled
}

/// Returns the number of settled messages. The message with the next number settles next.
pub(super) fn settled_count<M>(state: &MailboxState<M>, batch: &Batch<M>) -> u64 {
    handled(state, batch) + state.cold().map_or(0, |cold| cold.lost + cold.dead)
}
