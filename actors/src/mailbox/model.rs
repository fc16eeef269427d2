//! The lock protocol of the mailbox under loom: every interleaving of a few threads, up to a bound on preemptions.
//!
//! ```text
//! RUSTFLAGS="--cfg model" cargo test -p perennial-actors --release --lib mailbox::model
//! ```
//!
//! A wake-up that is lost shows as a deadlock, which loom reports.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Poll;

use loom::future::block_on;
use loom::thread;

use super::{Inside, Interest, Mailbox, Next, Outcome, Queue, Refused};
use crate::exit::ExitReason;
use crate::signal::Signal;

type Shared = Arc<Queue<u32>>;

/// Runs `scenario` in every interleaving with at most three preemptions.
fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(scenario);
}

/// An open mailbox, and its first incarnation.
fn served(mailbox: Mailbox) -> (Shared, u32) {
    let queue = Arc::new(Queue::new(mailbox));
    queue.open();
    let incarnation = queue.attach().expect("it is open");
    (queue, incarnation)
}

fn bounded(capacity: usize) -> Mailbox {
    Mailbox::bounded(NonZeroUsize::new(capacity).expect("not zero"))
}

fn next(queue: &Shared, incarnation: u32) -> Next<u32> {
    block_on(poll_fn(|cx| queue.poll_next(incarnation, cx)))
}

fn next_message(queue: &Shared, incarnation: u32) -> u32 {
    match next(queue, incarnation) {
        Next::Message(message) => message,
        other => panic!("a message was due, not {other:?}"),
    }
}

fn push_all(queue: &Shared, messages: std::ops::RangeInclusive<u32>) {
    for message in messages {
        queue.push(message).expect("it is open and has room");
    }
}

/// Sends as `Address::send` does: waits in line if there is no room.
fn send(queue: &Shared, message: u32) -> Result<u64, u32> {
    let (mut message, mut ticket) = (Some(message), None);
    block_on(poll_fn(|cx| {
        if let Some(ticket) = ticket {
            return match queue.collect(ticket, cx.waker()) {
                Some(Outcome::Accepted(sequence)) => Poll::Ready(Ok(sequence)),
                Some(Outcome::Refused(message)) => Poll::Ready(Err(message)),
                None => Poll::Pending,
            };
        }
        match queue.push_or_join(message.take().expect("sent once"), cx.waker()) {
            Ok(Ok(sequence)) => Poll::Ready(Ok(sequence)),
            Ok(Err(joined)) => {
                ticket = Some(joined);
                Poll::Pending
            }
            Err(message) => Poll::Ready(Err(message)),
        }
    }))
}

#[test]
fn a_message_wakes_a_consumer_that_goes_to_sleep() {
    explore(|| {
        let (queue, incarnation) = served(Mailbox::unbounded());
        let sender = thread::spawn({
            let queue = queue.clone();
            move || queue.push(1).expect("it is open")
        });
        assert_eq!(next_message(&queue, incarnation), 1);
        sender.join().expect("it ends well");
    });
}

#[test]
fn messages_of_each_sender_stay_in_order_and_none_is_lost_or_doubled() {
    explore(|| {
        let (queue, incarnation) = served(Mailbox::unbounded());
        let senders = [10, 20].map(|first| {
            let queue = queue.clone();
            thread::spawn(move || push_all(&queue, first..=first + 1))
        });
        let handled: Vec<u32> = (0..4).map(|_| next_message(&queue, incarnation)).collect();
        let of =
            |first: u32| handled.iter().copied().filter(move |n| n / 10 * 10 == first).collect::<Vec<_>>();
        assert_eq!((of(10), of(20)), (vec![10, 11], vec![20, 21]));
        for sender in senders {
            sender.join().expect("it ends well");
        }
    });
}

/// The deadlock that invariant 6 excludes: the consumer takes a message, which makes room, and then waits for the sender
/// before it ever asks again.
#[test]
fn a_sender_in_line_gets_in_by_the_message_that_makes_room() {
    explore(|| {
        let (queue, incarnation) = served(bounded(2));
        push_all(&queue, 1..=2);
        assert_eq!(next_message(&queue, incarnation), 1);
        queue.push(3).expect("there is room");
        let sender = thread::spawn({
            let queue = queue.clone();
            move || send(&queue, 4).expect("it is open")
        });
        assert_eq!(next_message(&queue, incarnation), 2);
        sender.join().expect("it got in");
        assert_eq!(next_message(&queue, incarnation), 3);
        assert_eq!(next_message(&queue, incarnation), 4);
        assert!(queue.counters().balanced());
    });
}

