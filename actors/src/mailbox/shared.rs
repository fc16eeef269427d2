//! The mailbox as its senders, its consumer and its owner share it, and what anybody may ask of it.

use std::borrow::Cow;
use std::task::Waker;

use tokio::task;

use super::batch::Batch;
use super::config::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
use super::state::{ExitCallback, ExitHook, Interest, MailboxState, MessageOutcome, Phase};
use crate::counters::MessageStats;
use crate::foreign::wake_each;
use crate::sync::{AtomicU8, AtomicU32, AtomicUsize, Mutex, Ordering};

/// Why the consumer has to look at the lanes before it takes its next message (invariant 6).
pub(super) struct EventFlags(AtomicU8);

/// A signal waits.
pub(super) const SIGNAL: u8 = 1;
/// The incarnation is to be killed.
pub(super) const KILL: u8 = 2;
/// Senders wait for room.
pub(super) const SENDERS_WAITING: u8 = 4;
/// Somebody waits to hear the fate of the message in hand.
pub(super) const OUTCOME_WAITERS: u8 = 8;
/// Messages behind the one in hand were dropped.
pub(super) const EVICTED: u8 = 16;
/// A task waits until the mailbox is idle.
pub(super) const IDLE: u8 = 32;

impl EventFlags {
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Set and cleared under the lanes' lock only.
    pub(super) fn set(&self, bit: u8) {
        self.0.fetch_or(bit, Ordering::Release);
    }

    pub(super) fn clear(&self, bits: u8) {
        self.0.fetch_and(!bits, Ordering::Release);
    }

