//! Reserved places and evictions under loom.

use std::task::Waker;

use loom::sync::Arc;
use loom::thread;

use super::loom_protocol::{attached, check, explore, next_message, poll_message, send};
use crate::mailbox::{AnyMailbox, Mailbox, MailboxConfig, MessageOutcome, OverflowPolicy};

#[test]
fn released_place_goes_to_the_first_waiter() {
    explore(|| {
        let queue = attached(1, []);
        assert!(queue.try_reserve().is_ok());
        let sender = thread::spawn({
            let queue = queue.clone();
            move || send(&queue, 1).expect("it is open")
        });
        queue.release_permit();
        assert_eq!(next_message(&queue, 1), 1);
        sender.join().expect("the sender was admitted");
        check(&queue);
    });
}

#[test]
fn evicted_message_is_never_handled_and_no_other_is_missing() {
    let settings = MailboxConfig::bounded(2).overflow(OverflowPolicy::DropOldest);
    explore(move || {
        let queue = Arc::new(Mailbox::new(settings));
        queue.open();
        assert_eq!(queue.attach(), Ok(1));
        (1..=2).for_each(|message| assert!(queue.push(message).is_ok()));
        let sender = thread::spawn({
            let queue = queue.clone();
            move || match queue.push(3) {
                Ok(_) => Vec::new(),
                Err(_) => queue.overflow(3).expect("it is open").messages,
            }
        });
        let mut handled = vec![next_message(&queue, 1)];
        let dropped = sender.join().expect("the sender was admitted");
        check(&queue);
        handled.extend(std::iter::from_fn(|| poll_message(&queue, 1)));
        let mut all: Vec<u32> = handled.iter().chain(&dropped).copied().collect();
        all.sort_unstable();
        assert_eq!((&*all, handled.is_sorted()), (&[1, 2, 3][..], true));
        let accounts = queue.counters();
        assert_eq!((accounts.handled, accounts.dead_lettered), (handled.len() as u64, dropped.len() as u64));
        for (message, was_dropped) in all.iter().map(|message| (message, dropped.contains(message))) {
            let outcome = queue.outcome(u64::from(*message), Waker::noop());
            assert!(matches!(
                (outcome, was_dropped),
                (MessageOutcome::Evicted, true) | (MessageOutcome::Handled, false)
            ));
        }
    });
}