#[test]
fn a_bounded_mailbox_never_holds_more_than_its_capacity() {
    explore(|| {
        let (queue, incarnation) = served(bounded(1));
        let senders = [1, 2].map(|n| {
            let queue = queue.clone();
            thread::spawn(move || match queue.push(n) {
                Ok(_) => 1,
                Err(Refused::Full(_)) => 0,
                Err(Refused::Closed(_)) => panic!("it is open"),
            })
        });
        let first = next_message_if_any(&queue, incarnation);
        let accepted: u64 = senders.map(|sender| sender.join().expect("it ends well")).iter().sum();
        // The one in hand is not counted, the ones that wait are.
        assert!(queue.counters().queued <= 1 + u64::from(first), "{:?}", queue.counters());
        assert_eq!(queue.counters().accepted, accepted);
    });
}

fn next_message_if_any(queue: &Shared, incarnation: u32) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    queue.poll_next(incarnation, &mut cx).is_ready()
}

#[test]
fn a_mailbox_that_is_taken_away_gives_every_message_to_one_incarnation_only() {
    explore(|| {
        let (queue, stuck) = served(Mailbox::unbounded());
        push_all(&queue, 1..=3);
        let old = thread::spawn({
            let queue = queue.clone();
            move || {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                let mut handled = Vec::new();
                while let Poll::Ready(Next::Message(n)) = queue.poll_next(stuck, &mut cx) {
                    handled.push(n);
                }
                handled
            }
        });
        let leftover = queue.detach(stuck, &ExitReason::Killed);
        let fresh = queue.attach().expect("it is vacant");
        let left = queue.counters().queued;
        let mut handled: Vec<u32> = (0..left).map(|_| next_message(&queue, fresh)).collect();
        let mut before = old.join().expect("it ends well");
        before.append(&mut handled);
        assert_eq!(before, [1, 2, 3]);
        assert!(leftover.is_some() && queue.counters().balanced(), "{:?}", queue.counters());
    });
}

#[test]
fn a_signal_goes_ahead_of_messages_and_wakes_whoever_sleeps() {
    explore(|| {
        let (queue, incarnation) = served(Mailbox::unbounded());
        let sender = thread::spawn({
            let queue = queue.clone();
            move || {
                assert!(queue.signal(Signal::Exit(ExitReason::Normal)));
                queue.push(1).expect("it is open");
            }
        });
        assert!(matches!(next(&queue, incarnation), Next::Signal(Signal::Exit(_))));
        assert_eq!(next_message(&queue, incarnation), 1);
        sender.join().expect("it ends well");
    });
}

#[test]
fn a_kill_wakes_a_consumer_inside_its_handler() {
    explore(|| {
        let (queue, incarnation) = served(Mailbox::unbounded());
        let killer = thread::spawn({
            let queue = queue.clone();
            move || assert!(queue.kill())
        });
        block_on(poll_fn(|cx| {
            if queue.is_killed() {
                return Poll::Ready(());
            }
            match queue.sleep_inside(incarnation, Interest::Kill, cx.waker()) {
                Inside::Asleep => Poll::Pending,
                Inside::Over => Poll::Ready(()),
                Inside::Signalled => panic!("nobody signalled"),
            }
        }));
        killer.join().expect("it ends well");
    });
}

#[test]
fn whoever_waits_for_a_fate_hears_of_it() {
    explore(|| {
        let (queue, incarnation) = served(Mailbox::unbounded());
        let sequence = queue.push(1).expect("it is open");
        assert_eq!(next_message(&queue, incarnation), 1);
        let caller = thread::spawn({
            let queue = queue.clone();
            move || {
                block_on(poll_fn(|cx| match queue.fate(sequence, cx.waker()) {
                    super::Fate::Open => Poll::Pending,
                    super::Fate::Handled => panic!("its incarnation was killed"),
                    super::Fate::Lost(_) => Poll::Ready(()),
                }));
            }
        });
        let leftover = queue.detach(incarnation, &ExitReason::Killed).expect("it is attached");
        leftover.wakers.into_iter().for_each(std::task::Waker::wake);
        caller.join().expect("it hears");
    });
}
