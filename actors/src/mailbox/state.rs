//! What the senders' lock guards: both lanes, who serves them, and what there is to remember of messages that were lost.

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

/// Who works through the mailbox. The phases up to `Draining` refuse messages.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// Nobody, and nobody is due.
    Closed,
    /// No incarnation: the last one was drained. The mailbox is closed next, or opened for the next incarnation.
    Drained,
    /// The newest incarnation, which stops when it has handled what is queued.
    Draining,
    /// Nobody yet, but somebody is due: the first start, a restart, a supervisor above that is being restarted.
    Detached,
    /// The newest incarnation.
    Attached,
}

/// What the consumer sleeps over. Each includes those before it: who sleeps for messages also wakes for signals.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Interest {
    /// It is awake.
    Nothing,
    /// It is in user code that only a kill ends.
    Kill,
    /// It is in a handler: an exit signal may end it.
    Exits,
    /// It is starting: it can be told to stop.
    Signals,
    /// It is idle.
    Messages,
}

/// What became of a message that was accepted, and whose reply is gone.
pub(crate) enum MessageOutcome {
    /// It waits, or is being handled, or its incarnation is on its way out.
    Pending,
    /// Its handler returned, and the incarnation lives on.
    Handled,
    /// It was lost with the incarnation that ended so, or the reply that was kept of it was, or it never reached one.
    Lost(ExitReason),
    /// It was dropped to make room for a newer one.
    Evicted,
}

/// Messages `first..=last`, by sequence number: their replies, if they are gone, are so for this reason.
pub(crate) struct LostRange {
    first: u64,
    last: u64,
    reason: ExitReason,
}

/// Told when the incarnation that is served now, or else the next one, has ended.
pub(crate) type ExitCallback = Box<dyn FnOnce(Option<Pid>, &ExitReason) + Send>;

/// Run once when the mailbox is closed, or an incarnation has ended, before any watcher hears of it.
pub(crate) struct ExitHook {
    /// The name that is given up with it, if it is one.
    pub(crate) name: Option<Cow<'static, str>>,
    /// The incarnation whose end it waits for; the end of all of them if none.
    pub(crate) incarnation: Option<u32>,
    pub(crate) run: Box<dyn FnOnce(&ExitReason) + Send>,
}

/// Why there is no incarnation, and when there is to be one, in the time of the system.
#[derive(Clone, Debug)]
pub(crate) struct PendingRestart {
    pub(crate) reason: ExitReason,
    pub(crate) until: Duration,
}

/// The part that most identities never need, out of the way of the others.
pub(crate) struct ColdState<M> {
    pub(crate) signals: VecDeque<ControlSignal>,
    pub(crate) waiting: WaitQueue<M>,
    /// How many places are kept for those who have asked for one.
    pub(crate) reserved: usize,
    /// How many messages went down with the incarnation that had them in hand.
    pub(crate) lost: u64,
    /// How many messages never reached one.
    pub(crate) dead: u64,
    /// How many messages were dropped on their way in. They never got a number.
    pub(crate) discarded: u64,
    /// How many of the messages right behind the one in hand were dropped. They are settled when that one is (invariant 3).
    pub(crate) evicted_unsettled: u64,
    lost_ranges: VecDeque<LostRange>,
    /// Messages `first..=last` that were dropped to make room. Apart from the losses, so that no flood pushes those out.
    evicted_ranges: VecDeque<(u64, u64)>,
    pub(crate) watchers: SeqMap<ExitCallback>,
    /// The hooks of the incarnation that is attached.
    pub(crate) end_hooks: Vec<ExitHook>,
    /// The hooks that run when the mailbox is closed, by their numbers.
    pub(crate) close_hooks: SeqMap<ExitHook>,
    /// The number of the newest hook on the close.
    pub(crate) newest_hook: u64,
    /// How many times it was closed, and not all hooks have run yet.
    pub(crate) pending_closes: u32,
    /// Who watches since then: to be told when they have.
    pub(crate) close_watchers: SeqMap<ExitCallback>,
    /// What the owner has said of the time until the next incarnation.
    pub(crate) pending_restart: Option<PendingRestart>,
    /// The stop that follows the last message of a mailbox that is drained.
    pub(crate) stop_when_empty: Option<ExitReason>,
    /// The wakers of the tasks that wait for the fate of a message: one for each message, however often it is polled.
    fate_wakers: BTreeMap<u64, Waker>,
    pub(crate) next_watcher: u64,
    /// The wakers of the tasks that wait until it is idle.
    pub(crate) idle_wakers: Vec<Waker>,
}

