//! The consumer in two steps: what a peek finds, when it is woken, and what can be taken then.

use super::checked::{Checked, Got, WakeCounter, accounts, bounded, failed};
use crate::mailbox::{Interest, MailboxConfig, OverflowPolicy};

#[test]
fn peeked_message_stays_in_the_mailbox() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.peek(Interest::Messages), Got::Peeked);
    assert_eq!(accounts(&queue), [2, 0, 0, 0, 2]);
    assert_eq!((queue.try_recv(1), accounts(&queue)), (Some(1), [2, 0, 0, 0, 2]));
    // The rest of the queue was taken out as a batch with the first message.
    assert_eq!(queue.peek(Interest::Messages), Got::Peeked);
    assert_eq!((queue.try_recv(1), queue.try_recv(1)), (Some(2), None));
    assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
}

#[test]
fn parked_peek_is_woken_by_its_interest_only() {
    for (interest, wake_count) in [(Interest::Messages, [1, 1]), (Interest::Signals, [0, 1])] {
        let (queue, (wakes, waker)) = (Checked::attached(MailboxConfig::default()), WakeCounter::new());
        assert!(queue.poll_peek(1, interest, &waker).is_pending());
        assert!(queue.push(1).is_ok());
        assert_eq!(wakes.wake_count(), wake_count[0], "{interest:?}");
        assert!(queue.poll_peek(1, Interest::Signals, &waker).is_pending(), "it is not interested any more");
        assert!(queue.stop("now"));
        assert_eq!(wakes.wake_count() - wake_count[0], wake_count[1], "{interest:?}");
        assert_eq!(queue.peek(Interest::Signals), Got::Signal("shutdown: now".into()));
    }
}

#[test]
fn no_message_can_be_taken_while_a_signal_is_queued() {
    for kill in [false, true] {
        let queue = Checked::with_messages(MailboxConfig::default(), [1]);
        let (sent, got) = if kill {
            (queue.kill(), Got::Killed)
        } else {
            (queue.stop("now"), Got::Signal("shutdown: now".into()))
        };
        assert_eq!((sent, queue.try_recv(1), queue.peek(Interest::Messages)), (true, None, got));
    }
}

#[test]
fn look_for_signals_inside_a_handler_does_not_ack_the_message_in_flight() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.try_recv(1), Some(1));
    assert_eq!(queue.inside(1, Interest::Signals), Got::Nothing);
    assert!(queue.detach(1, &failed()).is_some_and(|effects| effects.lost_in_flight == 1));
    assert_eq!(accounts(&queue), [2, 0, 1, 0, 1]);
    assert_eq!((queue.peek(Interest::Messages), queue.try_recv(1)), (Got::Detached, None));
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!((queue.try_recv(1), queue.try_recv(2)), (None, Some(2)));
}

#[test]
fn peeked_message_may_be_evicted_before_it_is_taken() {
    let queue = Checked::with_messages(bounded(1).overflow(OverflowPolicy::DropOldest), [1]);
    assert_eq!(queue.peek(Interest::Messages), Got::Peeked);
    assert!(queue.overflow(2).is_ok());
    assert_eq!((queue.try_recv(1), accounts(&queue)), (Some(2), [2, 0, 0, 1, 1]));
}

#[test]
fn taking_a_message_admits_the_first_waiter() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (ticket, wakes) = queue.wait_for_room(2);
    assert_eq!((queue.try_recv(1), wakes.wake_count()), (Some(1), 1));
    assert_eq!((queue.ticket_outcome(ticket), queue.peek(Interest::Messages)), (Some(Ok(2)), Got::Peeked));
}
