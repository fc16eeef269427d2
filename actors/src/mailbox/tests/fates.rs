//! What became of a message: what a caller is told whose reply is gone.

use super::checked::{Became, Checked, Got, failed};
use crate::exit::ExitReason;
use crate::mailbox::MailboxConfig;

fn lost(reason: &ExitReason) -> Became {
    Became::Lost(reason.to_string())
}

#[test]
fn the_fate_of_a_message_is_open_until_its_handler_returns() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.became(1), Became::Open);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.became(1), Became::Open);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!(queue.became(1), Became::Handled);
}

#[test]
fn who_asks_for_a_fate_is_woken_when_it_is_decided() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((queue.became(1), queue.rung()), (Became::Open, 0));
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!((queue.became(1), queue.rung()), (Became::Handled, 1));
}

#[test]
fn who_asks_for_a_fate_is_woken_by_the_end_that_decides_it() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.became(1), Became::Open);
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert_eq!(leftover.wakers.len(), 1);
    assert_eq!(queue.became(1), lost(&failed()));
}

#[test]
fn what_was_in_hand_shares_the_reason_of_the_end_and_what_waits_stays_open() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!((queue.became(1), queue.became(2)), (lost(&failed()), Became::Open));
}

#[test]
fn a_clean_end_without_an_answer_is_a_reason_too() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &ExitReason::Normal).is_some());
    assert_eq!(queue.became(1), lost(&ExitReason::Normal));
}

#[test]
fn a_reply_kept_by_an_incarnation_goes_down_with_it() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.drain(1), [1, 2]);
    assert_eq!(queue.became(1), Became::Handled, "it lives: it has dropped the reply");
    queue.mark_ending(1);
    assert_eq!(queue.became(1), Became::Open, "it is on its way out, for a reason that is not known yet");
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!((queue.became(1), queue.became(2)), (lost(&failed()), lost(&failed())));
}

#[test]
fn a_fate_is_that_of_the_incarnation_that_had_the_message() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.drain(1), [1]);
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.push(2).is_ok());
    assert_eq!(queue.drain(2), [2]);
    queue.mark_ending(2);
    assert_eq!((queue.became(1), queue.became(2)), (lost(&failed()), Became::Open));
    assert!(queue.detach(2, &ExitReason::shutdown()).is_some());
    assert_eq!((queue.became(1), queue.became(2)), (lost(&failed()), lost(&ExitReason::shutdown())));
}

#[test]
fn what_is_discarded_or_closed_upon_is_lost_for_that_reason() {
    let queue = Checked::with_messages(MailboxConfig::default().discard_on_restart(), [1, 2]);
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!((queue.became(1), queue.became(2)), (lost(&failed()), lost(&failed())));
    assert!(queue.push(3).is_ok());
    assert_eq!(queue.became(3), Became::Open);
    assert!(queue.close(&ExitReason::shutdown()).is_some());
    assert_eq!((queue.became(2), queue.became(3)), (lost(&failed()), lost(&ExitReason::shutdown())));
}

#[test]
fn eight_ends_are_remembered() {
    let queue = Checked::new(MailboxConfig::default());
    queue.open();
    for incarnation in 1..=9 {
        assert_eq!(queue.attach(), Ok(incarnation));
        assert!(queue.push(incarnation).is_ok());
        assert_eq!(queue.next(incarnation), Got::Message(incarnation));
        assert!(queue.detach(incarnation, &failed()).is_some());
    }
    // Whoever has not asked through nine crashes hears only that it is over.
    assert_eq!(queue.became(1), Became::Handled);
    (2..=9).for_each(|sequence| assert_eq!(queue.became(sequence), lost(&failed()), "{sequence}"));
}

#[test]
fn ends_with_nothing_to_remember_displace_nothing() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    for incarnation in 2..=20 {
        assert_eq!(queue.attach(), Ok(incarnation));
        assert!(queue.detach(incarnation, &ExitReason::Killed).is_some());
    }
    assert_eq!(queue.became(1), lost(&failed()));
}

#[test]
fn a_caller_that_asks_for_a_fate_again_is_kept_once() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    for _ in 0..1_000 {
        assert_eq!(queue.became(1), Became::Open);
    }
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert_eq!(leftover.wakers.len(), 1);
}

#[test]
fn a_caller_that_gives_up_is_not_kept() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((queue.became(1), queue.became(2)), (Became::Open, Became::Open));
    queue.forget_fate(1);
    queue.forget_fate(2);
    queue.forget_fate(2);
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert!(leftover.wakers.is_empty());
}

#[test]
fn a_caller_whose_message_waits_is_not_woken_for_those_before_it() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((queue.became(1), queue.became(3)), (Became::Open, Became::Open));
    assert_eq!((queue.next(1), queue.rung()), (Got::Message(2), 1), "the first hears");
    assert_eq!((queue.next(1), queue.rung()), (Got::Message(3), 1), "nobody asked for the second");
    assert_eq!((queue.next(1), queue.rung()), (Got::Nothing, 2));
    assert_eq!((queue.became(1), queue.became(3)), (Became::Handled, Became::Handled));
}
