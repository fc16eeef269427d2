//! The consumer's side: an incarnation takes what is next, or goes to sleep over it.

use std::task::{Context, Poll, Waker};

use super::shared::{EVICTED, KILL, Mailbox, OUTCOME_WAITERS, SENDERS_WAITING, SIGNAL, settled_count};
use super::state::{Interest, MailboxState};
use crate::control::ControlSignal;
use crate::foreign::wake_each;
use crate::sync::Ordering;

/// What an incarnation has to act on next.
#[derive(Debug)]
pub(crate) enum NextEvent<M> {
    /// A signal, ahead of all messages.
    Signal(ControlSignal),
    /// A message, now in the incarnation's hand.
    Message(M),
    /// The incarnation was killed.
    Killed,
    /// The mailbox was taken away from this incarnation.
    Detached,
}

/// What a consumer that wants to sleep inside user code finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ParkResult {
    /// Nothing: it may sleep.
    Asleep,
    /// A signal that it wants to act on, or it is to look again.
    Signalled,
    /// It was killed, or the mailbox was taken away from it.
    Over,
}

impl<M> Mailbox<M> {
    /// The next thing to act on. To ask for it says that the message before it was handled.
    // What a message of a batch goes through is made one piece with what the actor does, so that the message is not copied from
    // hand to hand: that costs more than all the rest. Hence `inline`, and not for the rare part.
    #[inline]
    pub(crate) fn poll_next(&self, incarnation: u32, cx: &mut Context<'_>) -> Poll<NextEvent<M>> {
        match self.take(incarnation) {
            Some(message) => Poll::Ready(NextEvent::Message(message)),
            None => self.refill(incarnation, cx.waker()),
        }
    }

    /// The next message of the batch, unless something asks for attention (invariant 6).
    #[inline]
    pub(crate) fn take(&self, incarnation: u32) -> Option<M> {
        // The consumer makes it shorter, and a sender who drops the oldest; either way it finds the batch empty and looks again.
        if self.batch_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut batch = self.batch.lock();
        if self.attention.wanted() || !batch.is_owned_by(incarnation) {
            return None;
        }
        let message = batch.messages.pop_front()?;
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        batch.handled += self.swap_in_flight(1);
        Some(message)
    }

