//! A consumer in two: what the lookout sees and when it is woken, and what is there to take.

use std::task::Poll;

use super::checked::{Bell, Checked, accounts, bounded, failed};
use crate::mailbox::{Interest, MailboxConfig, OverflowPolicy, Peek};

fn look(queue: &Checked, interest: Interest) -> Poll<Peek> {
    queue.poll_peek(1, interest, &Bell::new().1)
}

#[test]
fn a_message_that_is_seen_stays_where_it_is() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(look(&queue, Interest::Messages), Poll::Ready(Peek::Message));
    assert_eq!(accounts(&queue), [2, 0, 0, 0, 2]);
    assert_eq!((queue.try_recv(1), accounts(&queue)), (Some(1), [2, 0, 0, 0, 2]));
    // Behind the one that was taken, one has been taken out with it.
    assert_eq!(look(&queue, Interest::Messages), Poll::Ready(Peek::Message));
    assert_eq!((queue.try_recv(1), queue.try_recv(1)), (Some(2), None));
    assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
}

#[test]
fn a_lookout_that_sleeps_is_woken_by_what_it_is_interested_in() {
    for (interest, rung) in [(Interest::Messages, [1, 1]), (Interest::Signals, [0, 1])] {
        let (queue, (bell, waker)) = (Checked::served(MailboxConfig::default()), Bell::new());
        assert!(queue.poll_peek(1, interest, &waker).is_pending());
        assert!(queue.push(1).is_ok());
        assert_eq!(bell.rung(), rung[0], "{interest:?}");
        assert!(queue.poll_peek(1, Interest::Signals, &waker).is_pending(), "it is not interested any more");
        assert!(queue.stop("now"));
        assert_eq!(bell.rung() - rung[0], rung[1], "{interest:?}");
        assert_eq!(look(&queue, Interest::Signals), Poll::Ready(Peek::Urgent));
    }
}

#[test]
fn nothing_is_there_to_take_while_a_signal_waits() {
    for kill in [false, true] {
        let queue = Checked::with_messages(MailboxConfig::default(), [1]);
        assert!(if kill { queue.kill() } else { queue.stop("now") });
        assert_eq!((look(&queue, Interest::Messages), queue.try_recv(1)), (Poll::Ready(Peek::Urgent), None));
    }
}

#[test]
fn to_look_for_orders_says_nothing_of_the_message_in_hand() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.try_recv(1), Some(1));
    assert!(look(&queue, Interest::Signals).is_pending());
    assert!(queue.detach(1, &failed()).is_some_and(|leftover| leftover.lost_in_flight));
    assert_eq!(accounts(&queue), [2, 0, 1, 0, 1]);
    assert_eq!((look(&queue, Interest::Messages), queue.try_recv(1)), (Poll::Ready(Peek::Detached), None));
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!((queue.try_recv(1), queue.try_recv(2)), (None, Some(2)));
}

#[test]
fn a_message_that_was_seen_may_be_dropped_before_it_is_taken() {
    let queue = Checked::with_messages(bounded(1).overflow(OverflowPolicy::DropOldest), [1]);
    assert_eq!(look(&queue, Interest::Messages), Poll::Ready(Peek::Message));
    assert!(queue.overflow(2).is_ok());
    assert_eq!((queue.try_recv(1), accounts(&queue)), (Some(2), [2, 0, 0, 1, 1]));
}

#[test]
fn to_take_lets_the_first_in_line_in() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (ticket, bell) = queue.stand_in_line(2);
    assert_eq!((queue.try_recv(1), bell.rung()), (Some(1), 1));
    assert_eq!(
        (queue.ask(ticket), look(&queue, Interest::Messages)),
        (Some(Ok(2)), Poll::Ready(Peek::Message))
    );
}
