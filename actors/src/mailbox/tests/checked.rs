//! A mailbox whose invariants are checked after everything that is done to it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::control::ControlSignal;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::mailbox::{
    DetachEffects, Evicted, Interest, Mailbox, MailboxConfig, MessageOutcome, NextEvent, ParkResult,
    PushError, TicketOutcome, WaitsFor,
};

/// Counts how often it is woken.
#[derive(Default)]
pub(super) struct Bell(AtomicUsize);

impl Bell {
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (bell.clone(), Waker::from(bell))
    }

    pub(super) fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a mailbox gave, in a form that can be compared.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Got {
    Message(u32),
    Signal(String),
    Killed,
    Detached,
    /// There is nothing: the consumer sleeps.
    Nothing,
}

/// What became of a message, in a form that can be compared.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Became {
    Open,
    Handled,
    Lost(String),
    Dropped,
}

/// Why a message came back.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Back {
    Full(u32),
    Closed(u32),
}

fn back(refused: &PushError<u32>) -> Back {
    match *refused {
        PushError::Full(message) => Back::Full(message),
        PushError::Closed(message) => Back::Closed(message),
        PushError::WouldDeadlock(message) => panic!("no incarnation sent {message}"),
    }
}

/// A mailbox whose accounts and whose bound are checked after everything that is done to it.
pub(super) struct Checked {
    queue: Mailbox<u32>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Deref for Checked {
    type Target = Mailbox<u32>;

    fn deref(&self) -> &Mailbox<u32> {
        &self.queue
    }
}

impl Checked {
    pub(super) fn new(settings: MailboxConfig) -> Self {
        let (bell, waker) = Bell::new();
        Self { queue: Mailbox::new(settings), bell, waker }
    }

    /// Open, and served by incarnation 1.
    pub(super) fn served(settings: MailboxConfig) -> Self {
        let checked = Self::new(settings);
        checked.open();
        assert_eq!(checked.attach(), Ok(1));
        checked
    }

    /// As [`served`](Self::served), with messages that wait.
    pub(super) fn with_messages(settings: MailboxConfig, messages: impl IntoIterator<Item = u32>) -> Self {
        let checked = Self::served(settings);
        messages.into_iter().for_each(|message| assert!(checked.push(message).is_ok()));
        checked
    }

    pub(super) fn push(&self, message: u32) -> Result<u64, Back> {
        let pushed = self.queue.push(message);
        self.check();
        pushed.map_err(|refused| back(&refused))
    }

    pub(super) fn join(&self, message: u32, waker: &Waker) -> Result<Result<u64, u64>, u32> {
        let joined = self.queue.push_or_wait(message, WaitsFor::Room, || false, waker);
        self.check();
        joined.map_err(|refused| match back(&refused) {
            Back::Full(message) | Back::Closed(message) => message,
        })
    }

    /// Stands in line with a message for which there is no room; the ticket, and the bell that rings for it.
    pub(super) fn stand_in_line(&self, message: u32) -> (u64, Arc<Bell>) {
        let (bell, waker) = Bell::new();
        let ticket = self.join(message, &waker).expect("it is open").expect_err("it is full");
        (ticket, bell)
    }

    /// Whether the message of a ticket was accepted, and as which, or came back; none while it stands in line.
    pub(super) fn ask(&self, ticket: u64) -> Option<Result<u64, u32>> {
        let outcome = self.queue.poll_ticket(ticket, Waker::noop());
        self.check();
        outcome.map(|outcome| match outcome {
            TicketOutcome::Accepted(sequence) => Ok(sequence),
            TicketOutcome::Refused(Some(message)) => Err(message),
            TicketOutcome::Refused(None) | TicketOutcome::Reserved => unreachable!("only a place was wanted"),
        })
    }

    pub(super) fn leave(&self, ticket: u64) -> Option<u32> {
        let left = self.queue.cancel(ticket);
        self.check();
        left
    }

    /// What an incarnation is given next.
    pub(super) fn next(&self, incarnation: u32) -> Got {
        let next = self.queue.poll_next(incarnation, &mut Context::from_waker(&self.waker));
        self.check();
        match next {
            Poll::Ready(NextEvent::Message(message)) => Got::Message(message),
            Poll::Ready(NextEvent::Signal(order)) => {
                Got::Signal(order.into_reason().map(|reason| reason.to_string()).unwrap_or_default())
            }
            Poll::Ready(NextEvent::Killed) => Got::Killed,
            Poll::Ready(NextEvent::Detached) => Got::Detached,
            Poll::Pending => Got::Nothing,
        }
    }