    /// Looks at everything: signals first, then the batch, then the lane; goes to sleep if there is nothing. A mailbox that is
    /// nearly empty, as under calls, needs no lock but that of the lanes.
    #[inline(never)]
    fn refill(&self, incarnation: u32, waker: &Waker) -> Poll<NextEvent<M>> {
        let mut lanes = self.state.lock();
        if lanes.served_by() != Some(incarnation) {
            return Poll::Ready(NextEvent::Detached);
        }
        lanes.handled += self.swap_in_flight(0);
        let mut wakers = Vec::new();
        let urgent = if self.attention.wanted() { self.next_urgent(&mut lanes, &mut wakers) } else { None };
        let next = urgent
            .or_else(|| self.next_message(&mut lanes).map(NextEvent::Message))
            .or_else(|| lanes.take_stop().map(NextEvent::Signal));
        if self.attention.has(SENDERS_WAITING) {
            wakers.extend(self.admit(&mut lanes, Some(self.batch_len.load(Ordering::Relaxed))));
        }
        if next.is_none() {
            self.park(&mut lanes, waker);
            wakers.extend(self.take_idle_wakers(&mut lanes));
        }
        self.parked_incarnation.store(if next.is_none() { incarnation } else { 0 }, Ordering::Relaxed);
        drop(lanes);
        wake_each(wakers);
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// Goes to sleep over a mailbox with nothing in it. Both lanes are empty, and so is the line: nobody stands in it while there is
    /// room (invariant 7).
    pub(super) fn park(&self, lanes: &mut MailboxState<M>, waker: &Waker) {
        shrink(&mut lanes.messages);
        if std::mem::take(&mut lanes.swapped) {
            shrink(&mut self.batch.lock().messages);
        }
        register_waker(lanes, waker, Interest::Messages);
    }

    /// What comes ahead of all messages.
    fn next_urgent(&self, lanes: &mut MailboxState<M>, wakers: &mut Vec<Waker>) -> Option<NextEvent<M>> {
        self.settle_dropped(lanes);
        *wakers = self.take_outcome_wakers(lanes);
        if self.attention.has(KILL) {
            Some(NextEvent::Killed)
        } else {
            self.next_signal(lanes).map(NextEvent::Signal)
        }
    }

    /// The next message, now in hand: of the batch if there is one, or else of the lane, whose rest is the next batch.
    pub(super) fn next_message(&self, lanes: &mut MailboxState<M>) -> Option<M> {
        let message = if self.batch_len.load(Ordering::Relaxed) == 0 {
            let message = lanes.messages.pop_front()?;
            if !lanes.messages.is_empty() {
                let mut batch = self.batch.lock();
                std::mem::swap(&mut lanes.messages, &mut batch.messages);
                self.batch_len.store(batch.len(), Ordering::Relaxed);
                lanes.swapped = true;
            }
            message
        } else {
            let mut batch = self.batch.lock();
            let message = batch.messages.pop_front()?;
            self.batch_len.store(batch.len(), Ordering::Relaxed);
            message
        };
        self.swap_in_flight(1);
        Some(message)
    }

    /// The message in hand was handled. False if the incarnation is not attached any more.
    pub(crate) fn ack(&self, incarnation: u32) -> bool {
        let mut batch = self.batch.lock();
        let attached = batch.is_owned_by(incarnation);
        if attached {
            batch.handled += self.swap_in_flight(0);
        }
        attached
    }

    /// Takes so many messages in hand; how many were in it. Under a lock under which the incarnation was found to be attached.
    pub(super) fn swap_in_flight(&self, messages: u8) -> u64 {
        // Not one step, and need not be: nobody else writes.
        let before = self.in_flight.load(Ordering::Relaxed);
        self.in_flight.store(messages, Ordering::Relaxed);
        u64::from(before)
    }

    /// What was dropped behind the message in hand is settled, now that that one is.
    pub(super) fn settle_dropped(&self, lanes: &mut MailboxState<M>) {
        if self.attention.has(EVICTED) {
            lanes.settle_dropped();
            self.attention.clear(EVICTED);
        }
    }

    /// The wakers of the tasks that wait for a fate that is decided by now.
    pub(super) fn take_outcome_wakers(&self, lanes: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.attention.has(OUTCOME_WAITERS) {
            return Vec::new();
        }
        let up_to = settled_count(lanes, &self.batch.lock());
        self.settled_up_to(lanes, up_to)
    }

    /// The same for a caller that holds both locks and knows up to which message fates are decided.
    pub(super) fn settled_up_to(&self, lanes: &mut MailboxState<M>, up_to: u64) -> Vec<Waker> {
        let Some(seldom) = lanes.cold_mut() else { return Vec::new() };
        let decided = seldom.take_fate_wakers(up_to);
        if seldom.awaits_no_fate() {
            self.attention.clear(OUTCOME_WAITERS);
        }
        decided
    }

    fn next_signal(&self, lanes: &mut MailboxState<M>) -> Option<ControlSignal> {
        self.remove_signal(lanes, 0)
    }

    fn remove_signal(&self, lanes: &mut MailboxState<M>, at: usize) -> Option<ControlSignal> {
        let signals = &mut lanes.cold_mut()?.signals;
        let signal = signals.remove(at)?;
        if signals.is_empty() {
            self.attention.clear(SIGNAL);
        }
        Some(signal)
    }

    /// Goes to sleep inside user code, over a kill, and over exit signals or all signals too if `wake_on` says so; not if the consumer
    /// sleeps over its mailbox already. A signal that is there already keeps it awake only if it is one to act on inside.
    pub(crate) fn park_in_handler(
        &self,
        incarnation: u32,
        interest: Interest,
        to_act_on: impl Fn(&ControlSignal) -> bool,
        waker: &Waker,
    ) -> ParkResult {
        if self.parked_incarnation.load(Ordering::Relaxed) == incarnation {
            return ParkResult::Asleep;
        }
        let mut lanes = self.state.lock();
        if self.attention.has(KILL) || lanes.served_by() != Some(incarnation) {
            return ParkResult::Over;
        }
        if std::mem::take(&mut lanes.is_poked)
            || (interest >= Interest::Exits && lanes.signals().any(to_act_on))
        {
            return ParkResult::Signalled;
        }
        register_waker(&mut lanes, waker, interest);
        ParkResult::Asleep
    }

    /// Whether an incarnation is to die at once: this one, or one that has taken its place.
    pub(crate) fn is_killed(&self) -> bool {
        self.attention.has(KILL)
    }

    /// Takes the first signal that ends the user code which the consumer is inside of. The others wait.
    ///
    /// The message in hand is lost with the incarnation, whatever the reason: its handler does not return.
    pub(crate) fn take_signal(
        &self,
        incarnation: u32,
        to_act_on: impl Fn(&ControlSignal) -> bool,
    ) -> Option<ControlSignal> {
        if !self.attention.has(SIGNAL) {
            return None;
        }
        let mut lanes = self.state.lock();
        if lanes.served_by() != Some(incarnation) {
            return None;
        }
        let first = lanes.signals().position(to_act_on)?;
        lanes.is_cut_short = true;
        self.remove_signal(&mut lanes, first)
    }

    /// Takes signals out of the lane that the incarnation does not want any more; dropped outside the lock.
    pub(crate) fn retract_signals(
        &self,
        incarnation: u32,
        unwanted: impl Fn(&ControlSignal) -> bool,
    ) -> Vec<ControlSignal> {
        let mut lanes = self.state.lock();
        let served = lanes.served_by() == Some(incarnation);
        let Some(seldom) = lanes.cold_mut().filter(|_| served) else { return Vec::new() };
        let (retracted, kept): (Vec<_>, _) =
            std::mem::take(&mut seldom.signals).into_iter().partition(unwanted);
        seldom.signals = kept.into();
        if seldom.signals.is_empty() {
            self.attention.clear(SIGNAL);
        }
        retracted
    }

    /// The next signal, for a consumer that takes nothing else; goes to sleep over signals if there is none.
    pub(crate) fn poll_signal(&self, incarnation: u32, waker: &Waker) -> Poll<NextEvent<M>> {
        let mut lanes = self.state.lock();
        if lanes.served_by() != Some(incarnation) {
            return Poll::Ready(NextEvent::Detached);
        }
        if self.attention.has(KILL) {
            return Poll::Ready(NextEvent::Killed);
        }
        if let Some(signal) = self.next_signal(&mut lanes) {
            self.parked_incarnation.store(0, Ordering::Relaxed);
            return Poll::Ready(NextEvent::Signal(signal));
        }
        register_waker(&mut lanes, waker, Interest::Signals);
        self.parked_incarnation.store(incarnation, Ordering::Relaxed);
        Poll::Pending
    }

    /// Says that the consumer is awake though nothing in the mailbox has woken it, and that the message before was handled.
    /// False if it is not attached any more.
    ///
    /// Those who wait for the fate of that message are told here: it may be long until the consumer looks at its mailbox again.
    pub(crate) fn mark_awake(&self, incarnation: u32) -> bool {
        let mut lanes = self.state.lock();
        if lanes.served_by() != Some(incarnation) {
            return false;
        }
        lanes.wake_on = Interest::Nothing;
        self.parked_incarnation.store(0, Ordering::Relaxed);
        lanes.handled += self.swap_in_flight(0);
        self.settle_dropped(&mut lanes);
        let wakers = self.take_outcome_wakers(&mut lanes);
        drop(lanes);
        wake_each(wakers);
        true
    }

    /// Whether a signal waits, or a kill.
    pub(crate) fn has_signal(&self) -> bool {
        self.attention.has(SIGNAL | KILL)
    }
}

pub(super) fn register_waker<M>(lanes: &mut MailboxState<M>, waker: &Waker, interest: Interest) {
    match &mut lanes.waker {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
    lanes.wake_on = interest;
}

/// Gives the memory of a past flood back: an idle actor is small whatever it went through.
fn shrink<M>(queue: &mut std::collections::VecDeque<M>) {
    const KEEP: usize = 64;
    if queue.capacity() > KEEP {
        *queue = std::collections::VecDeque::new();
    }
}
