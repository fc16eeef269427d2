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

/// Pushes and takes the first 254 messages. The next asks for the time of the one after it.
fn take_the_skipped(queue: &Checked) -> Taken<'_, u32> {
    let mut taken = Taken::new(queue, 1);
    for message in 1..=254 {
        assert!(queue.push(message).is_ok());
        assert_eq!(handle_next(queue, &mut taken), Some((message, false)));
    }
    assert!(queue.state.lock().observed().is_none(), "nothing is allocated for them");
    taken
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
        // It grows to ten thousand messages, is worked off, and so on.
        let grows = last < 100_000 && message / 20_000 % 2 == 0;
        for _ in 0..if grows { 2 } else { u32::from(last < 100_000 && last == message) } {
            last += 1;
            assert!(queue.push(last).is_ok());
        }
    }
    assert_eq!(last, 100_000);
    assert!(timed.len() > 10, "{timed:?}");
    assert!(timed.iter().any(|message| message / 20_000 % 2 == 1), "also from a long queue: {timed:?}");
}

#[test]
fn one_of_256_messages_is_timed_while_the_queue_is_short() {
    let queue = Checked::attached(MailboxConfig::unbounded());
    let mut taken = Taken::new(&queue, 1);
    let mut timed = Vec::new();
    for message in 1..=1_000 {
        assert!(queue.push(message).is_ok());
        let (_, is_timed) = handle_next(&queue, &mut taken).expect("there is one");
        timed.extend(is_timed.then_some(message));
        assert_eq!(handle_next(&queue, &mut taken), None);
    }
    assert_eq!(timed, [256, 512, 768]);
}

#[test]
fn evicted_message_is_not_timed_and_another_is() {
    let queue = Checked::attached(MailboxConfig::bounded(2).overflow(OverflowPolicy::DropOldest));
    let mut taken = take_the_skipped(&queue);
    assert!(queue.cast(255).is_ok());
    assert_eq!(handle_next(&queue, &mut taken), Some((255, false)));
    // The next has a time, and is evicted by the third.
    (256..=258).for_each(|message| assert!(queue.cast(message).is_ok()));
    assert_eq!(stamped(&queue), Some(256));
    assert_eq!(handle_next(&queue, &mut taken), Some((257, false)));
    assert!(queue.cast(259).is_ok());
    assert_eq!(handle_next(&queue, &mut taken), Some((258, false)));
    assert_eq!(handle_next(&queue, &mut taken), Some((259, true)));
}

#[test]
fn message_of_a_sender_that_waited_for_room_is_timed_from_its_acceptance() {
    let queue = Checked::attached(MailboxConfig::bounded(1));
    let mut taken = take_the_skipped(&queue);
    assert!(queue.push(255).is_ok());
    assert_eq!(queue.poll_taken(&mut taken), Got::Message(255));
    assert!(queue.push(256).is_ok());
    let (ticket, _) = queue.wait_for_room(257);
    assert!(taken.sample(|| true).is_none());
    assert_eq!(handle_next(&queue, &mut taken), Some((256, false)));
    assert_eq!((queue.ticket_outcome(ticket), stamped(&queue)), (Some(Ok(257)), Some(257)));
    assert_eq!(handle_next(&queue, &mut taken), Some((257, true)));
}

#[test]
fn nothing_is_asked_for_while_nothing_is_wanted() {
    let queue = Checked::attached(MailboxConfig::unbounded());
    let mut taken = take_the_skipped(&queue);
    for message in 255..600 {
        assert!(queue.push(message).is_ok());
        assert_eq!(queue.poll_taken(&mut taken), Got::Message(message));
        assert!(taken.sample(|| false).is_none());
    }
    assert!(queue.state.lock().observed().is_none());
}