    /// All messages until there is something else.
    pub(super) fn drain(&self, incarnation: u32) -> Vec<u32> {
        let messages = std::iter::from_fn(|| match self.next(incarnation) {
            Got::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }

    pub(super) fn sleep_inside(&self, incarnation: u32, interest: Interest) -> ParkResult {
        let inside = self.queue.park_in_handler(incarnation, interest, |_| true, &self.waker);
        self.check();
        inside
    }

    pub(super) fn stop(&self, note: &str) -> bool {
        let told = self.queue.signal(None, ControlSignal::Stop(ExitReason::shutdown_with(note)));
        self.check();
        told
    }

    pub(super) fn kill(&self) -> bool {
        let told = self.queue.kill();
        self.check();
        told
    }

    pub(super) fn detach(&self, incarnation: u32, reason: &ExitReason) -> Option<DetachEffects<u32>> {
        let leftover = self.queue.detach(incarnation, reason);
        self.check();
        leftover
    }

    pub(super) fn close(&self, reason: &ExitReason) -> Option<DetachEffects<u32>> {
        let leftover = self.queue.close(reason);
        self.check();
        leftover
    }

    pub(super) fn became(&self, sequence: u64) -> Became {
        match self.queue.fate(sequence, &self.waker) {
            MessageOutcome::Pending => Became::Open,
            MessageOutcome::Handled => Became::Handled,
            MessageOutcome::Lost(reason) => Became::Lost(reason.to_string()),
            MessageOutcome::Evicted => Became::Dropped,
        }
    }

    /// Casts a message, as the mailbox is set; what was dropped for it.
    pub(super) fn cast(&self, message: u32) -> Result<Vec<u32>, Back> {
        match self.push(message) {
            Err(Back::Full(_)) => {}
            other => return other.map(|_| Vec::new()),
        }
        let displaced = self.queue.overflow(message);
        self.check();
        displaced.map(ring).map_err(|refused| back(&refused))
    }

    /// Takes a place for a message that is cast once it is made, as the mailbox is set; what was dropped for it. None of either
    /// if it is that message itself.
    pub(super) fn cast_place(&self) -> Result<Option<Vec<u32>>, PushError<()>> {
        match self.queue.try_reserve() {
            Err(PushError::Full(())) => {}
            other => return other.map(|()| Some(Vec::new())),
        }
        let (kept, displaced) = self.queue.reserve_with_overflow()?;
        self.check();
        Ok(Some(ring(displaced)).filter(|_| kept))
    }

    /// Whether a place was kept for a ticket; none while it stands in line.
    pub(super) fn ask_place(&self, ticket: u64) -> Option<bool> {
        let outcome = self.queue.poll_ticket(ticket, Waker::noop());
        self.check();
        outcome.map(|outcome| match outcome {
            TicketOutcome::Reserved => true,
            TicketOutcome::Refused(None) => false,
            TicketOutcome::Refused(Some(_)) | TicketOutcome::Accepted(_) => {
                unreachable!("there was no message")
            }
        })
    }

    /// How often the consumer was woken.
    pub(super) fn rung(&self) -> usize {
        self.bell.rung()
    }

    /// How many messages wait; the one in hand is not counted.
    pub(super) fn waiting(&self) -> usize {
        let lanes = self.queue.state.lock();
        let batch = self.queue.batch.lock();
        lanes.messages.len() + batch.len()
    }

    /// How many places are kept.
    fn reserved(&self) -> usize {
        self.queue.state.lock().reserved()
    }

    /// The accounts add up, and what waits is within bounds together with the places that are kept.
    pub(super) fn check(&self) {
        let counters = self.queue.counters();
        assert!(counters.is_balanced(), "{counters:?}");
        let (taken, limit) = (self.waiting() + self.reserved(), self.queue.state.lock().limit);
        assert!(taken <= limit, "{taken} places are taken, of {limit}");
    }
}

fn ring(displaced: Evicted<u32>) -> Vec<u32> {
    displaced.wakers.into_iter().for_each(Waker::wake);
    displaced.messages
}

pub(super) fn bounded(capacity: usize) -> MailboxConfig {
    MailboxConfig::bounded(capacity)
}

pub(super) fn failed() -> ExitReason {
    ExitReason::failed("on purpose")
}

/// Accounts, in the order in which they add up: accepted, handled, lost in flight, dead, queued.
pub(super) fn accounts(queue: &Mailbox<u32>) -> [u64; 5] {
    let MessageStats { accepted, handled, lost_in_flight, dead_lettered, queued } = queue.counters();
    [accepted, handled, lost_in_flight, dead_lettered, queued]
}
