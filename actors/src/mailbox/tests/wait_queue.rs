//! Many senders that wait for room: each step is cheap, in any order.

use std::task::Waker;

use crate::mailbox::wait_queue::{TicketOutcome, WaitQueue};

/// So many that steps which are linear in the number of waiters would take minutes.
const MANY: u64 = 100_000;

/// Returns every number up to `MANY` once, in a mixed order.
fn shuffled() -> impl Iterator<Item = u64> {
    // A factor that has no divisor in common with `MANY`.
    (0..MANY).map(|n| n * 182_389 % MANY)
}

fn full() -> WaitQueue<u64> {
    let mut waiting = WaitQueue::new();
    for n in 0..MANY {
        let message = (n % 2 == 0).then_some(n);
        assert_eq!(waiting.enqueue(message, Waker::noop().clone()), n);
    }
    assert_eq!(waiting.permits_wanted() as u64, MANY / 2);
    waiting
}

#[test]
fn refused_waiters_get_their_messages_in_any_order() {
    let mut waiting = full();
    assert_eq!(waiting.refuse_all().len() as u64, MANY);
    assert!(waiting.is_empty());
    for n in shuffled() {
        let outcome = waiting.poll_ticket(n, Waker::noop());
        assert!(
            matches!(outcome, Some(TicketOutcome::Refused(message)) if message == (n % 2 == 0).then_some(n))
        );
        assert!(waiting.poll_ticket(n, Waker::noop()).is_none(), "once");
    }
    assert_eq!(waiting.permits_wanted(), 0);
}

#[test]
fn waiters_cancel_in_any_order() {
    let mut waiting = full();
    for n in shuffled() {
        let outcome = waiting.cancel(n);
        assert!(
            matches!(outcome, Some(TicketOutcome::Refused(message)) if message == (n % 2 == 0).then_some(n))
        );
        assert!(waiting.cancel(n).is_none(), "once");
    }
    assert!(waiting.is_empty());
    assert_eq!(waiting.permits_wanted(), 0);
}

#[test]
fn waiters_are_admitted_in_order_and_polled_in_any_order() {
    let (mut waiting, mut accepted) = (full(), Vec::new());
    while waiting
        .admit_next(|_, message| {
            accepted.push(message);
            message
        })
        .is_some()
    {}
    assert!(accepted.iter().copied().eq((0..MANY).step_by(2)));
    for n in shuffled() {
        match waiting.poll_ticket(n, Waker::noop()) {
            Some(TicketOutcome::Accepted(number)) => assert_eq!(number, n),
            Some(TicketOutcome::Reserved) => assert_eq!(n % 2, 1),
            Some(TicketOutcome::Refused(_)) | None => panic!("it is in"),
        }
    }
}
