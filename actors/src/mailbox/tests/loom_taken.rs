//! Messages that an incarnation takes together, and then handles without a lock, under loom.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use loom::future::block_on;
use loom::thread;

use super::loom_protocol::{attached, check, explore, explore_up_to, messages_before_a_signal, send};
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, Event, Interest, Mailbox, MessageOutcome, Taken};

/// Returns the next event, as the loop of an actor does.
fn poll(taken: &mut Taken<'_, u32>, waker: &Waker) -> Poll<Event<u32>> {
    if let Some(message) = taken.next() {
        return Poll::Ready(Event::Message(message));
    }
    if taken.len() > 0 {
        taken.put_back();
    }
    taken.poll(waker)
}

/// Waits for the next event.
fn next(taken: &mut Taken<'_, u32>) -> Event<u32> {
    block_on(poll_fn(|cx| poll(taken, cx.waker())))
}

fn next_message(taken: &mut Taken<'_, u32>) -> u32 {
    match next(taken) {
        Event::Message(message) => message,
        other => panic!("expected a message, not {other:?}"),
    }
}

/// Returns the messages that can be had now.
fn rest(taken: &mut Taken<'_, u32>) -> Vec<u32> {
    let messages = std::iter::from_fn(|| match poll(taken, Waker::noop()) {
        Poll::Ready(Event::Message(message)) => Some(message),
        _ => None,
    });
    messages.collect()
}

/// Returns what incarnation 1 has taken of the messages from 1 to 5: 3 is in flight, and 4 is
/// behind it.
fn series(queue: &Mailbox<u32>) -> Taken<'_, u32> {
    let mut taken = Taken::new(queue, 1);
    assert_eq!([(); 3].map(|()| next_message(&mut taken)), [1, 2, 3]);
    assert_eq!(taken.len(), 1);
    taken
}

/// Does what the loop of an actor and its guard do when a handler awaits.
fn await_in_handler(queue: &Mailbox<u32>, taken: &mut Taken<'_, u32>) {
    taken.handler_awaits();
    assert!(queue.poll_inside(1, Interest::Exits, |_| true, Waker::noop()).is_pending());
}

#[test]
fn counters_add_up_at_any_moment_of_a_series() {
    explore(|| {
        let queue = attached(5, 1..=5);
        let observer = thread::spawn({
            let queue = queue.clone();
            move || {
                let first = queue.counters();
                check(&queue);
                assert!(first.handled <= queue.counters().handled);
            }
        });
        let mut taken = series(&queue);
        assert_eq!(rest(&mut taken), [4, 5]);
        assert_eq!(queue.counters().handled, 5);
        observer.join().expect("they add up");
    });
}

#[test]
fn sent_signal_precedes_the_next_message_of_a_series() {
    explore(|| {
        let queue = attached(5, 1..=5);
        let mut taken = series(&queue);
        let messages = messages_before_a_signal(&queue, || next(&mut taken));
        assert_eq!(3 + messages + rest(&mut taken).len(), 5);
    });
}

#[test]
fn message_of_a_series_is_lost_with_an_abandoned_incarnation_or_goes_to_the_next_and_never_to_both() {
    explore_up_to(2, || {
        let queue = attached(5, 1..=5);
        let stuck = thread::spawn({
            let queue = queue.clone();
            move || {
                let mut taken = series_or_less(&queue);
                rest(&mut taken)
            }
        });
        let lost = queue.detach(1, &ExitReason::Killed).expect("it is attached").lost_in_flight;
        assert_eq!(queue.attach(), Ok(2));
        let mut taken = Taken::new(&queue, 2);
        let mut of_next = Vec::new();
        while let Poll::Ready(Event::Message(message)) = poll(&mut taken, Waker::noop()) {
            let handled = queue.counters().handled;
            of_next.push(message);
            assert_eq!(handled + 1, 6 - lost - (6 - u64::from(message)), "a late store of the stuck one");
        }
        let counters = queue.counters();
        assert_eq!((counters.accepted, counters.lost_in_flight, counters.queued), (5, lost, 0));
        let of_stuck = stuck.join().expect("the thread is done");
        let first = 6 - u32::try_from(of_next.len()).expect("there are five");
        assert_eq!(of_next, (first..=5).collect::<Vec<_>>(), "the next one gets the rest in order");
        assert!(of_stuck.iter().all(|message| *message < first), "{of_stuck:?}, {of_next:?}");
        assert!(lost <= 2, "{lost}");
        check(&queue);
    });
}

/// Returns what incarnation 1 has taken, which may be abandoned at any moment.
fn series_or_less(queue: &Mailbox<u32>) -> Taken<'_, u32> {
    let mut taken = Taken::new(queue, 1);
    for _ in 0..2 {
        let _ = poll(&mut taken, Waker::noop());
    }
    taken
}

#[test]
fn sender_that_waits_is_admitted_when_a_handler_of_a_series_awaits() {
    explore(|| {
        let queue = attached(4, 1..=4);
        let mut taken = Taken::new(&queue, 1);
        assert_eq!([(); 3].map(|()| next_message(&mut taken)), [1, 2, 3]);
        assert!((5..=7).all(|message| queue.push(message).is_ok()), "4 is behind 3");
        let sender = thread::spawn({
            let queue = queue.clone();
            move || send(&queue, 8)
        });
        assert_eq!(taken.next(), Some(4));
        // Its handler awaits that very sender.
        await_in_handler(&queue, &mut taken);
        assert_eq!(sender.join().expect("the sender is done"), Ok(8));
        assert_eq!(rest(&mut taken), [5, 6, 7, 8]);
        check(&queue);
    });
}

#[test]
fn caller_learns_the_outcome_of_a_message_of_a_series_when_the_next_one_begins() {
    explore(|| {
        let queue = attached(5, 1..=5);
        let mut taken = series(&queue);
        let caller = thread::spawn({
            let queue = queue.clone();
            // The reply to message 3 was dropped.
            move || {
                block_on(poll_fn(|cx| match queue.outcome(3, cx.waker()) {
                    MessageOutcome::Pending => Poll::Pending,
                    MessageOutcome::Handled => Poll::Ready(()),
                    MessageOutcome::Lost(reason) => panic!("nothing ended: {reason}"),
                    MessageOutcome::Evicted => panic!("nothing was evicted"),
                }))
            }
        });
        assert_eq!(next_message(&mut taken), 4);
        // Its handler awaits that very caller.
        await_in_handler(&queue, &mut taken);
        caller.join().expect("the caller was woken");
    });
}