    // Asked for each message, by code that is generic and so made in other crates: `inline` lets them see into it.
    #[inline]
    pub(super) fn wanted(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    #[inline]
    pub(super) fn has(&self, bit: u8) -> bool {
        self.0.load(Ordering::Acquire) & bit != 0
    }
}

/// A mailbox of messages `M`. Its model and its invariants stand in the docs of the [module](super).
pub(crate) struct Mailbox<M> {
    /// Its capacity is that of its system, as soon as it has one.
    has_default_capacity: bool,
    pub(super) on_restart: MailboxOnRestart,
    pub(super) overflow: OverflowPolicy,
    pub(super) attention: EventFlags,
    /// The length of the batch: never less than it is, so that a sender who trusts it never finds room that is not.
    pub(super) batch_len: AtomicUsize,
    /// How many messages are in the hand of the incarnation that is attached: one or none. It writes this under either lock;
    /// whoever else reads or writes it holds both.
    pub(super) in_flight: AtomicU8,
    /// The incarnation that sleeps over its mailbox, or 0. Written under the lanes' lock; read by the consumer without one, and by
    /// an incarnation that was abandoned, which must not take the sleep of the next one for its own.
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
            attention: EventFlags::new(),
            batch_len: AtomicUsize::new(0),
            in_flight: AtomicU8::new(0),
            parked_incarnation: AtomicU32::new(0),
            state: Mutex::new(MailboxState::new(settings.capacity.unwrap_or_default().limit())),
            batch: Mutex::new(Batch::new()),
        }
    }

    /// Sets the capacity, unless the settings of the mailbox do. To be called before it is first opened.
    pub(crate) fn set_default_capacity(&self, capacity: Capacity) {
        if self.has_default_capacity {
            self.state.lock().limit = capacity.limit();
        }
    }

    /// Says that the incarnation is on its way out, before it drops what it kept.
    pub(crate) fn mark_ending(&self, incarnation: u32) {
        let mut lanes = self.state.lock();
        lanes.ending |= lanes.served_by() == Some(incarnation);
    }

    /// Whether one more message fits in.
    pub(super) fn has_room(&self, lanes: &MailboxState<M>) -> bool {
        let free = lanes.limit.saturating_sub(lanes.messages.len() + lanes.reserved());
        free > self.batch_len.load(Ordering::Relaxed) || free > self.batch.lock().len()
    }

    /// The number of the incarnation that is attached, if one is.
    pub(crate) fn served_by(&self) -> Option<u32> {
        self.state.lock().served_by()
    }

    /// Whether nobody is due to work through it.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().service <= Phase::Drained
    }

    /// The number of the newest incarnation, living or not.
    pub(crate) fn latest_incarnation(&self) -> u32 {
        self.state.lock().incarnation
    }

    /// The accounts of this mailbox. They add up whenever they are taken (invariant 4).
    pub(crate) fn counters(&self) -> MessageStats {
        let lanes = self.state.lock();
        let batch = self.batch.lock();
        let (lost, dead, swallowed) = lanes.seldom().map_or((0, 0, 0), |seldom| {
            (seldom.lost, seldom.dead + seldom.evicted_unsettled, seldom.discarded)
        });
        MessageStats {
            accepted: lanes.accepted() + swallowed,
            handled: handled(&lanes, &batch),
            lost_in_flight: lost,
            dead_lettered: dead + swallowed,
            queued: (lanes.messages.len() + batch.len()) as u64
                + u64::from(self.in_flight.load(Ordering::Relaxed)),
        }
    }

    /// The fate of the message with this sequence number; while it is open, `waker` hears of the next settlement.
    ///
    /// Both locks are held until the bit is set: the consumer must not settle the message and take the next one in
    /// between (invariant 6).
    pub(crate) fn fate(&self, sequence: u64, waker: &Waker) -> MessageOutcome {
        let mut lanes = self.state.lock();
        let batch = self.batch.lock();
        let fate = lanes.fate(sequence, settled_count(&lanes, &batch));
        if matches!(fate, MessageOutcome::Pending) {
            lanes.cold_or_init().await_fate(sequence, waker);
            self.attention.set(OUTCOME_WAITERS);
        }
        fate
    }

    /// Removes the waker that is kept for the fate of this message.
    pub(crate) fn forget_fate(&self, sequence: u64) {
        let waker = self.state.lock().cold_mut().and_then(|seldom| seldom.forget_fate(sequence));
        drop(waker);
    }

    /// Returns `true` if no incarnation is attached and one is due.
    pub(crate) fn is_vacant(&self) -> bool {
        self.state.lock().service == Phase::Detached
    }

    /// Returns `true` if the incarnation that is attached runs in this task.
    pub(crate) fn is_run_by(&self, task: task::Id) -> bool {
        self.state.lock().is_run_by(Some(task))
    }

    /// Returns `true` if `caller` would have to give the answer that it waits for.
    pub(crate) fn is_answered_by(&self, caller: Option<task::Id>) -> bool {
        self.state.lock().is_run_by(caller)
    }

    /// Has the incarnation that is attached poll its init or handler again: now, or when it next waits inside one.
    pub(crate) fn poke(&self) {
        let waker = {
            let mut lanes = self.state.lock();
            let waits_inside = matches!(lanes.wake_on, Interest::Kill | Interest::Exits | Interest::Signals);
            lanes.is_poked = !waits_inside && lanes.served_by().is_some();
            if waits_inside { lanes.waker.clone() } else { None }
        };
        wake_each(waker);
    }

    /// Says in which task the incarnation runs.
    pub(crate) fn run_by(&self, incarnation: u32, task: Option<task::Id>) {
        let mut lanes = self.state.lock();
        if lanes.served_by() == Some(incarnation) {
            lanes.task = task;
        }
    }

    /// Registers `hook` to run on the end of its incarnation or on the close, before any watcher is notified. Returns the
    /// number under which a hook on the close can be removed, or the hook if its event has come already.
    pub(crate) fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook> {
        let mut lanes = self.state.lock();
        let over = match hook.incarnation {
            Some(_) => lanes.served_by() != hook.incarnation,
            None => lanes.service == Phase::Closed,
        };
        if over {
            return Err(hook);
        }
        let seldom = lanes.cold_or_init();
        if hook.incarnation.is_some() {
            seldom.end_hooks.push(hook);
        } else {
            seldom.newest_hook += 1;
            seldom.close_hooks.insert(seldom.newest_hook, hook);
        }
        Ok(seldom.newest_hook)
    }

    /// Removes a hook on the close and returns it, to be dropped outside the locks.
    pub(crate) fn remove_close_hook(&self, number: u64) -> Option<ExitHook> {
        self.state.lock().cold_mut()?.close_hooks.remove(number)
    }

    /// Returns `true` if a hook on the close is registered.
    pub(crate) fn has_close_hook(&self, number: u64) -> bool {
        self.state.lock().seldom().is_some_and(|seldom| seldom.close_hooks.get(number).is_some())
    }

    /// The names that are given up when it is closed.
    pub(crate) fn names(&self) -> Vec<Cow<'static, str>> {
        let lanes = self.state.lock();
        let hooks = lanes.seldom().into_iter().flat_map(|seldom| seldom.close_hooks.iter());
        hooks.filter_map(|(_, hook)| hook.name.clone()).collect()
    }

    /// Tells `watcher` of the end of the incarnation that is attached, or of the next one. Gives it back when closed, unless the names
    /// are not free yet: then it is told that nobody is there when they are.
    pub(crate) fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback> {
        let mut lanes = self.state.lock();
        let is_closed = lanes.service == Phase::Closed;
        if is_closed && lanes.seldom().is_none_or(|seldom| seldom.pending_closes == 0) {
            return Err(watcher);
        }
        let seldom = lanes.cold_or_init();
        let id = seldom.next_watcher;
        seldom.next_watcher += 1;
        if is_closed { &mut seldom.close_watchers } else { &mut seldom.watchers }.insert(id, watcher);
        Ok(id)
    }

    /// How many watchers wait for an end.
    pub(crate) fn watchers(&self) -> usize {
        self.state.lock().seldom().map_or(0, |seldom| seldom.watchers.len())
    }

    /// Takes a watcher back, if it was not told yet.
    pub(crate) fn unwatch(&self, id: u64) {
        let watcher = {
            let mut lanes = self.state.lock();
            lanes
                .cold_mut()
                .and_then(|seldom| seldom.watchers.remove(id).or_else(|| seldom.close_watchers.remove(id)))
        };
        drop(watcher);
    }
}

fn handled<M>(lanes: &MailboxState<M>, batch: &Batch<M>) -> u64 {
    lanes.handled + batch.handled
}

/// How many messages are settled; the next one to be is the one after.
pub(super) fn settled_count<M>(lanes: &MailboxState<M>, batch: &Batch<M>) -> u64 {
    handled(lanes, batch) + lanes.seldom().map_or(0, |seldom| seldom.lost + seldom.dead)
}
