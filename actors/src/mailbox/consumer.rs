//! The consumer's side: an incarnation takes what is next, or goes to sleep over it.

use std::task::{Context, Poll, Waker};

use super::lanes::{Interest, Lanes, Service};
use super::shared::{FATE, KILL, Queue, SIGNAL};
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
    /// A signal that it wants to act on.
    Signalled,
    /// It was killed, or the mailbox was taken away from it.
    Over,
}

impl<M> Queue<M> {
    /// The next thing to act on. To ask for it says that the message before it was handled.
    pub(crate) fn poll_next(&self, incarnation: u32, cx: &mut Context<'_>) -> Poll<Next<M>> {
        match self.take(incarnation) {
            Some(message) => Poll::Ready(Next::Message(message)),
            None => self.refill(incarnation, cx.waker()),
        }
    }

    /// The next message of the batch, unless something asks for attention (invariant 6).
    fn take(&self, incarnation: u32) -> Option<M> {
        // Only the consumer makes it shorter, so what it reads here is what it wrote.
        if self.batch_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut batch = self.batch.lock();
        if self.attention.wanted() || !batch.belongs_to(incarnation) {
            return None;
        }
        let message = batch.pop();
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        message
    }

    /// Looks at everything: signals first, then the batch, then the lane; goes to sleep if there is nothing.
    fn refill(&self, incarnation: u32, waker: &Waker) -> Poll<Next<M>> {
        let mut lanes = self.lanes.lock();
        let mut batch = self.batch.lock();
        if !batch.belongs_to(incarnation) {
            return Poll::Ready(Next::Detached);
        }
        batch.settle();
        let mut wakers = self.settled(&mut lanes);
        let next = if self.attention.has(KILL) {
            Some(Next::Killed)
        } else if let Some(signal) = self.next_signal(&mut lanes) {
            Some(Next::Signal(signal))
        } else {
            if batch.messages.is_empty() {
                wakers.extend(self.admit(&mut lanes, Some(0)));
                std::mem::swap(&mut lanes.messages, &mut batch.messages);
            }
            batch.pop().map(Next::Message)
        };
        wakers.extend(self.admit(&mut lanes, Some(batch.len())));
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        if next.is_none() {
            // Both lanes are empty, and so is the line: it was let in as far as there is room (invariant 7).
            shrink(&mut lanes.messages);
            shrink(&mut batch.messages);
            sleep(&mut lanes, waker, Interest::Messages);
        }
        self.asleep.store(if next.is_none() { incarnation } else { 0 }, Ordering::Relaxed);
        drop((batch, lanes));
        wakers.into_iter().for_each(Waker::wake);
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// The message in hand was handled.
    pub(crate) fn settle(&self, incarnation: u32) {
        let mut batch = self.batch.lock();
        if batch.belongs_to(incarnation) {
            batch.settle();
        }
    }

    /// Those who wait to hear of a fate; it may have been decided.
    pub(super) fn settled(&self, lanes: &mut Lanes<M>) -> Vec<Waker> {
        if !self.attention.has(FATE) {
            return Vec::new();
        }
        self.attention.clear(FATE);
        lanes.seldom_if_any().map(|seldom| std::mem::take(&mut seldom.fate_wakers)).unwrap_or_default()
    }

    fn next_signal(&self, lanes: &mut Lanes<M>) -> Option<Order> {
        self.remove_signal(lanes, 0)
    }

    fn remove_signal(&self, lanes: &mut Lanes<M>, at: usize) -> Option<Order> {
        let signal = lanes.signals.remove(at);
        if lanes.signals.is_empty() {
            self.attention.clear(SIGNAL);
        }
        signal
    }

    /// Goes to sleep inside user code, over a kill, and over signals too if `interest` says so; not if the consumer
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
        if self.attention.has(KILL) || lanes.service != Service::Served(incarnation) {
            return Inside::Over;
        }
        if interest >= Interest::Signals && lanes.signals.iter().any(to_act_on) {
            return Inside::Signalled;
        }
        sleep(&mut lanes, waker, interest);
        Inside::Asleep
    }

    /// Whether an incarnation is to die at once: this one, or one that has taken its place.
    pub(crate) fn is_killed(&self) -> bool {
        self.attention.has(KILL)
    }

    /// The first signal to act on that came in while the consumer was inside user code. The others wait.
    pub(crate) fn take_signal(&self, incarnation: u32, to_act_on: impl Fn(&Order) -> bool) -> Option<Order> {
        if !self.attention.has(SIGNAL) {
            return None;
        }
        let mut lanes = self.lanes.lock();
        if lanes.service != Service::Served(incarnation) {
            return None;
        }
        let first = lanes.signals.iter().position(to_act_on)?;
        self.remove_signal(&mut lanes, first)
    }

    /// Takes signals out of the lane that the incarnation does not want any more; dropped outside the lock.
    pub(crate) fn retract_signals(&self, incarnation: u32, unwanted: impl Fn(&Order) -> bool) -> Vec<Order> {
        let mut lanes = self.lanes.lock();
        let mut retracted = Vec::new();
        if lanes.service == Service::Served(incarnation) {
            while let Some(at) = lanes.signals.iter().position(&unwanted) {
                retracted.extend(self.remove_signal(&mut lanes, at));
            }
        }
        retracted
    }

    /// The next signal, for a consumer that takes nothing else; goes to sleep over signals if there is none.
    pub(crate) fn poll_signal(&self, incarnation: u32, waker: &Waker) -> Poll<Next<M>> {
        let mut lanes = self.lanes.lock();
        if lanes.service != Service::Served(incarnation) {
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
        if lanes.service != Service::Served(incarnation) {
            return false;
        }
        lanes.interest = Interest::Nothing;
        self.asleep.store(0, Ordering::Relaxed);
        self.batch.lock().settle();
        let wakers = self.settled(&mut lanes);
        drop(lanes);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether this incarnation sleeps over its mailbox.
    pub(crate) fn is_asleep(&self, incarnation: u32) -> bool {
        self.asleep.load(Ordering::Relaxed) == incarnation
    }

    /// Whether a signal waits, or a kill.
    pub(crate) fn has_signal(&self) -> bool {
        self.attention.has(SIGNAL | KILL)
    }
}

fn sleep<M>(lanes: &mut Lanes<M>, waker: &Waker, interest: Interest) {
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
