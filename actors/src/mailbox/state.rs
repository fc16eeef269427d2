//! The state under the senders' lock: both queues, the phase, and why messages were lost.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use tokio::task;

use super::wait_queue::WaitQueue;
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::pid::Pid;
use crate::seq_map::SeqMap;

/// The phase of the mailbox. The phases up to `Draining` refuse messages.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// No incarnation is attached, and none will follow.
    Closed,
    /// No incarnation is attached, because the last one was drained. The mailbox is closed next, or
    /// opened for the next incarnation.
    Drained,
    /// The latest incarnation is attached and stops once it has handled the queued messages.
    Draining,
    /// No incarnation is attached, but one will follow: the first start, a restart, or a restart of
    /// a supervisor above is pending.
    Detached,
    /// The latest incarnation is attached.
    Attached,
}

/// The event that wakes a parked consumer. Each level includes the levels before it: a consumer
/// that waits for messages is woken by signals too.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Interest {
    /// No event: it is awake.
    Nothing,
    /// A kill: it runs user code that only a kill ends.
    Kill,
    /// Exit signals: it runs a handler, which an exit signal may end.
    Exits,
    /// All signals: it is starting, and a stop may end it.
    Signals,
    /// Messages: it is idle.
    Messages,
}

/// What happened to an accepted message whose reply was dropped.
pub(crate) enum MessageOutcome {
    /// It is queued or being handled, or its incarnation is ending.
    Pending,
    /// Its handler returned, and the incarnation runs on.
    Handled,
    /// It was lost for this reason: in flight, or with a reply that its incarnation kept, or before
    /// it reached an incarnation.
    Lost(ExitReason),
    /// It was evicted to make room for a newer message.
    Evicted,
}

/// The messages `first..=last`, by sequence number. If their replies were dropped, this is the
/// reason.
pub(crate) struct LostRange {
    first: u64,
    last: u64,
    reason: ExitReason,
}

/// A callback for the end of the attached incarnation, or else of the next one.
pub(crate) type ExitCallback = Box<dyn FnOnce(Option<Pid>, &ExitReason) + Send>;

/// A callback that runs once, on the close or on the end of an incarnation, before any watcher is
/// notified.
pub(crate) struct ExitHook {
    /// The name that the hook releases, if any.
    pub(crate) name: Option<Cow<'static, str>>,
    /// The incarnation whose end runs the hook. `None` stands for the close of the mailbox.
    pub(crate) incarnation: Option<u32>,
    pub(crate) run: Box<dyn FnOnce(&ExitReason) + Send>,
}

/// Why there is no incarnation, and when the next one starts, as a time since the start of the
/// system.
#[derive(Clone, Debug)]
pub(crate) struct PendingRestart {
    pub(crate) reason: ExitReason,
    pub(crate) until: Duration,
}

/// The state that most mailboxes never need. It is allocated on first use.
pub(crate) struct ColdState<M> {
    pub(crate) signals: VecDeque<ControlSignal>,
    pub(crate) waiters: WaitQueue<M>,
    /// The number of reserved places.
    pub(crate) reserved: usize,
    /// The number of messages that were lost in flight.
    pub(crate) lost: u64,
    /// The number of messages that reached no incarnation.
    pub(crate) dead: u64,
    /// The number of messages that were discarded on arrival. They have no sequence number.
    pub(crate) discarded: u64,
    /// The number of messages that were evicted right behind the one in flight. They settle when it
    /// settles (invariant 3).
    pub(crate) evicted_unsettled: u64,
    lost_ranges: VecDeque<LostRange>,
    /// The evicted messages `first..=last`. They are apart from `lost_ranges`, so that a burst of
    /// evictions pushes no lost range out.
    evicted_ranges: VecDeque<(u64, u64)>,
    pub(crate) watchers: SeqMap<ExitCallback>,
    /// The hooks of the attached incarnation.
    pub(crate) exit_hooks: Vec<ExitHook>,
    /// The hooks that run when the mailbox is closed, by number.
    pub(crate) close_hooks: SeqMap<ExitHook>,
    /// The number of the last hook on the close.
    pub(crate) last_hook: u64,
    /// The number of closes whose hooks have not all run yet.
    pub(crate) pending_closes: u32,
    /// The watchers that registered during a pending close. They are notified when its hooks have
    /// run.
    pub(crate) close_watchers: SeqMap<ExitCallback>,
    /// The pending restart, as the owner set it.
    pub(crate) pending_restart: Option<PendingRestart>,
    /// The stop that follows the last message of a draining mailbox.
    pub(crate) stop_when_empty: Option<ExitReason>,
    /// The wakers of the tasks that wait for an outcome: one for each message, however often it is
    /// polled.
    pub(crate) outcome_wakers: BTreeMap<u64, Waker>,
    pub(crate) next_watcher: u64,
    /// The wakers of the tasks that wait until it is idle.
    pub(crate) idle_wakers: Vec<Waker>,
}

