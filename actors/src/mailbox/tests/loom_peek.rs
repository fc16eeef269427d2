//! Peeking at a mailbox and taking from it later, under loom.

use std::future::poll_fn;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use crate::mailbox::{AnyMailbox, Event, Interest, Mailbox, MailboxConfig};

/// Explores a mailbox with incarnation 1 attached, while another thread runs `meanwhile`.
fn explore(meanwhile: fn(&Mailbox<u32>), model: fn(&Mailbox<u32>)) {
    loom::model(move || {
        let queue = Arc::new(Mailbox::new(MailboxConfig::default()));
        queue.open();
        assert_eq!(queue.attach(), Ok(1));
        let other = thread::spawn({
            let queue = queue.clone();
            move || meanwhile(&queue)
        });
        model(&queue);
        other.join().expect("the other is done");
        assert!(queue.counters().is_balanced());
    });
}

fn peek(queue: &Mailbox<u32>) -> Event<()> {
    block_on(poll_fn(|cx| queue.poll_peek(1, Interest::Messages, cx.waker())))
}

fn inside(queue: &Mailbox<u32>) -> Event<()> {
    block_on(poll_fn(|cx| queue.poll_inside(1, Interest::Signals, |_| true, cx.waker())))
}

#[test]
fn peek_is_woken_by_a_message_that_can_then_be_taken() {
    let send = |queue: &Mailbox<u32>| (1..=2).for_each(|message| assert!(queue.push(message).is_ok()));
    explore(send, |queue| {
        for message in 1..=2 {
            assert!(matches!(peek(queue), Event::Message(())));
            assert_eq!(queue.try_recv(1), Some(message));
        }
    });
}

#[test]
fn peek_during_a_message_in_flight_is_woken_by_a_kill_and_not_by_a_message() {
    let kill = |queue: &Mailbox<u32>| assert!(queue.push(2).is_ok() && queue.kill());
    explore(kill, |queue| {
        assert!(matches!(inside(queue), Event::Killed));
        assert_eq!((queue.try_recv(1), queue.counters().queued), (None, 1));
    });
}
