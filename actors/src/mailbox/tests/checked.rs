//! A mailbox whose invariants are checked after each operation.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use crate::control::ControlSignal;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::mailbox::{
    Admission, AnyMailbox, DetachEffects, Event, Evicted, Interest, Mailbox, MailboxConfig, MessageOutcome,
    PushError, Taken, TicketOutcome, WaitsFor,
};

/// A waker that counts its wake-ups.
#[derive(Default)]
pub(super) struct WakeCounter(AtomicUsize);

impl WakeCounter {
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), Waker::from(wakes))
    }

    pub(super) fn wake_count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for WakeCounter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a mailbox returned, in a form that can be compared.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Got {
    Message(u32),
    /// A message, which was left in the mailbox.
    Peeked,
    Signal(String),
    Killed,
    Detached,
    /// There is nothing: the consumer is parked.
    Nothing,
}

/// The outcome of a message, in a form that can be compared.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Pending,
    Handled,
    Lost(String),
    Evicted,
}

/// Returns what was granted, or the ticket of a wait.
fn granted<T>(admission: Admission<T>) -> Result<T, u64> {
    match admission {
        Admission::Granted(granted) => Ok(granted),
        Admission::Waiting(ticket) => Err(ticket),
    }
}

/// Why a message was rejected.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Rejected {
    Full(u32),
    Closed(u32),
}

fn rejected(refused: &PushError<u32>) -> Rejected {
    match *refused {
        PushError::Full(message) => Rejected::Full(message),
        PushError::Closed(message) => Rejected::Closed(message),
        PushError::WouldDeadlock(message) => panic!("no incarnation sent {message}"),
    }
}