impl<M> ColdState<M> {
    /// Stores the waker of the task that waits for the outcome of this message. Replaces the
    /// previous one.
    pub(crate) fn await_outcome(&mut self, sequence: u64, waker: &Waker) {
        self.outcome_wakers
            .entry(sequence)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    /// Removes and returns the wakers for all messages up to this one.
    pub(crate) fn take_outcome_wakers(&mut self, up_to: u64) -> Vec<Waker> {
        let mut decided = Vec::new();
        while let Some(first) = self.outcome_wakers.first_entry().filter(|first| *first.key() <= up_to) {
            decided.push(first.remove());
        }
        decided
    }
}

/// The state under the senders' lock.
pub(crate) struct MailboxState<M> {
    pub(crate) phase: Phase,
    /// The number of the latest incarnation, attached or not.
    pub(crate) incarnation: u32,
    /// The number of messages that had settled when the latest incarnation attached.
    pub(crate) first_sequence: u64,
    /// The task of the attached incarnation, if it is known.
    pub(crate) task: Option<task::Id>,
    /// The incarnation is ending: the replies that it kept are being dropped.
    pub(crate) is_ending: bool,
    pub(crate) wake_on: Interest,
    /// The init or handler must be polled again: a condition that it waits for may have changed.
    pub(crate) is_poked: bool,
    /// A signal ended the running user code: the message in flight is lost, whatever the reason.
    pub(crate) is_interrupted: bool,
    /// The number of incarnations whose end was not reported completely yet.
    pub(crate) unreported_ends: u32,
    pub(crate) waker: Option<Waker>,
    pub(crate) messages: VecDeque<M>,
    /// The number of messages that may be queued, batch and reserved places included.
    pub(crate) limit: usize,
    /// Queue and batch were swapped since the consumer last parked. So either buffer may be large
    /// although it is empty.
    pub(crate) swapped: bool,
    pub(crate) accepted: u64,
    /// The number of messages counted as handled under this lock.
    pub(crate) handled: u64,
    cold: Option<Box<ColdState<M>>>,
}

/// The number of lost ranges that are remembered. A caller learns its outcome when it is next
/// polled. It misses it only if it is not polled during so many crashes.
const MAX_LOST_RANGES: usize = 8;

/// The number of ranges of evicted messages that are remembered.
const MAX_EVICTED_RANGES: usize = 32;

impl<M> MailboxState<M> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            phase: Phase::Closed,
            incarnation: 0,
            first_sequence: 0,
            task: None,
            is_ending: false,
            wake_on: Interest::Nothing,
            is_poked: false,
            is_interrupted: false,
            unreported_ends: 0,
            waker: None,
            messages: VecDeque::new(),
            limit,
            swapped: false,
            accepted: 0,
            handled: 0,
            cold: None,
        }
    }

    /// Enqueues a message and returns its sequence number, counted from 1.
    pub(crate) fn accept(&mut self, message: M) -> u64 {
        self.messages.push_back(message);
        self.accepted += 1;
        self.accepted
    }

    pub(crate) fn cold(&self) -> Option<&ColdState<M>> {
        self.cold.as_deref()
    }

    pub(crate) fn cold_mut(&mut self) -> Option<&mut ColdState<M>> {
        self.cold.as_deref_mut()
    }

    pub(crate) fn cold_or_init(&mut self) -> &mut ColdState<M> {
        self.cold.get_or_insert_with(|| {
            Box::new(ColdState {
                signals: VecDeque::new(),
                waiters: WaitQueue::new(),
                reserved: 0,
                lost: 0,
                dead: 0,
                discarded: 0,
                evicted_unsettled: 0,
                lost_ranges: VecDeque::new(),
                evicted_ranges: VecDeque::new(),
                watchers: SeqMap::default(),
                exit_hooks: Vec::new(),
                close_hooks: SeqMap::default(),
                last_hook: 0,
                pending_closes: 0,
                close_watchers: SeqMap::default(),
                pending_restart: None,
                stop_when_empty: None,
                outcome_wakers: BTreeMap::new(),
                next_watcher: 0,
                idle_wakers: Vec::new(),
            })
        })
    }

    /// Returns the attached incarnation, if there is one.
    pub(crate) fn attached_incarnation(&self) -> Option<u32> {
        matches!(self.phase, Phase::Attached | Phase::Draining).then_some(self.incarnation)
    }

    /// Returns `true` if messages are refused.
    pub(crate) fn refuses(&self) -> bool {
        self.phase <= Phase::Draining
    }

    /// Takes the pending stop of a draining mailbox. The caller has found the mailbox empty.
    pub(crate) fn take_stop(&mut self) -> Option<ControlSignal> {
        if self.phase != Phase::Draining {
            return None;
        }
        self.cold_mut()?.stop_when_empty.take().map(ControlSignal::Stop)
    }

    /// Returns `true` if `caller` is the task of the attached incarnation. While such a caller
    /// waits, no message is taken out.
    pub(crate) fn is_run_by(&self, caller: Option<task::Id>) -> bool {
        caller.is_some() && self.task == caller
    }

    /// Returns the queued signals.
    pub(crate) fn signals(&self) -> impl Iterator<Item = &ControlSignal> {
        self.cold().into_iter().flat_map(|cold| &cold.signals)
    }

    /// Counts messages that were lost in flight.
    pub(crate) fn count_lost(&mut self, messages: u64) {
        if messages > 0 {
            self.cold_or_init().lost += messages;
        }
    }

    /// Counts messages that no incarnation will handle.
    pub(crate) fn count_dead(&mut self, messages: u64) {
        if messages > 0 {
            self.cold_or_init().dead += messages;
        }
    }

    /// Returns `true` if senders wait for room.
    pub(crate) fn has_waiters(&self) -> bool {
        self.cold().is_some_and(|cold| !cold.waiters.is_empty())
    }

    /// Returns the number of reserved places.
    pub(crate) fn reserved(&self) -> usize {
        self.cold().map_or(0, |cold| cold.reserved)
    }

    /// Admits the first waiter: enqueues its message, or reserves its place. Returns its waker.
    pub(crate) fn admit_next_waiter(&mut self) -> Option<Waker> {
        let (messages, accepted) = (&mut self.messages, &mut self.accepted);
        let cold = self.cold.as_deref_mut()?;
        cold.reserved += usize::from(cold.waiters.front_wants_permit());
        cold.waiters.admit_next(|message| {
            messages.push_back(message);
            *accepted += 1;
            *accepted
        })
    }

    /// Takes the waker of the consumer if it waits for this event.
    pub(crate) fn take_waker_if(&mut self, at_least: Interest) -> Option<Waker> {
        if self.wake_on < at_least {
            return None;
        }
        self.wake_on = Interest::Nothing;
        self.waker.take()
    }

    /// Records why messages were lost, for their callers. Returns the oldest range if it was pushed
    /// out. The caller drops it outside the locks.
    #[must_use]
    pub(crate) fn record_lost(&mut self, first: u64, last: u64, reason: &ExitReason) -> Option<LostRange> {
        if first > last {
            return None;
        }
        let ranges = &mut self.cold_or_init().lost_ranges;
        let forgotten = if ranges.len() == MAX_LOST_RANGES { ranges.pop_front() } else { None };
        ranges.push_back(LostRange { first, last, reason: reason.clone() });
        forgotten
    }

    /// Records an evicted message. Adjacent messages form one range.
    pub(crate) fn record_evicted(&mut self, sequence: u64) {
        let ranges = &mut self.cold_or_init().evicted_ranges;
        match ranges.back_mut() {
            Some((_, last)) if *last + 1 == sequence => *last = sequence,
            _ => {
                if ranges.len() == MAX_EVICTED_RANGES {
                    ranges.pop_front();
                }
                ranges.push_back((sequence, sequence));
            }
        }
    }

    /// Settles the messages that were evicted behind the one in flight, which has settled now.
    pub(crate) fn settle_evicted(&mut self) {
        if let Some(cold) = self.cold.as_deref_mut() {
            cold.dead += std::mem::take(&mut cold.evicted_unsettled);
        }
    }

    /// Returns the outcome of message `sequence`, where all messages up to `settled` have settled
    /// (invariant 3). An eviction is known at once, even before the message in flight ahead of it
    /// settles.
    pub(crate) fn outcome(&self, sequence: u64, settled: u64) -> MessageOutcome {
        let mut ranges = self.cold().into_iter().flat_map(|cold| &cold.evicted_ranges);
        if ranges.any(|(first, last)| *first <= sequence && sequence <= *last) {
            return MessageOutcome::Evicted;
        }
        if sequence > settled || (self.is_ending && sequence > self.first_sequence) {
            return MessageOutcome::Pending;
        }
        let mut ranges = self.cold().into_iter().flat_map(|cold| &cold.lost_ranges);
        match ranges.find(|range| range.first <= sequence && sequence <= range.last) {
            Some(range) => MessageOutcome::Lost(range.reason.clone()),
            None => MessageOutcome::Handled,
        }
    }
}
