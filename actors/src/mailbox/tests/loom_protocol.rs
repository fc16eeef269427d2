//! The lock protocol under loom: every interleaving of a few small threads.
//!
//! `.ci/models actors`
//!
//! A lost wake-up shows as a deadlock, which loom reports. So do two locks taken in two orders.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::mailbox::{
    Admission, AnyMailbox, Event, Interest, Mailbox, MailboxConfig, MessageOutcome, PushError, TicketOutcome,
    WaitsFor,
};

type Shared = Arc<Mailbox<u32>>;

/// Explores every interleaving of two threads.
pub(super) fn explore(model: impl Fn() + Sync + Send + 'static) {
    loom::model::Builder::new().check(model);
}

/// Explores the interleavings of three threads with at most this many preemptions. Nearly all bugs
/// need two.
pub(super) fn explore_up_to(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Returns an open mailbox with incarnation 1 attached and with queued messages.
pub(super) fn attached(capacity: usize, messages: impl IntoIterator<Item = u32>) -> Shared {
    let queue = Mailbox::new(MailboxConfig::bounded(capacity));
    queue.open();
    assert_eq!(queue.attach(), Ok(1));
    messages.into_iter().for_each(|message| assert!(queue.push(message).is_ok()));
    Arc::new(queue)
}

fn poll(queue: &Mailbox<u32>, incarnation: u32) -> Option<Event<u32>> {
    match queue.poll(incarnation, Interest::Messages, Waker::noop()) {
        Poll::Ready(next) => Some(next),
        Poll::Pending => None,
    }
}

pub(super) fn poll_message(queue: &Mailbox<u32>, incarnation: u32) -> Option<u32> {
    match poll(queue, incarnation) {
        Some(Event::Message(message)) => Some(message),
        _ => None,
    }
}

/// Waits for the next event.
fn next(queue: &Mailbox<u32>, incarnation: u32) -> Event<u32> {
    block_on(poll_fn(|cx| queue.poll(incarnation, Interest::Messages, cx.waker())))
}

pub(super) fn next_message(queue: &Mailbox<u32>, incarnation: u32) -> u32 {
    match next(queue, incarnation) {
        Event::Message(message) => message,
        other => panic!("expected a message, not {other:?}"),
    }
}

/// Sends like `send`: waits for room, and fails with the message if the mailbox is closed.
pub(super) fn send(queue: &Mailbox<u32>, message: u32) -> Result<u64, PushError<Option<u32>>> {
    let mut message = Some(message);
    let mut ticket = None;
    block_on(poll_fn(|cx| {
        if let Some(message) = message.take() {
            match queue.push_or_wait(message, WaitsFor::Room, || false, cx.waker()) {
                Ok(Admission::Granted(sequence)) => return Poll::Ready(Ok(sequence)),
                Ok(Admission::Waiting(waiting)) => ticket = Some(waiting),
                Err(refused) => return Poll::Ready(Err(refused.map(Some))),
            }
        }
        match ticket.and_then(|ticket| queue.poll_ticket(ticket, cx.waker())) {
            Some(TicketOutcome::Accepted(sequence)) => Poll::Ready(Ok(sequence)),
            Some(TicketOutcome::Refused(message)) => Poll::Ready(Err(PushError::Closed(message))),
            Some(TicketOutcome::Reserved) => unreachable!("only a permit was wanted"),
            None => Poll::Pending,
        }
    }))
}

/// Asserts that the counters add up, and that the queue is within the bound.
pub(super) fn check(queue: &Mailbox<u32>) {
    assert!(queue.counters().is_balanced());
    let (state, batch) = (queue.state.lock(), queue.batch.lock());
    assert!(state.messages.len() + state.reserved() + batch.len() <= state.limit);
}

#[test]
fn parking_consumer_is_woken_by_a_message() {
    explore(|| {
        let queue = attached(2, []);
        let sender = thread::spawn({
            let queue = queue.clone();
            move || (1..=2).for_each(|message| assert!(queue.push(message).is_ok()))
        });
        assert_eq!((next_message(&queue, 1), next_message(&queue, 1)), (1, 2));
        sender.join().expect("the sender is done");
    });
}

#[test]
fn two_senders_lose_nothing_and_each_keeps_its_order() {
    explore_up_to(2, || {
        let queue = attached(2, []);
        let senders = [10, 20].map(|first| {
            let queue = queue.clone();
            thread::spawn(move || {
                (first..first + 2).for_each(|message| assert!(send(&queue, message).is_ok()))
            })
        });
        let all: Vec<u32> = (0..4).map(|_| next_message(&queue, 1)).collect();
        for first in [10, 20] {
            let own: Vec<u32> = all.iter().copied().filter(|message| message / 10 == first / 10).collect();
            assert_eq!(own, [first, first + 1], "{all:?}");
        }
        senders.into_iter().for_each(|sender| sender.join().expect("the sender is done"));
        check(&queue);
    });
}

#[test]
fn waiting_sender_gets_the_last_place_without_another_poll_of_the_consumer() {
    explore(|| {
        let queue = attached(2, [1, 2]);
        assert_eq!(poll_message(&queue, 1), Some(1));
        assert!(queue.push(3).is_ok());
        let sender = thread::spawn({
            let queue = queue.clone();
            move || send(&queue, 4)
        });
        // The last of the batch. Its handler now waits for the very sender that waits for room
        // (invariant 6).
        assert_eq!(next_message(&queue, 1), 2);
        assert_eq!(sender.join().expect("the sender is done"), Ok(4));
        assert_eq!((poll_message(&queue, 1), poll_message(&queue, 1)), (Some(3), Some(4)));
    });
}

#[test]
fn two_waiting_senders_are_admitted_one_after_the_other() {
    explore_up_to(3, || {
        let queue = attached(1, [1]);
        let senders = [2, 3].map(|message| {
            let queue = queue.clone();
            thread::spawn(move || send(&queue, message).expect("it is open"))
        });
        assert_eq!(next_message(&queue, 1), 1);
        let rest = [next_message(&queue, 1), next_message(&queue, 1)];
        assert!(rest == [2, 3] || rest == [3, 2], "{rest:?}");
        let mut sequences = senders.map(|sender| sender.join().expect("the sender is done"));
        sequences.sort_unstable();
        assert_eq!(sequences, [2, 3]);
    });
}

#[test]
fn mailbox_never_exceeds_its_capacity() {
    explore_up_to(3, || {
        let queue = attached(2, [1, 2]);
        let senders = [3, 4].map(|message| {
            let queue = queue.clone();
            thread::spawn(move || {
                let pushed = queue.push(message);
                assert!(!matches!(pushed, Err(PushError::Closed(_))));
                check(&queue);
                u64::from(pushed.is_ok())
            })
        });
        assert!(poll_message(&queue, 1).is_some() && poll_message(&queue, 1).is_some());
        let pushed: u64 = senders.map(|sender| sender.join().expect("the sender is done")).iter().sum();
        assert_eq!(queue.counters().accepted, 2 + pushed);
        check(&queue);
    });
}

#[test]
fn message_goes_to_the_abandoned_incarnation_or_to_the_next_and_never_to_both() {
    explore(|| {
        let queue = attached(3, [1, 2, 3]);
        assert_eq!(poll_message(&queue, 1), Some(1));
        let stuck = thread::spawn({
            let queue = queue.clone();
            move || std::iter::from_fn(|| poll_message(&queue, 1)).collect::<Vec<_>>()
        });
        let lost = queue.detach(1, &ExitReason::Killed).expect("it is attached").lost_in_flight;
        assert_eq!(queue.attach(), Ok(2));
        let next: Vec<u32> = std::iter::from_fn(|| poll_message(&queue, 2)).collect();
        let stuck = stuck.join().expect("the thread is done");
        assert_eq!([vec![1], stuck, next].concat(), [1, 2, 3]);
        let counters = queue.counters();
        assert_eq!((counters.handled, counters.lost_in_flight), (3 - lost, lost));
        check(&queue);
    });
}

#[test]
fn parking_incarnation_is_woken_when_its_mailbox_is_taken_away() {
    explore(|| {
        let queue = attached(2, [1]);
        let consumer = thread::spawn({
            let queue = queue.clone();
            move || while !matches!(next(&queue, 1), Event::Detached) {}
        });
        let effects = queue.detach(1, &ExitReason::Killed).expect("it is attached");
        effects.wakers.into_iter().for_each(Waker::wake);
        consumer.join().expect("it was woken");
        check(&queue);
    });
}

/// Sends a signal from another thread. Returns how many messages come before it, and checks that
/// none comes once it was sent.
pub(super) fn messages_before_a_signal(
    queue: &Arc<Mailbox<u32>>,
    mut next: impl FnMut() -> Event<u32>,
) -> usize {
    let sent = Arc::new(AtomicBool::new(false));
    let sender = thread::spawn({
        let (queue, sent) = (queue.clone(), sent.clone());
        move || {
            assert!(queue.signal(None, ControlSignal::Stop(ExitReason::Normal)));
            sent.store(true, Ordering::Release);
        }
    });
    let mut messages = 0;
    loop {
        let was_sent = sent.load(Ordering::Acquire);
        match next() {
            Event::Signal(_) => break,
            Event::Message(_) => messages += 1,
            other => panic!("unexpected: {other:?}"),
        }
        assert!(!was_sent, "a message came first");
    }
    sender.join().expect("the sender is done");
    messages
}

#[test]
fn sent_signal_precedes_the_next_message_of_a_batch() {
    explore(|| {
        let queue = attached(3, [1, 2, 3]);
        assert_eq!(poll_message(&queue, 1), Some(1));
        let messages = messages_before_a_signal(&queue, || next(&queue, 1));
        assert_eq!(messages + std::iter::from_fn(|| poll_message(&queue, 1)).count(), 2);
    });
}

#[test]
fn parking_consumer_is_woken_by_a_signal_before_a_message() {
    explore(|| {
        let queue = attached(2, []);
        let sender = thread::spawn({
            let queue = queue.clone();
            move || {
                assert!(queue.signal(None, ControlSignal::Stop(ExitReason::Normal)) && queue.push(1).is_ok())
            }
        });
        assert!(matches!(next(&queue, 1), Event::Signal(_)));
        assert_eq!(next_message(&queue, 1), 1);
        sender.join().expect("the sender is done");
    });
}

/// Waits inside user code for what ends it.
fn inside(queue: &Mailbox<u32>, interest: Interest) -> Event<()> {
    block_on(poll_fn(|cx| queue.poll_inside(1, interest, |_| true, cx.waker())))
}

#[test]
fn kill_wakes_an_incarnation_inside_its_handler() {
    explore(|| {
        let queue = attached(2, [1]);
        assert_eq!(poll_message(&queue, 1), Some(1));
        let killer = thread::spawn({
            let queue = queue.clone();
            // A message and a signal as well: neither may consume the wake-up.
            move || assert!(queue.push(2).is_ok() && queue.kill())
        });
        assert!(matches!(inside(&queue, Interest::Kill), Event::Killed));
        killer.join().expect("the killer is done");
    });
}

#[test]
fn stop_wakes_an_incarnation_inside_its_init() {
    explore(|| {
        let queue = attached(2, []);
        let stopper = thread::spawn({
            let queue = queue.clone();
            move || {
                assert!(queue.push(1).is_ok() && queue.signal(None, ControlSignal::Stop(ExitReason::Normal)))
            }
        });
        assert!(matches!(inside(&queue, Interest::Signals), Event::Signal(_)));
        stopper.join().expect("the stopper is done");
    });
}

#[test]
fn caller_learns_the_outcome_without_another_poll_of_the_consumer() {
    explore(|| {
        let queue = attached(3, [1, 2]);
        assert_eq!(poll_message(&queue, 1), Some(1));
        let caller = thread::spawn({
            let queue = queue.clone();
            // The reply to message 1 was dropped.
            move || {
                block_on(poll_fn(|cx| match queue.outcome(1, cx.waker()) {
                    MessageOutcome::Pending => Poll::Pending,
                    MessageOutcome::Handled => Poll::Ready(()),
                    MessageOutcome::Lost(reason) => panic!("nothing ended: {reason}"),
                    MessageOutcome::Evicted => panic!("nothing was evicted"),
                }))
            }
        });
        // Message 1 is settled. The handler of message 2 now waits for that very caller (invariant
        // 6).
        assert_eq!(next_message(&queue, 1), 2);
        caller.join().expect("the caller was woken");
    });
}

#[test]
fn close_wakes_every_caller_and_every_sender() {
    explore_up_to(3, || {
        let queue = attached(1, [1]);
        let caller = thread::spawn({
            let queue = queue.clone();
            move || {
                block_on(poll_fn(|cx| match queue.outcome(1, cx.waker()) {
                    MessageOutcome::Pending => Poll::Pending,
                    MessageOutcome::Handled | MessageOutcome::Evicted => {
                        panic!("it was neither handled nor evicted")
                    }
                    MessageOutcome::Lost(_) => Poll::Ready(()),
                }))
            }
        });
        let sender = thread::spawn({
            let queue = queue.clone();
            move || send(&queue, 2)
        });
        let effects = queue.close(&ExitReason::Killed).expect("it is open");
        assert_eq!(effects.dead.len(), 1);
        effects.wakers.into_iter().for_each(Waker::wake);
        caller.join().expect("the caller was woken");
        assert_eq!(sender.join().expect("the sender was woken"), Err(PushError::Closed(Some(2))));
        check(&queue);
    });
}