/// A mailbox whose counters and bound are checked after each operation.
pub(super) struct Checked {
    queue: Mailbox<u32>,
    wakes: Arc<WakeCounter>,
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
        let (wakes, waker) = WakeCounter::new();
        Self { queue: Mailbox::new(settings), wakes, waker }
    }

    /// Returns an open mailbox with incarnation 1 attached.
    pub(super) fn attached(settings: MailboxConfig) -> Self {
        let checked = Self::new(settings);
        checked.open();
        assert_eq!(checked.attach(), Ok(1));
        checked
    }

    /// Returns the same as [`attached`](Self::attached), with queued messages.
    pub(super) fn with_messages(settings: MailboxConfig, messages: impl IntoIterator<Item = u32>) -> Self {
        let checked = Self::attached(settings);
        messages.into_iter().for_each(|message| assert!(checked.push(message).is_ok()));
        checked
    }

    pub(super) fn push(&self, message: u32) -> Result<u64, Rejected> {
        let pushed = self.queue.push(message);
        self.check();
        pushed.map_err(|refused| rejected(&refused))
    }

    pub(super) fn push_or_wait(&self, message: u32, waker: &Waker) -> Result<Result<u64, u64>, u32> {
        let pushed = self.queue.push_or_wait(message, WaitsFor::Room, || false, waker);
        self.check();
        pushed.map(granted).map_err(|refused| match rejected(&refused) {
            Rejected::Full(message) | Rejected::Closed(message) => message,
        })
    }

    /// Reserves a place, or returns the ticket of the wait for one.
    pub(super) fn reserve_or_wait(
        &self,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Result<(), u64>, PushError<()>> {
        self.queue.reserve_or_wait(is_circular, waker).map(granted)
    }

    /// Waits with a message for which there is no room. Returns the ticket and the counter of its
    /// wake-ups.
    pub(super) fn wait_for_room(&self, message: u32) -> (u64, Arc<WakeCounter>) {
        let (wakes, waker) = WakeCounter::new();
        let ticket = self.push_or_wait(message, &waker).expect("it is open").expect_err("it is full");
        (ticket, wakes)
    }

    /// Returns the sequence number of the message of a ticket, or the message if it was refused.
    /// `None` while it waits.
    pub(super) fn ticket_outcome(&self, ticket: u64) -> Option<Result<u64, u32>> {
        let outcome = self.queue.poll_ticket(ticket, Waker::noop());
        self.check();
        outcome.map(|outcome| match outcome {
            TicketOutcome::Accepted(sequence) => Ok(sequence),
            TicketOutcome::Refused(Some(message)) => Err(message),
            TicketOutcome::Refused(None) | TicketOutcome::Reserved => {
                unreachable!("only a permit was wanted")
            }
        })
    }

    pub(super) fn cancel_ticket(&self, ticket: u64) -> Option<u32> {
        let message = self.queue.cancel(ticket);
        self.check();
        message
    }

    /// Returns what an incarnation receives next.
    pub(super) fn next(&self, incarnation: u32) -> Got {
        let next = self.queue.poll(incarnation, Interest::Messages, &self.waker);
        self.got(next, Got::Message)
    }

    /// Returns what an actor receives next when it has to ask its mailbox.
    pub(super) fn poll_taken(&self, taken: &mut Taken<'_, u32>) -> Got {
        if taken.len() > 0 {
            taken.put_back();
        }
        self.got(taken.poll(&self.waker), Got::Message)
    }

    /// Returns all messages before the next other event.
    pub(super) fn drain(&self, incarnation: u32) -> Vec<u32> {
        let messages = std::iter::from_fn(|| match self.next(incarnation) {
            Got::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }

    /// Returns what ends the user code of an incarnation, if anything does.
    pub(super) fn inside(&self, incarnation: u32, interest: Interest) -> Got {
        let event = self.queue.poll_inside(incarnation, interest, |_| true, &self.waker);
        self.got(event, |()| unreachable!("it is inside a handler"))
    }

    /// Returns what is next, and leaves it in the mailbox if it is a message.
    pub(super) fn peek(&self, interest: Interest) -> Got {
        let event = self.queue.poll_peek(1, interest, &self.waker);
        self.got(event, |()| Got::Peeked)
    }

    fn got<T>(&self, event: Poll<Event<T>>, message: impl FnOnce(T) -> Got) -> Got {
        self.check();
        match event {
            Poll::Ready(Event::Message(it)) => message(it),
            Poll::Ready(Event::Signal(signal)) => {
                Got::Signal(signal.into_reason().map(|reason| reason.to_string()).unwrap_or_default())
            }
            Poll::Ready(Event::Killed) => Got::Killed,
            Poll::Ready(Event::Detached) => Got::Detached,
            Poll::Pending => Got::Nothing,
        }
    }

    pub(super) fn stop(&self, note: &str) -> bool {
        let is_delivered = self.queue.signal(None, ControlSignal::Stop(ExitReason::shutdown_with(note)));
        self.check();
        is_delivered
    }

    pub(super) fn kill(&self) -> bool {
        let is_delivered = self.queue.kill();
        self.check();
        is_delivered
    }

    pub(super) fn detach(&self, incarnation: u32, reason: &ExitReason) -> Option<DetachEffects<u32>> {
        let effects = self.queue.detach(incarnation, reason);
        self.check();
        effects
    }

    pub(super) fn close(&self, reason: &ExitReason) -> Option<DetachEffects<u32>> {
        let effects = self.queue.close(reason);
        self.check();
        effects
    }

    pub(super) fn outcome(&self, sequence: u64) -> Outcome {
        match self.queue.outcome(sequence, &self.waker) {
            MessageOutcome::Pending => Outcome::Pending,
            MessageOutcome::Handled => Outcome::Handled,
            MessageOutcome::Lost(reason) => Outcome::Lost(reason.to_string()),
            MessageOutcome::Evicted => Outcome::Evicted,
        }
    }

    /// Casts a message, as the overflow policy says. Returns the messages that were dropped for it.
    pub(super) fn cast(&self, message: u32) -> Result<Vec<u32>, Rejected> {
        match self.push(message) {
            Err(Rejected::Full(_)) => {}
            other => return other.map(|_| Vec::new()),
        }
        let evicted = self.queue.overflow(message);
        self.check();
        evicted.map(wake_and_take).map_err(|refused| rejected(&refused))
    }

    /// Reserves a place for a message that is made later, as the overflow policy says. Returns the
    /// messages that were dropped for it, or `None` if that message itself is dropped.
    pub(super) fn cast_with_permit(&self) -> Result<Option<Vec<u32>>, PushError<()>> {
        match self.queue.try_reserve() {
            Err(PushError::Full(())) => {}
            other => return other.map(|()| Some(Vec::new())),
        }
        let (reserved, evicted) = self.queue.reserve_with_overflow()?;
        self.check();
        Ok(Some(wake_and_take(evicted)).filter(|_| reserved))
    }

    /// Returns `true` if a place was reserved for a ticket. `None` while it waits.
    pub(super) fn permit_outcome(&self, ticket: u64) -> Option<bool> {
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

    /// Returns how often the consumer was woken.
    pub(super) fn wake_count(&self) -> usize {
        self.wakes.wake_count()
    }

    /// Returns the number of queued messages, without the one that is being handled.
    pub(super) fn waiting(&self) -> usize {
        let state = self.queue.state.lock();
        let batch = self.queue.batch.lock();
        state.messages.len() + self.queue.taken_out(&batch)
    }

    /// Returns the number of reserved places.
    fn reserved(&self) -> usize {
        self.queue.state.lock().reserved()
    }

    /// Asserts that the counters add up, and that queued messages and reserved places are within
    /// the bound.
    pub(super) fn check(&self) {
        let counters = self.queue.counters();
        assert!(counters.is_balanced(), "{counters:?}");
        let (taken, limit) = (self.waiting() + self.reserved(), self.queue.state.lock().limit);
        assert!(taken <= limit, "{taken} places are taken, of {limit}");
    }
}

fn wake_and_take(evicted: Evicted<u32>) -> Vec<u32> {
    evicted.wakers.into_iter().for_each(Waker::wake);
    evicted.messages
}

pub(super) fn bounded(capacity: usize) -> MailboxConfig {
    MailboxConfig::bounded(capacity)
}

pub(super) fn failed() -> ExitReason {
    ExitReason::failed("on purpose")
}

/// Returns the counters in the order in which they add up: accepted, handled, lost in flight, dead,
/// queued.
pub(super) fn accounts(queue: &Mailbox<u32>) -> [u64; 5] {
    let MessageStats { accepted, handled, lost_in_flight, dead_lettered, queued } = queue.counters();
    [accepted, handled, lost_in_flight, dead_lettered, queued]
}
