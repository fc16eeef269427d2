//! Looking at a mailbox and taking from it later, under loom.

use std::future::poll_fn;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use crate::mailbox::{Interest, MailboxConfig, Peek};

/// A mailbox that is served by incarnation 1, with something going on meanwhile.
fn explore(meanwhile: fn(&MailboxConfig<u32>), model: fn(&MailboxConfig<u32>)) {
    loom::model(move || {
        let queue = Arc::new(MailboxConfig::new(MailboxConfig::default()));
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

fn sight(queue: &MailboxConfig<u32>, interest: Interest) -> Peek {
    block_on(poll_fn(|cx| queue.poll_peek(1, interest, cx.waker())))
}

#[test]
fn a_lookout_is_woken_by_a_message_and_whoever_it_calls_takes_it() {
    let send = |queue: &MailboxConfig<u32>| (1..=2).for_each(|message| assert!(queue.push(message).is_ok()));
    explore(send, |queue| {
        for message in 1..=2 {
            assert_eq!(sight(queue, Interest::Messages), Peek::Message);
            assert_eq!(queue.try_recv(1), Some(message));
        }
    });
}

#[test]
fn a_lookout_over_a_message_in_hand_is_woken_by_a_kill_and_not_by_a_message() {
    let kill = |queue: &MailboxConfig<u32>| assert!(queue.push(2).is_ok() && queue.kill());
    explore(kill, |queue| {
        assert_eq!(sight(queue, Interest::Signals), Peek::Urgent);
        assert_eq!((queue.try_recv(1), queue.counters().queued), (None, 1));
    });
}
