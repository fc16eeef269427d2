//! Messages that an incarnation takes together: what goes before them, and where they go when they
//! are not handled.

use super::checked::{Checked, Got, Outcome, accounts, bounded, failed};
use crate::exit::ExitReason;
use crate::mailbox::{Interest, MailboxConfig, OverflowPolicy, Taken};

/// Returns what an actor receives next.
fn next(queue: &Checked, taken: &mut Taken<'_, u32>) -> Got {
    let next = taken.next();
    queue.check();
    next.map_or_else(|| queue.poll_taken(taken), Got::Message)
}

/// Handles the messages up to this one, which is in flight then.
fn handle_up_to(queue: &Checked, taken: &mut Taken<'_, u32>, last: u32) {
    while next(queue, taken) != Got::Message(last) {}
}

/// Returns what incarnation 1 has taken when 9 is being handled: the messages from 10 to 16.
fn busy(queue: &Checked) -> Taken<'_, u32> {
    let mut taken = Taken::new(queue, 1);
    handle_up_to(queue, &mut taken, 9);
    assert_eq!(taken.len(), 7);
    taken
}

fn unbounded(last: u32) -> Checked {
    Checked::with_messages(MailboxConfig::unbounded(), 1..=last)
}

#[test]
fn each_time_twice_as_many_are_taken_until_there_are_eight() {
    let queue = unbounded(40);
    let mut taken = Taken::new(&queue, 1);
    let mut behind = Vec::new();
    for message in 1..=32 {
        assert_eq!(next(&queue, &mut taken), Got::Message(message));
        behind.push(taken.len());
    }
    let eight = [7, 6, 5, 4, 3, 2, 1, 0];
    assert_eq!(behind, [&[0, 0, 1, 0, 3, 2, 1, 0][..], &eight, &eight, &eight].concat());
    assert_eq!(accounts(&queue), [40, 31, 0, 0, 9]);
}

#[test]
fn counters_are_exact_between_two_messages_that_were_taken_together() {
    let queue = unbounded(20);
    let mut taken = busy(&queue);
    for handled in 9..16 {
        assert!(taken.next().is_some());
        assert_eq!(accounts(&queue), [20, handled, 0, 0, 20 - handled]);
        assert_eq!(queue.outcome(handled), Outcome::Handled);
    }
}

#[test]
fn messages_behind_a_handler_that_awaits_return_and_the_next_is_taken_alone() {
    let queue = unbounded(20);
    let mut taken = busy(&queue);
    taken.handler_awaits();
    assert_eq!((taken.len(), accounts(&queue)), (0, [20, 8, 0, 0, 12]));
    assert_eq!(next(&queue, &mut taken), Got::Message(10));
    assert_eq!(taken.len(), 0);
    handle_up_to(&queue, &mut taken, 20);
    assert_eq!((next(&queue, &mut taken), accounts(&queue)), (Got::Nothing, [20, 20, 0, 0, 0]));
}

#[test]
fn signal_and_kill_go_before_messages_that_were_taken() {
    let queue = unbounded(20);
    let mut taken = busy(&queue);
    assert!(queue.stop("now"));
    assert_eq!(next(&queue, &mut taken), Got::Signal("shutdown: now".into()));
    handle_up_to(&queue, &mut taken, 17);
    assert!(queue.kill());
    assert_eq!(next(&queue, &mut taken), Got::Killed);
    assert_eq!((taken.len(), accounts(&queue)), (0, [20, 17, 0, 0, 3]));
}

#[test]
fn incarnation_that_ends_by_itself_loses_only_the_message_in_flight() {
    for (reason, handled, lost) in [(failed(), 8, 1), (ExitReason::Killed, 8, 1), (ExitReason::Normal, 9, 0)]
    {
        let queue = unbounded(20);
        // However its task ends, what it has taken is dropped with it.
        drop(busy(&queue));
        assert_eq!(queue.detach(1, &reason).expect("it was attached").lost_in_flight, lost);
        assert_eq!(accounts(&queue), [20, handled, lost, 0, 11]);
        assert_eq!(queue.attach(), Ok(2));
        assert_eq!(queue.drain(2), (10..=20).collect::<Vec<_>>());
    }
}

