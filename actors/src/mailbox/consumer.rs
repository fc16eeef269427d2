//! The consumer's side: an incarnation takes what is next, or goes to sleep over it.

use std::task::{Context, Poll, Waker};

use super::lanes::{Interest, Lanes};
use super::shared::{DROPPED, FATE, KILL, LINE, Queue, SIGNAL, settled};
use crate::foreign::wake_each;
use crate::order::Order;
use crate::sync::Ordering;

/// What an incarnation has to act on next.
#[derive(Debug)]
pub(crate) enum Next<M> {
    /// A signal, ahead of all messages.
    Signal(Order),
    /// A message, now in the incarnation's hand.
    Message(M),
    /// The incarnation was killed.
    Killed,
    /// The mailbox was taken away from this incarnation.
    Detached,
}

/// What a consumer that wants to sleep inside user code finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Inside {
    /// Nothing: it may sleep.
    Asleep,
    /// A signal that it wants to act on, or it is to look again.
    Signalled,
    /// It was killed, or the mailbox was taken away from it.
    Over,
}

impl<M> Queue<M> {
    /// The next thing to act on. To ask for it says that the message before it was handled.
    // What a message of a batch goes through is made one piece with what the actor does, so that the message is not copied from
    // hand to hand: that costs more than all the rest. Hence `inline`, and not for the rare part.
    #[inline]
    pub(crate) fn poll_next(&self, incarnation: u32, cx: &mut Context<'_>) -> Poll<Next<M>> {
        match self.take(incarnation) {
            Some(message) => Poll::Ready(Next::Message(message)),
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
        if self.attention.wanted() || !batch.belongs_to(incarnation) {
            return None;
        }
        let message = batch.messages.pop_front()?;
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        batch.handled += self.exchange_hand(1);
        Some(message)
    }

    /// Looks at everything: signals first, then the batch, then the lane; goes to sleep if there is nothing. A mailbox that is
    /// nearly empty, as under calls, needs no lock but that of the lanes.
    #[inline(never)]
    fn refill(&self, incarnation: u32, waker: &Waker) -> Poll<Next<M>> {
        let mut lanes = self.lanes.lock();
        if lanes.served_by() != Some(incarnation) {
            return Poll::Ready(Next::Detached);
        }
        lanes.handled += self.exchange_hand(0);
        let mut wakers = Vec::new();
        let urgent = if self.attention.wanted() { self.attend(&mut lanes, &mut wakers) } else { None };
        let next = urgent
            .or_else(|| self.next_message(&mut lanes).map(Next::Message))
            .or_else(|| lanes.take_stop().map(Next::Signal));
        if self.attention.has(LINE) {
            wakers.extend(self.admit(&mut lanes, Some(self.batch_len.load(Ordering::Relaxed))));
        }
        if next.is_none() {
            self.lie_down(&mut lanes, waker);
            wakers.extend(self.take_idle_wakers(&mut lanes));
        }
        self.asleep.store(if next.is_none() { incarnation } else { 0 }, Ordering::Relaxed);
        drop(lanes);
        wake_each(wakers);
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// Goes to sleep over a mailbox with nothing in it. Both lanes are empty, and so is the line: nobody stands in it while there is
    /// room (invariant 7).
    pub(super) fn lie_down(&self, lanes: &mut Lanes<M>, waker: &Waker) {
        shrink(&mut lanes.messages);
        if std::mem::take(&mut lanes.swapped) {
            shrink(&mut self.batch.lock().messages);
        }
        sleep(lanes, waker, Interest::Messages);
    }

    /// What comes ahead of all messages.
    fn attend(&self, lanes: &mut Lanes<M>, wakers: &mut Vec<Waker>) -> Option<Next<M>> {
        self.settle_dropped(lanes);
        *wakers = self.settled(lanes);
        if self.attention.has(KILL) { Some(Next::Killed) } else { self.next_signal(lanes).map(Next::Signal) }
    }

    /// The next message, now in hand: of the batch if there is one, or else of the lane, whose rest is the next batch.
    pub(super) fn next_message(&self, lanes: &mut Lanes<M>) -> Option<M> {
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
        self.exchange_hand(1);
        Some(message)
    }

    /// The message in hand was handled. False if the incarnation is not attached any more.
    pub(crate) fn settle(&self, incarnation: u32) -> bool {
        let mut batch = self.batch.lock();
        let attached = batch.belongs_to(incarnation);
        if attached {
            batch.handled += self.exchange_hand(0);
        }
        attached
    }

    /// Takes so many messages in hand; how many were in it. Under a lock under which the incarnation was found to be attached.
    pub(super) fn exchange_hand(&self, messages: u8) -> u64 {
        // Not one step, and need not be: nobody else writes.
        let before = self.in_hand.load(Ordering::Relaxed);
        self.in_hand.store(messages, Ordering::Relaxed);
        u64::from(before)
    }

    /// What was dropped behind the message in hand is settled, now that that one is.
    pub(super) fn settle_dropped(&self, lanes: &mut Lanes<M>) {
        if self.attention.has(DROPPED) {
            lanes.settle_dropped();
            self.attention.clear(DROPPED);
        }
    }

    /// The wakers of the tasks that wait for a fate that is decided by now.
    pub(super) fn settled(&self, lanes: &mut Lanes<M>) -> Vec<Waker> {
        if !self.attention.has(FATE) {
            return Vec::new();
        }
        let up_to = settled(lanes, &self.batch.lock());
        self.settled_up_to(lanes, up_to)
    }

    /// The same for a caller that holds both locks and knows up to which message fates are decided.
    pub(super) fn settled_up_to(&self, lanes: &mut Lanes<M>, up_to: u64) -> Vec<Waker> {
        let Some(seldom) = lanes.seldom_if_any() else { return Vec::new() };
        let decided = seldom.take_fate_wakers(up_to);
        if seldom.awaits_no_fate() {
            self.attention.clear(FATE);
        }
        decided
    }

    fn next_signal(&self, lanes: &mut Lanes<M>) -> Option<Order> {
        self.remove_signal(lanes, 0)
    }

    fn remove_signal(&self, lanes: &mut Lanes<M>, at: usize) -> Option<Order> {
        let signals = &mut lanes.seldom_if_any()?.signals;
        let signal = signals.remove(at)?;
        if signals.is_empty() {
            self.attention.clear(SIGNAL);
        }
        Some(signal)
    }

    /// Goes to sleep inside user code, over a kill, and over exit signals or all signals too if `interest` says so; not if the consumer
    /// sleeps over its mailbox already. A signal that is there already keeps it awake only if it is one to act on inside.
    pub(crate) fn sleep_inside(
        &self,
        incarnation: u32,
        interest: Interest,
        to_act_on: impl Fn(&Order) -> bool,
        waker: &Waker,
    ) -> Inside {
        if self.asleep.load(Ordering::Relaxed) == incarnation {
            return Inside::Asleep;
        }
        let mut lanes = self.lanes.lock();
        if self.attention.has(KILL) || lanes.served_by() != Some(incarnation) {
            return Inside::Over;
        }
        if std::mem::take(&mut lanes.is_poked)
            || (interest >= Interest::Exits && lanes.signals().any(to_act_on))
        {
            return Inside::Signalled;
        }
        sleep(&mut lanes, waker, interest);
        Inside::Asleep
    }

    /// Whether an incarnation is to die at once: this one, or one that has taken its place.
    pub(crate) fn is_killed(&self) -> bool {
        self.attention.has(KILL)
    }

    /// Takes the first signal that ends the user code which the consumer is inside of. The others wait.
    ///
    /// The message in hand is lost with the incarnation, whatever the reason: its handler does not return.
    pub(crate) fn take_signal(&self, incarnation: u32, to_act_on: impl Fn(&Order) -> bool) -> Option<Order> {
        if !self.attention.has(SIGNAL) {
            return None;
        }
        let mut lanes = self.lanes.lock();
        if lanes.served_by() != Some(incarnation) {
            return None;
        }
        let first = lanes.signals().position(to_act_on)?;
        lanes.is_cut_short = true;
        self.remove_signal(&mut lanes, first)
    }

    /// Takes signals out of the lane that the incarnation does not want any more; dropped outside the lock.
    pub(crate) fn retract_signals(&self, incarnation: u32, unwanted: impl Fn(&Order) -> bool) -> Vec<Order> {
        let mut lanes = self.lanes.lock();
        let served = lanes.served_by() == Some(incarnation);
        let Some(seldom) = lanes.seldom_if_any().filter(|_| served) else { return Vec::new() };
        let (retracted, kept): (Vec<_>, _) =
            std::mem::take(&mut seldom.signals).into_iter().partition(unwanted);
        seldom.signals = kept.into();
        if seldom.signals.is_empty() {
            self.attention.clear(SIGNAL);
        }
        retracted
    }

    /// The next signal, for a consumer that takes nothing else; goes to sleep over signals if there is none.
    pub(crate) fn poll_signal(&self, incarnation: u32, waker: &Waker) -> Poll<Next<M>> {
        let mut lanes = self.lanes.lock();
        if lanes.served_by() != Some(incarnation) {
            return Poll::Ready(Next::Detached);
        }
        if self.attention.has(KILL) {
            return Poll::Ready(Next::Killed);
        }
        if let Some(signal) = self.next_signal(&mut lanes) {
            self.asleep.store(0, Ordering::Relaxed);
            return Poll::Ready(Next::Signal(signal));
        }
        sleep(&mut lanes, waker, Interest::Signals);
        self.asleep.store(incarnation, Ordering::Relaxed);
        Poll::Pending
    }

    /// Says that the consumer is awake though nothing in the mailbox has woken it, and that the message before was handled.
    /// False if it is not attached any more.
    ///
    /// Those who wait for the fate of that message are told here: it may be long until the consumer looks at its mailbox again.
    pub(crate) fn awake(&self, incarnation: u32) -> bool {
        let mut lanes = self.lanes.lock();
        if lanes.served_by() != Some(incarnation) {
            return false;
        }
        lanes.interest = Interest::Nothing;
        self.asleep.store(0, Ordering::Relaxed);
        lanes.handled += self.exchange_hand(0);
        self.settle_dropped(&mut lanes);
        let wakers = self.settled(&mut lanes);
        drop(lanes);
        wake_each(wakers);
        true
    }

    /// Whether a signal waits, or a kill.
    pub(crate) fn has_signal(&self) -> bool {
        self.attention.has(SIGNAL | KILL)
    }
}

pub(super) fn sleep<M>(lanes: &mut Lanes<M>, waker: &Waker, interest: Interest) {
    match &mut lanes.waker {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
    lanes.interest = interest;
}

/// Gives the memory of a past flood back: an idle actor is small whatever it went through.
fn shrink<M>(queue: &mut std::collections::VecDeque<M>) {
    const KEEP: usize = 64;
    if queue.capacity() > KEEP {
        *queue = std::collections::VecDeque::new();
    }
}
