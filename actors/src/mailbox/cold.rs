//! The state that most mailboxes never need, in parts.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::observed::ObservedState;
use super::wait_queue::WaitQueue;
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::pid::Pid;
use crate::seq_map::SeqMap;

/// The dead letters that an actor keeps, whichever the type of its messages is.
pub(crate) type AnyLetters = Arc<dyn Any + Send + Sync>;

/// The state that most mailboxes never need. It is allocated on first use.
pub(crate) struct ColdState<M> {
    pub(crate) signals: SignalQueue,
    /// The stop that follows the last message of a draining mailbox.
    pub(crate) stop_when_empty: Option<ExitReason>,
    room: Option<Box<Room<M>>>,
    pub(crate) not_handled: NotHandled,
    pub(crate) outcomes: OutcomeWaiters,
    pub(crate) observers: Observers,
    /// The pending restart, as the owner set it.
    pub(crate) pending_restart: Option<PendingRestart>,
    /// What only a mailbox needs that is observed.
    pub(crate) observed: Option<Box<ObservedState>>,
    /// The dead letters that are kept. The process knows their type.
    pub(crate) kept_letters: Option<AnyLetters>,
}

impl<M> Default for ColdState<M> {
    fn default() -> Self {
        Self {
            signals: SignalQueue::default(),
            stop_when_empty: None,
            room: None,
            not_handled: NotHandled::default(),
            outcomes: OutcomeWaiters::default(),
            observers: Observers::default(),
            pending_restart: None,
            observed: None,
            kept_letters: None,
        }
    }
}

impl<M> ColdState<M> {
    pub(crate) fn room(&self) -> Option<&Room<M>> {
        self.room.as_deref()
    }

    pub(crate) fn room_mut(&mut self) -> Option<&mut Room<M>> {
        self.room.as_deref_mut()
    }

    pub(crate) fn room_or_init(&mut self) -> &mut Room<M> {
        self.room.get_or_insert_with(|| Box::new(Room { waiters: WaitQueue::new(), reserved: 0 }))
    }

    /// Refuses all waiting senders. Returns their wakers.
    pub(crate) fn refuse_waiters(&mut self) -> Vec<Waker> {
        self.room_mut().map(|room| room.waiters.refuse_all()).unwrap_or_default()
    }
}

/// Queued signals, in the order in which they came.
#[derive(Default)]
pub(crate) struct SignalQueue {
    signals: SeqMap<ControlSignal>,
    next: u64,
}

impl SignalQueue {
    pub(crate) const fn new() -> Self {
        Self { signals: SeqMap::new(), next: 0 }
    }

    pub(crate) fn push(&mut self, signal: ControlSignal) {
        self.signals.insert(self.next, signal);
        self.next += 1;
    }

    /// Removes the first signal that is `wanted`.
    pub(crate) fn remove_first(&mut self, wanted: impl Fn(&ControlSignal) -> bool) -> Option<ControlSignal> {
        let (number, _) = self.signals.iter().find(|(_, signal)| wanted(signal))?;
        self.signals.remove(number)
    }

    /// Removes all signals that are `unwanted`.
    pub(crate) fn remove_all(&mut self, unwanted: impl Fn(&ControlSignal) -> bool) -> Vec<ControlSignal> {
        let unwanted = self.signals.iter().filter(|(_, signal)| unwanted(signal));
        let numbers: Vec<u64> = unwanted.map(|(number, _)| number).collect();
        numbers.into_iter().filter_map(|number| self.signals.remove(number)).collect()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }

    /// Takes all signals.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(crate) fn into_signals(self) -> impl Iterator<Item = ControlSignal> {
        self.signals.into_values().map(|(_, signal)| signal)
    }
}

/// The senders that wait for room, and the places that were promised to senders.
pub(crate) struct Room<M> {
    pub(crate) waiters: WaitQueue<M>,
    /// The number of reserved places.
    pub(crate) reserved: usize,
}

/// The messages that were not handled, and why.
#[derive(Default)]
pub(crate) struct NotHandled {
    /// The number of messages that were lost in flight.
    pub(crate) lost: u64,
    /// The number of messages that reached no incarnation.
    pub(crate) dead: u64,
    /// The number of messages that were discarded on arrival. They have no sequence number.
    pub(crate) discarded: u64,
    /// The number of messages that were evicted right behind the one in flight. They settle when it
    /// settles (invariant 3).
    pub(crate) evicted_unsettled: u64,
    ranges: Option<Box<Ranges>>,
}

