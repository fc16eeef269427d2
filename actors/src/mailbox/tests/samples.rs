//! Which messages are timed.

use super::checked::{Checked, Got};
use crate::mailbox::observed::Stamp;
use crate::mailbox::{MailboxConfig, OverflowPolicy, Taken};

/// Returns the message whose time is known.
fn stamped(queue: &Checked) -> Option<u64> {
    let state = queue.state.lock();
    match state.observed().and_then(|observed| observed.stamp.as_ref()) {
        Some(Stamp::Accepted { sequence, .. }) => Some(*sequence),
        _ => None,
    }
}

/// Takes the next message as an actor does. Returns it, and whether it is timed.
///
/// A message whose time is known must be timed. Messages have their sequence numbers.
fn handle_next(queue: &Checked, taken: &mut Taken<'_, u32>) -> Option<(u32, bool)> {
    let next = taken.next();
    let is_polled = next.is_none();
    let message = match next.map_or_else(|| queue.poll_taken(taken), Got::Message) {
        Got::Message(message) => message,
        Got::Nothing => return None,
        other => panic!("{other:?}"),
    };
    let is_known = stamped(queue) == Some(message.into());
    let is_timed = is_polled && taken.sample(|| true).is_some();
    assert_eq!(is_timed, is_known, "message {message}");
    Some((message, is_timed))
}

#[test]
fn message_with_a_known_time_is_not_passed_over_while_the_queue_grows_and_shrinks() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 1..=1);
    let mut taken = Taken::new(&queue, 1);
    let (mut last, mut timed) = (1, Vec::new());
    while let Some((message, is_timed)) = handle_next(&queue, &mut taken) {
        timed.extend(is_timed.then_some(message));
        if message % 17 == 0 {
            taken.handler_awaits();
        }
        // It grows to a thousand messages, is worked off, and so on.
        let grows = last < 10_000 && message / 2_000 % 2 == 0;
        for _ in 0..if grows { 2 } else { u32::from(last < 10_000 && last == message) } {
            last += 1;
            assert!(queue.push(last).is_ok());
        }
    }
    assert_eq!(last, 10_000);
    assert!(timed.len() > 10, "{timed:?}");
    assert!(timed.iter().any(|message| message / 2_000 % 2 == 1), "also from a long queue: {timed:?}");
}

#[test]
fn one_of_64_messages_is_timed_while_the_queue_is_short() {
    let queue = Checked::attached(MailboxConfig::unbounded());
    let mut taken = Taken::new(&queue, 1);
    let mut timed = Vec::new();
    for message in 1..=200 {
        assert!(queue.push(message).is_ok());
        let (_, is_timed) = handle_next(&queue, &mut taken).expect("there is one");
        timed.extend(is_timed.then_some(message));
        assert_eq!(handle_next(&queue, &mut taken), None);
    }
    assert_eq!(timed, [2, 66, 130, 194]);
}

#[test]
fn evicted_message_is_not_timed_and_another_is() {
    let queue = Checked::attached(MailboxConfig::bounded(2).overflow(OverflowPolicy::DropOldest));
    let mut taken = Taken::new(&queue, 1);
    assert!(queue.cast(1).is_ok());
    assert_eq!(handle_next(&queue, &mut taken), Some((1, false)));
    // The second has a time, and is evicted by the fourth.
    (2..=4).for_each(|message| assert!(queue.cast(message).is_ok()));
    assert_eq!(stamped(&queue), Some(2));
    assert_eq!(handle_next(&queue, &mut taken), Some((3, false)));
    assert!(queue.cast(5).is_ok());
    assert_eq!(handle_next(&queue, &mut taken), Some((4, false)));
    assert_eq!(handle_next(&queue, &mut taken), Some((5, true)));
}

#[test]
fn message_of_a_sender_that_waited_for_room_is_timed_from_its_acceptance() {
    let queue = Checked::with_messages(MailboxConfig::bounded(1), 1..=1);
    let mut taken = Taken::new(&queue, 1);
    assert_eq!(queue.poll_taken(&mut taken), Got::Message(1));
    assert!(queue.push(2).is_ok());
    let (ticket, _) = queue.wait_for_room(3);
    assert!(taken.sample(|| true).is_none());
    assert_eq!(handle_next(&queue, &mut taken), Some((2, false)));
    assert_eq!((queue.ticket_outcome(ticket), stamped(&queue)), (Some(Ok(3)), Some(3)));
    assert_eq!(handle_next(&queue, &mut taken), Some((3, true)));
}

#[test]
fn nothing_is_asked_for_while_nothing_is_wanted() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 1..=1);
    let mut taken = Taken::new(&queue, 1);
    assert_eq!(queue.poll_taken(&mut taken), Got::Message(1));
    assert!(taken.sample(|| false).is_none());
    assert!(queue.push(2).is_ok());
    assert!(queue.state.lock().observed().is_none());
}
