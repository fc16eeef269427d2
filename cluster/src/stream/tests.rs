//! Two ends of a stream, over a network that loses packets and connections.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{Arrival, Incoming, Outgoing};

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    /// The oldest packet arrives.
    Deliver,
    /// The oldest packet is lost.
    Lose,
    /// The receiver returns credit.
    Credit,
    /// The connection is lost with all that is on the way. Another one begins, as after a gap.
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1usize..60).prop_map(Step::Send),
        5 => Just(Step::Deliver),
        1 => Just(Step::Lose),
        2 => Just(Step::Credit),
        1 => Just(Step::Reconnect),
    ];
    prop::collection::vec(step, 0..200)
}

const WINDOW: usize = 100;

proptest! {
    #[test]
    fn sent_is_received_plus_lost_and_the_window_holds(steps in steps()) {
        let (mut out, mut incoming) = (Outgoing::new(WINDOW), Incoming::default());
        let mut network = VecDeque::new();
        let mut unprocessed: Vec<(u64, usize)> = Vec::new();
        for step in steps {
            let mut is_broken = matches!(step, Step::Reconnect);
            match step {
                Step::Send(bytes) => if out.push(bytes).is_ok() {
                    let sequence = out.latest();
                    network.push_back(sequence);
                    unprocessed.push((sequence, bytes));
                } else {
                    prop_assert!(out.bytes_on_the_way() + bytes > WINDOW);
                },
                Step::Deliver => if let Some(sequence) = network.pop_front() {
                    is_broken = incoming.receive(sequence, 1) == Arrival::Gap;
                    prop_assert_eq!(is_broken, incoming.is_behind(sequence));
                    let again = if is_broken { Arrival::Gap } else { Arrival::Late };
                    prop_assert_eq!(incoming.receive(sequence, 1), again);
                },
                Step::Lose => drop(network.pop_front()),
                Step::Credit => if let Some(through) = incoming.take_credit() {
                    out.credit(through);
                    unprocessed.retain(|(sequence, _)| *sequence > through);
                    prop_assert_eq!(incoming.take_credit(), None);
                },
                Step::Reconnect => {}
            }
            if is_broken {
                network.clear();
                unprocessed.clear();
                out.reset();
                incoming.reset();
                let lost = out.lost();
                prop_assert_eq!(out.settle_account(incoming.received_before()), out.lost() - lost);
                prop_assert_eq!(out.sent(), incoming.received() + out.lost());
            }
            let bytes: usize = unprocessed.iter().map(|(_, bytes)| bytes).sum();
            prop_assert_eq!(out.bytes_on_the_way(), bytes);
            prop_assert_eq!(out.packets_on_the_way(), unprocessed.len());
            prop_assert!(bytes <= WINDOW || unprocessed.len() == 1);
        }
    }
}

#[test]
fn gap_is_noticed_by_the_next_packet_and_by_the_number_of_the_latest() {
    let mut incoming = Incoming::default();
    assert_eq!(incoming.receive(1, 7), Arrival::Next);
    assert!(!incoming.is_behind(1) && incoming.is_behind(2));
    assert_eq!(incoming.receive(3, 7), Arrival::Gap);
    assert_eq!(incoming.receive(1, 7), Arrival::Late);
    assert_eq!(incoming.received(), 1);
}

#[test]
fn packet_larger_than_the_window_is_sent_alone() {
    let mut out = Outgoing::new(10);
    assert!(out.push(50).is_ok());
    assert!(out.push(1).is_err());
    out.credit(1);
    assert!(out.push(1).is_ok());
}

#[test]
fn credit_for_what_was_never_sent_changes_nothing_more() {
    let mut out = Outgoing::new(10);
    out.push(4).unwrap();
    out.credit(u64::MAX);
    out.credit(1);
    assert_eq!(out.bytes_on_the_way(), 0);
}

#[test]
fn loss_is_told_once() {
    let mut out = Outgoing::new(100);
    for _ in 0..5 {
        out.push(1).unwrap();
    }
    out.reset();
    assert_eq!(out.settle_account(3), 2);
    assert_eq!(out.settle_account(3), 0);
    assert_eq!((out.sent(), out.lost()), (5, 2));
}

#[test]
fn account_that_is_opened_again_does_not_count_what_the_earlier_one_sent() {
    let mut out = Outgoing::new(100);
    assert_eq!(out.settle_account(57), 0, "sent by an account that was dropped");
    for _ in 0..5 {
        out.push(1).unwrap();
    }
    out.reset();
    assert_eq!(out.settle_account(60), 2);
    assert_eq!((out.sent(), out.lost()), (5, 2));
}

#[test]
fn packet_that_does_not_fit_has_no_number() {
    let mut out = Outgoing::new(10);
    out.push(8).unwrap();
    assert!(out.push(8).is_err());
    assert_eq!((out.latest(), out.sent()), (1, 1));
}

#[test]
fn peer_that_has_dropped_its_record_does_not_make_what_it_received_lost() {
    let mut out = Outgoing::new(100);
    for received in [0, 5] {
        out.reset();
        out.settle_account(received);
        (0..5).for_each(|_| out.push(1).unwrap());
    }
    out.reset();
    assert_eq!(out.settle_account(0), 5, "what it received since its latest hello");
    out.push(1).unwrap();
    out.reset();
    assert_eq!(out.settle_account(1), 0);
    assert_eq!((out.sent(), out.lost()), (11, 5));
}