/// The messages that were lost and evicted last.
#[derive(Default)]
struct Ranges {
    lost: VecDeque<LostRange>,
    /// The evicted messages `first..=last`. They are apart from `lost`, so that a burst of
    /// evictions pushes no lost range out.
    evicted: VecDeque<(u64, u64)>,
}

/// The messages after the previous range, up to this sequence number. If their replies were
/// dropped, this is the reason.
pub(crate) struct LostRange {
    last: u64,
    reason: ExitReason,
}

impl LostRange {
    /// Drops it, and with it the error in its reason if nothing else holds that.
    pub(super) fn drop_here(self) {
        self.reason.drop_here();
    }
}

/// The number of lost ranges that are remembered. A caller learns its outcome when it is next
/// polled. If it is not polled while so many incarnations end, it learns the reason of a later end.
const MAX_LOST_RANGES: usize = 8;

/// The number of ranges of evicted messages that are remembered.
const MAX_EVICTED_RANGES: usize = 32;

impl NotHandled {
    pub(super) fn record_lost(&mut self, last: u64, reason: &ExitReason) -> Option<LostRange> {
        let ranges = &mut self.ranges.get_or_insert_default().lost;
        let forgotten = if ranges.len() == MAX_LOST_RANGES { ranges.pop_front() } else { None };
        ranges.push_back(LostRange { last, reason: reason.clone() });
        forgotten
    }

    /// Records an evicted message. Adjacent messages form one range.
    pub(super) fn record_evicted(&mut self, sequence: u64) {
        let ranges = &mut self.ranges.get_or_insert_default().evicted;
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

    /// Settles the messages that were evicted behind the one in flight.
    pub(super) fn settle_evicted(&mut self) {
        self.dead += std::mem::take(&mut self.evicted_unsettled);
    }

    pub(super) fn is_evicted(&self, sequence: u64) -> bool {
        let ranges = self.ranges.as_ref();
        ranges.is_some_and(|ranges| {
            ranges.evicted.iter().any(|(first, last)| (*first..=*last).contains(&sequence))
        })
    }

    /// Returns why a message was lost, or a reply that its incarnation kept. If that range was
    /// pushed out, this is the reason of the next one: every message up to its last was addressed
    /// to an incarnation that has ended.
    pub(super) fn reason(&self, sequence: u64) -> Option<&ExitReason> {
        let lost = &self.ranges.as_ref()?.lost;
        lost.iter().find(|range| sequence <= range.last).map(|range| &range.reason)
    }
}

/// The wakers of the tasks that wait for an outcome: one for each message, however often it is
/// polled.
#[derive(Default)]
pub(crate) struct OutcomeWaiters(BTreeMap<u64, Waker>);

impl OutcomeWaiters {
    /// Stores the waker of the task that waits for the outcome of this message. Replaces the
    /// previous one.
    pub(crate) fn register(&mut self, sequence: u64, waker: &Waker) {
        self.0.entry(sequence).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Waker> {
        self.0.remove(&sequence)
    }

    /// Removes and returns the wakers for all messages up to this one.
    pub(crate) fn take_up_to(&mut self, last: u64) -> Vec<Waker> {
        let mut decided = Vec::new();
        while let Some(first) = self.0.first_entry().filter(|first| *first.key() <= last) {
            decided.push(first.remove());
        }
        decided
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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

/// What is notified of an end, of a close, or when the mailbox is idle.
#[derive(Default)]
pub(crate) struct Observers {
    pub(crate) watchers: SeqMap<ExitCallback>,
    pub(crate) next_watcher: u64,
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
    /// The wakers of the tasks that wait until it is idle.
    pub(crate) idle_wakers: Vec<Waker>,
}

/// Why there is no incarnation, and when the next one starts, as a time since the start of the
/// system.
#[derive(Clone, Debug)]
pub(crate) struct PendingRestart {
    pub(crate) reason: ExitReason,
    pub(crate) until: Duration,
}