#[test]
fn abandoned_incarnation_takes_along_what_it_has_taken() {
    let queue = unbounded(20);
    let mut stuck = busy(&queue);
    assert_eq!(queue.detach(1, &ExitReason::Killed).expect("it was attached").lost_in_flight, 8);
    assert_eq!(accounts(&queue), [20, 8, 8, 0, 4]);
    assert!((9..=16).all(|lost| queue.outcome(lost) == Outcome::Lost("killed".into())));
    assert_eq!(queue.attach(), Ok(2));
    let mut taken = Taken::new(&queue, 2);
    assert_eq!(next(&queue, &mut taken), Got::Message(17));
    // It handles none of them, and does not disturb the accounts of the next.
    assert_eq!((stuck.next(), next(&queue, &mut stuck)), (None, Got::Detached));
    drop(stuck);
    handle_up_to(&queue, &mut taken, 20);
    assert_eq!(accounts(&queue), [20, 11, 8, 0, 1]);
}

#[test]
fn close_for_a_normal_reason_does_not_count_what_was_taken_as_handled() {
    let queue = unbounded(20);
    let stuck = busy(&queue);
    let effects = queue.close(&ExitReason::Normal).expect("it was open");
    assert_eq!((effects.lost_in_flight, effects.dead), (7, (17..=20).collect()));
    assert_eq!(accounts(&queue), [20, 9, 7, 4, 0]);
    drop(stuck);
}

#[test]
fn messages_that_were_taken_take_room_until_they_are_in_flight() {
    let queue = Checked::with_messages(bounded(20), 1..=20);
    let mut taken = busy(&queue);
    (21..=29).for_each(|message| assert!(queue.push(message).is_ok()));
    assert!(queue.push(30).is_err());
    assert_eq!(taken.next(), Some(10));
    assert!(queue.push(30).is_ok() && queue.push(31).is_err());
}

#[test]
fn mailbox_that_evicts_the_oldest_message_gives_them_out_one_by_one() {
    let queue = Checked::with_messages(bounded(20).overflow(OverflowPolicy::DropOldest), 1..=20);
    let mut taken = Taken::new(&queue, 1);
    for message in 1..=20 {
        assert_eq!((next(&queue, &mut taken), taken.len()), (Got::Message(message), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_senders_are_admitted_together_while_no_handler_awaits() {
    let queue = Checked::with_messages(bounded(100), 1..=100);
    let mut taken = busy(&queue);
    (101..=109).for_each(|message| assert!(queue.push(message).is_ok()));
    let senders: Vec<_> = (110..=113).map(|message| queue.wait_for_room(message)).collect();
    let admitted = || senders.iter().filter(|(_, wakes)| wakes.wake_count() > 0).count();
    let mut free = 0;
    while admitted() == 0 {
        free += 1;
        assert!(matches!(next(&queue, &mut taken), Got::Message(_)));
    }
    assert_eq!((admitted(), free), (4, 43), "half of the capacity is free, or will be in a moment");
    let sequences: Vec<_> = senders.iter().map(|(ticket, _)| queue.ticket_outcome(*ticket)).collect();
    assert_eq!(sequences, (110..=113).map(|sequence| Some(Ok(sequence))).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn waiting_senders_are_admitted_to_all_room_when_a_handler_awaits() {
    let queue = Checked::with_messages(bounded(100), 1..=100);
    let mut taken = busy(&queue);
    (101..=109).for_each(|message| assert!(queue.push(message).is_ok()));
    let senders: Vec<_> = (110..=113).map(|message| queue.wait_for_room(message)).collect();
    let admitted = || senders.iter().filter(|(_, wakes)| wakes.wake_count() > 0).count();
    (10..=12).for_each(|message| assert_eq!(next(&queue, &mut taken), Got::Message(message)));
    assert_eq!(admitted(), 0);
    taken.handler_awaits();
    assert_eq!((queue.inside(1, Interest::Exits), admitted()), (Got::Nothing, 3));
    assert_eq!(next(&queue, &mut taken), Got::Message(13));
    taken.handler_awaits();
    assert_eq!((queue.inside(1, Interest::Exits), admitted()), (Got::Nothing, 4));
}
