//! The outcome of a message, for a caller whose reply was dropped.

use super::checked::{Checked, Got, Outcome, failed};
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, MailboxConfig};

fn lost(reason: &ExitReason) -> Outcome {
    Outcome::Lost(reason.to_string())
}

#[test]
fn outcome_is_pending_until_the_handler_returns() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.outcome(1), Outcome::Pending);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.outcome(1), Outcome::Pending);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!(queue.outcome(1), Outcome::Handled);
}

#[test]
fn waiter_is_woken_when_the_outcome_is_decided() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((queue.outcome(1), queue.wake_count()), (Outcome::Pending, 0));
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!((queue.outcome(1), queue.wake_count()), (Outcome::Handled, 1));
}

#[test]
fn waiter_is_woken_by_the_end_that_decides_the_outcome() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.outcome(1), Outcome::Pending);
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert_eq!(effects.wakers.len(), 1);
    assert_eq!(queue.outcome(1), lost(&failed()));
}

#[test]
fn message_in_flight_is_lost_with_the_exit_reason_and_queued_ones_stay_pending() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!((queue.outcome(1), queue.outcome(2)), (lost(&failed()), Outcome::Pending));
}

#[test]
fn clean_end_without_a_reply_is_a_loss_too() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &ExitReason::Normal).is_some());
    assert_eq!(queue.outcome(1), lost(&ExitReason::Normal));
}

#[test]
fn kept_reply_is_lost_with_its_incarnation() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.drain(1), [1, 2]);
    assert_eq!(queue.outcome(1), Outcome::Handled, "it runs on: it has dropped the reply");
    queue.mark_ending(1);
    assert_eq!(queue.outcome(1), Outcome::Pending, "it is ending, for a reason that is not known yet");
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!((queue.outcome(1), queue.outcome(2)), (lost(&failed()), lost(&failed())));
}

#[test]
fn outcome_comes_from_the_incarnation_that_took_the_message() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.drain(1), [1]);
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.push(2).is_ok());
    assert_eq!(queue.drain(2), [2]);
    queue.mark_ending(2);
    assert_eq!((queue.outcome(1), queue.outcome(2)), (lost(&failed()), Outcome::Pending));
    assert!(queue.detach(2, &ExitReason::shutdown()).is_some());
    assert_eq!((queue.outcome(1), queue.outcome(2)), (lost(&failed()), lost(&ExitReason::shutdown())));
}

#[test]
fn discarded_and_closed_messages_are_lost_for_that_reason() {
    let queue = Checked::with_messages(MailboxConfig::default().discard_on_restart(), [1, 2]);
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!((queue.outcome(1), queue.outcome(2)), (lost(&failed()), lost(&failed())));
    assert!(queue.push(3).is_ok());
    assert_eq!(queue.outcome(3), Outcome::Pending);
    assert!(queue.close(&ExitReason::shutdown()).is_some());
    assert_eq!((queue.outcome(2), queue.outcome(3)), (lost(&failed()), lost(&ExitReason::shutdown())));
}

#[test]
fn last_eight_ends_are_remembered_and_an_earlier_one_is_taken_for_the_next() {
    let queue = Checked::new(MailboxConfig::default());
    queue.open();
    let reason = |end: u32| ExitReason::failed(format!("end {end}"));
    for incarnation in 1..=20 {
        assert_eq!(queue.attach(), Ok(incarnation));
        assert!(queue.push(incarnation).is_ok());
        assert_eq!(queue.next(incarnation), Got::Message(incarnation));
        assert!(queue.detach(incarnation, &reason(incarnation)).is_some());
    }
    for sequence in 1..=20 {
        // A caller that is not polled during nine ends learns that its message has not outlived
        // them.
        assert_eq!(queue.outcome(sequence.into()), lost(&reason(sequence.max(13))), "{sequence}");
    }
    assert_eq!(queue.attach(), Ok(21));
    assert!(queue.push(21).is_ok());
    assert_eq!(queue.drain(21), [21]);
    assert_eq!(queue.outcome(21), Outcome::Handled, "its incarnation lives");
}

#[test]
fn ends_without_lost_messages_push_out_no_lost_range() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    for incarnation in 2..=20 {
        assert_eq!(queue.attach(), Ok(incarnation));
        assert!(queue.detach(incarnation, &ExitReason::Killed).is_some());
    }
    assert_eq!(queue.outcome(1), lost(&failed()));
}

#[test]
fn repeated_polls_for_an_outcome_keep_one_waker() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    for _ in 0..1_000 {
        assert_eq!(queue.outcome(1), Outcome::Pending);
    }
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert_eq!(effects.wakers.len(), 1);
}

#[test]
fn cancelled_wait_for_an_outcome_keeps_no_waker() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((queue.outcome(1), queue.outcome(2)), (Outcome::Pending, Outcome::Pending));
    queue.forget_outcome(1);
    queue.forget_outcome(2);
    queue.forget_outcome(2);
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert!(effects.wakers.is_empty());
}

#[test]
fn waiter_is_not_woken_by_outcomes_of_earlier_messages() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((queue.outcome(1), queue.outcome(3)), (Outcome::Pending, Outcome::Pending));
    assert_eq!((queue.next(1), queue.wake_count()), (Got::Message(2), 1), "the first waiter is woken");
    assert_eq!((queue.next(1), queue.wake_count()), (Got::Message(3), 1), "no task waits for the second");
    assert_eq!((queue.next(1), queue.wake_count()), (Got::Nothing, 2));
    assert_eq!((queue.outcome(1), queue.outcome(3)), (Outcome::Handled, Outcome::Handled));
}