impl<M> ColdState<M> {
    /// Keeps a waker of the task that waits for the fate of this message, in place of the one before.
    pub(crate) fn await_fate(&mut self, sequence: u64, waker: &Waker) {
        self.fate_wakers
            .entry(sequence)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    /// Takes the waker out that was kept for this message.
    pub(crate) fn forget_fate(&mut self, sequence: u64) -> Option<Waker> {
        self.fate_wakers.remove(&sequence)
    }

    /// Takes out the wakers of the tasks that wait for the fate of a message up to this one.
    pub(crate) fn take_fate_wakers(&mut self, up_to: u64) -> Vec<Waker> {
        let mut decided = Vec::new();
        while let Some(first) = self.fate_wakers.first_entry().filter(|first| *first.key() <= up_to) {
            decided.push(first.remove());
        }
        decided
    }

    /// Returns `true` if no task waits for a fate.
    pub(crate) fn awaits_no_fate(&self) -> bool {
        self.fate_wakers.is_empty()
    }
}

/// What the senders' lock guards.
pub(crate) struct MailboxState<M> {
    pub(crate) service: Phase,
    /// The number of the newest incarnation, living or not.
    pub(crate) incarnation: u32,
    /// The messages up to this number were settled before the newest incarnation.
    pub(crate) first_sequence: u64,
    /// The task in which the incarnation that is attached runs, if it is known.
    pub(crate) task: Option<task::Id>,
    /// The incarnation is on its way out: replies that it kept are being dropped.
    pub(crate) ending: bool,
    pub(crate) wake_on: Interest,
    /// What it waits for inside its init or a handler may have changed since it looked.
    pub(crate) is_poked: bool,
    /// A signal has ended the code that the incarnation was inside of: the message in hand is lost, whatever the reason.
    pub(crate) is_cut_short: bool,
    /// How many incarnations have ended without everything being told that is to be told of it.
    pub(crate) ends_to_report: u32,
    pub(crate) waker: Option<Waker>,
    pub(crate) messages: VecDeque<M>,
    /// The most messages that may wait.
    pub(crate) limit: usize,
    /// Lane and batch have changed places since the consumer last slept, so that either may be large though empty.
    pub(crate) swapped: bool,
    accepted: u64,
    /// How many messages were counted as handled under this lock.
    pub(crate) handled: u64,
    cold: Option<Box<ColdState<M>>>,
}

/// How many losses are remembered. A caller learns of its own when it is next polled; so many crashes later it would
/// have to have been asleep through all of them.
const LOSSES: usize = 8;

/// How many runs of dropped messages are remembered, likewise.
const DROPS: usize = 32;

impl<M> MailboxState<M> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            service: Phase::Closed,
            incarnation: 0,
            first_sequence: 0,
            task: None,
            ending: false,
            wake_on: Interest::Nothing,
            is_poked: false,
            is_cut_short: false,
            ends_to_report: 0,
            waker: None,
            messages: VecDeque::new(),
            limit,
            swapped: false,
            accepted: 0,
            handled: 0,
            cold: None,
        }
    }

    /// Takes a message in; its sequence number, counted from 1.
    pub(crate) fn accept(&mut self, message: M) -> u64 {
        self.messages.push_back(message);
        self.accepted += 1;
        self.accepted
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn seldom(&self) -> Option<&ColdState<M>> {
        self.cold.as_deref()
    }

    pub(crate) fn cold_mut(&mut self) -> Option<&mut ColdState<M>> {
        self.cold.as_deref_mut()
    }

    pub(crate) fn cold_or_init(&mut self) -> &mut ColdState<M> {
        self.cold.get_or_insert_with(|| {
            Box::new(ColdState {
                signals: VecDeque::new(),
                waiting: WaitQueue::new(),
                reserved: 0,
                lost: 0,
                dead: 0,
                discarded: 0,
                evicted_unsettled: 0,
                lost_ranges: VecDeque::new(),
                evicted_ranges: VecDeque::new(),
                watchers: SeqMap::default(),
                end_hooks: Vec::new(),
                close_hooks: SeqMap::default(),
                newest_hook: 0,
                pending_closes: 0,
                close_watchers: SeqMap::default(),
                pending_restart: None,
                stop_when_empty: None,
                fate_wakers: BTreeMap::new(),
                next_watcher: 0,
                idle_wakers: Vec::new(),
            })
        })
    }

    /// The incarnation that is attached, if one is.
    pub(crate) fn served_by(&self) -> Option<u32> {
        matches!(self.service, Phase::Attached | Phase::Draining).then_some(self.incarnation)
    }

    /// Returns `true` if messages are refused.
    pub(crate) fn refuses(&self) -> bool {
        self.service <= Phase::Draining
    }

    /// Takes the stop that is due now that a mailbox that is drained is empty.
    pub(crate) fn take_stop(&mut self) -> Option<ControlSignal> {
        if self.service != Phase::Draining {
            return None;
        }
        self.cold_mut()?.stop_when_empty.take().map(ControlSignal::Stop)
    }

    /// Returns `true` if `caller` is the task of the incarnation that is attached. While such a caller waits, nothing is taken out.
    pub(crate) fn is_run_by(&self, caller: Option<task::Id>) -> bool {
        caller.is_some() && self.task == caller
    }

    /// The signals that wait.
    pub(crate) fn signals(&self) -> impl Iterator<Item = &ControlSignal> {
        self.seldom().into_iter().flat_map(|seldom| &seldom.signals)
    }

    /// Counts a message that went down with its incarnation.
    pub(crate) fn count_lost(&mut self, messages: u64) {
        if messages > 0 {
            self.cold_or_init().lost += messages;
        }
    }

    /// Counts messages that nobody will handle.
    pub(crate) fn count_dead(&mut self, messages: u64) {
        if messages > 0 {
            self.cold_or_init().dead += messages;
        }
    }

    /// Whether senders stand in line for room.
    pub(crate) fn has_line(&self) -> bool {
        self.seldom().is_some_and(|seldom| !seldom.waiting.is_empty())
    }

    /// How many places are kept.
    pub(crate) fn reserved(&self) -> usize {
        self.seldom().map_or(0, |seldom| seldom.reserved)
    }

    /// Lets the first in line in, or keeps a place for it; its waker.
    pub(crate) fn advance_line(&mut self) -> Option<Waker> {
        let (messages, accepted) = (&mut self.messages, &mut self.accepted);
        let seldom = self.cold.as_deref_mut()?;
        seldom.reserved += usize::from(seldom.waiting.front_wants_permit());
        seldom.waiting.admit_next(|message| {
            messages.push_back(message);
            *accepted += 1;
            *accepted
        })
    }

    /// The consumer, if this is what it waits for.
    pub(crate) fn take_waker_if(&mut self, at_least: Interest) -> Option<Waker> {
        if self.wake_on < at_least {
            return None;
        }
        self.wake_on = Interest::Nothing;
        self.waker.take()
    }

    /// Remembers that messages went down, so that their callers can be told why. What is forgotten for it is to be dropped
    /// outside the locks.
    #[must_use]
    pub(crate) fn remember_loss(&mut self, first: u64, last: u64, reason: &ExitReason) -> Option<LostRange> {
        if first > last {
            return None;
        }
        let losses = &mut self.cold_or_init().lost_ranges;
        let forgotten = if losses.len() == LOSSES { losses.pop_front() } else { None };
        losses.push_back(LostRange { first, last, reason: reason.clone() });
        forgotten
    }

    /// Remembers that a message was dropped to make room. However many are, one after the other, it is one thing to remember.
    pub(crate) fn remember_drop(&mut self, sequence: u64) {
        let drops = &mut self.cold_or_init().evicted_ranges;
        match drops.back_mut() {
            Some((_, last)) if *last + 1 == sequence => *last = sequence,
            _ => {
                if drops.len() == DROPS {
                    drops.pop_front();
                }
                drops.push_back((sequence, sequence));
            }
        }
    }

    /// The messages that were dropped behind the one in hand are settled, now that that one is.
    pub(crate) fn settle_dropped(&mut self) {
        if let Some(seldom) = self.cold.as_deref_mut() {
            seldom.dead += std::mem::take(&mut seldom.evicted_unsettled);
        }
    }

    /// The fate of message `sequence`, when all up to `settled` are settled (invariant 3). That it was dropped is known at once,
    /// also while the one in hand ahead of it is not settled.
    pub(crate) fn fate(&self, sequence: u64, settled: u64) -> MessageOutcome {
        let mut drops = self.seldom().into_iter().flat_map(|seldom| &seldom.evicted_ranges);
        if drops.any(|(first, last)| *first <= sequence && sequence <= *last) {
            return MessageOutcome::Evicted;
        }
        if sequence > settled || (self.ending && sequence > self.first_sequence) {
            return MessageOutcome::Pending;
        }
        let mut losses = self.seldom().into_iter().flat_map(|seldom| &seldom.lost_ranges);
        match losses.find(|loss| loss.first <= sequence && sequence <= loss.last) {
            Some(loss) => MessageOutcome::Lost(loss.reason.clone()),
            None => MessageOutcome::Handled,
        }
    }
}
