//! The parts that only compute.

use std::collections::BTreeMap;

use perennial::durable::RecordState;

use super::super::durable::drive::Client;
use super::super::durable::process::Line;
use super::account::{Account, Event, START, Sent, Transfer};
use super::client::{Answers, LedgerClient};
use super::protocol::{Answer, Request};
use super::verify::{Stored, checks};

const fn sent(from: u32, number: u64, sent: Sent) -> Answer {
    Answer::Sent { from, number, sent }
}

#[test]
fn every_line_reads_as_what_was_written() {
    let request = Request(Transfer { from: 1, number: 2, to: 3, amount: 4 });
    assert_eq!(Request::parse(&request.to_string()), Some(request));
    let sent = [Sent::Stored, Sent::Refused, Sent::Gap].map(|answer| sent(7, 8, answer));
    for answer in sent.into_iter().chain([Answer::Up, Answer::Killed, Answer::Abandoned, Answer::Fenced]) {
        assert_eq!(Answer::parse(&answer.to_string()), Some(answer));
    }
}

#[test]
fn what_is_no_line_is_ignored() {
    for line in ["", "up 1", "stored 1", "stored 1 x", "gap 1 2 3", "send 1 2 3", "send 1 2 3 4 5"] {
        assert_eq!((Answer::parse(line), Request::parse(line)), (None, None), "{line:?}");
    }
}

#[test]
fn the_same_seed_asks_for_the_same_transfers_and_for_all_of_them_in_the_end() {
    let first = |seed| LedgerClient::new(seed, 3).requests(3, 3);
    assert_eq!(first(7), first(7));
    assert_ne!(first(7), first(8));
    let mut client = LedgerClient::new(7, 3);
    let mut open = client.requests(3, 3);
    while let Some(Request(transfer)) = open.pop() {
        assert!(transfer.to != transfer.from && transfer.amount > 0, "{transfer:?}");
        assert!(client.asks_more());
        open.extend(client.note(sent(transfer.from, transfer.number, Sent::Stored)));
    }
    assert!(!client.asks_more());
    assert_eq!(client.answers.acknowledged.len(), 8 * 2 * 4);
}

#[test]
fn a_transfer_without_an_answer_is_asked_for_again_with_its_number() {
    let mut client = LedgerClient::new(7, 1);
    let request = client.requests(0, 1)[0];
    assert_eq!(client.requests(1, 1)[0], request);
    let next = client.note(sent(0, 1, Sent::Stored)).expect("another one");
    assert_eq!((next.0.from, next.0.number), (0, 2));
    assert_eq!(client.note(sent(0, 1, Sent::Stored)), None, "an answer to no request");
}

#[test]
fn a_refused_transfer_gives_its_number_to_the_next_one_and_a_gap_ends_the_transfers() {
    let mut client = LedgerClient::new(7, 1);
    let Request(refused) = client.requests(1, 1)[0];
    let next = client.note(sent(0, 1, Sent::Refused)).expect("another one");
    assert_eq!(next.0.number, 1);
    assert_ne!(next.0, refused);
    assert_eq!(client.answers.refused, [refused]);
    let before = client.expected();
    assert_eq!(client.note(sent(0, 1, Sent::Gap)), None);
    assert_eq!(client.answers.gaps, [next.0]);
    assert_eq!(client.expected(), before - 3);
}

/// A run with two transfers of account 0 to 1 and one back, and one that was refused.
fn run() -> (Answers, Stored) {
    let mut answers = Answers::default();
    for (from, number, to, amount) in [(0, 1, 1, 10), (0, 2, 1, 20), (1, 1, 0, 5)] {
        answers.acknowledged.insert((from, number), Transfer { from, number, to, amount });
    }
    answers.refused.push(Transfer { from: 0, number: 2, to: 1, amount: START });
    let opened = || Event::Opened { amount: START };
    let first = vec![opened(), Event::Received { from: 1, number: 1, amount: 5 }, send(1, 10), send(2, 20)];
    let back = Event::Sent { to: 0, number: 1, amount: 5 };
    let second = vec![opened(), receive(1, 10), back, receive(2, 20)];
    let jobs = vec![RecordState::Completed; 3];
    let snapshots = BTreeMap::from([(0, (3, Account::of_events(&first[..3])))]);
    (answers, Stored { journals: BTreeMap::from([(0, first), (1, second)]), snapshots, jobs })
}

/// An event of account 0.
const fn send(number: u64, amount: u32) -> Event {
    Event::Sent { to: 1, number, amount }
}

/// An event of account 1.
const fn receive(number: u64, amount: u32) -> Event {
    Event::Received { from: 0, number, amount }
}

const ACKNOWLEDGED: &str = "every acknowledged transfer is sent once, and no other";
const DELIVERED: &str = "every transfer that was sent is received once";
const REFUSED: &str = "no refused transfer is stored";
const SUM: &str = "the sum of all balances is constant";
const BALANCE: &str = "no balance was ever negative";
const ORDER: &str = "the transfers of each sender are in order";
const JOBS: &str = "every job has completed";

/// What goes wrong in a run: the journal of account 0, that of account 1, the jobs, the answers.
type Change = fn(&mut Vec<Event>, &mut Vec<Event>, &mut Vec<RecordState>, &mut Answers);

const ROWS: [(&[&str], Change); 15] = [
    (&[], |_, _, _, _| {}),
    // An acknowledged transfer is not there.
    (&[ACKNOWLEDGED, DELIVERED, SUM, JOBS], |first, _, _, _| first.truncate(3)),
    // It is there, with another amount.
    (&[ACKNOWLEDGED, DELIVERED, SUM], |first, _, _, _| first[3] = send(2, 21)),
    // It is there twice, by an earlier incarnation.
    (&[ACKNOWLEDGED, SUM, ORDER, JOBS], |first, _, _, _| first.push(send(2, 20))),
    // It was acknowledged, and the next one was not known.
    (&[ACKNOWLEDGED], |_, _, _, answers| {
        answers.gaps.push(Transfer { from: 0, number: 4, to: 1, amount: 1 });
    }),
    // One is there that was never acknowledged.
    (&[ACKNOWLEDGED], |_, _, _, answers| answers.acknowledged.retain(|key, _| *key != (0, 2))),
    // It was not received, or twice, or by another amount.
    (&[DELIVERED, SUM], |_, second, _, _| second.truncate(3)),
    (&[DELIVERED, SUM, ORDER], |_, second, _, _| second.push(receive(2, 20))),
    (&[DELIVERED, SUM], |_, second, _, _| second[3] = receive(2, 19)),
    // One was received that was not sent.
    (&[DELIVERED, SUM], |_, second, _, _| second.push(receive(3, 1))),
    // A refused one is there.
    (&[ACKNOWLEDGED, DELIVERED, REFUSED, SUM, BALANCE], |first, _, _, _| first[3] = send(2, START)),
    // The balance was negative for a while.
    (&[BALANCE], |first, _, _, _| first.rotate_left(1)),
    // The order of the sender, and of the receiver.
    (&[ORDER], |first, _, _, _| first.swap(2, 3)),
    (&[ORDER], |_, second, _, _| second.swap(1, 3)),
    // A job is not over.
    (&[JOBS], |_, _, jobs, _| jobs[0] = RecordState::Dead),
];

#[test]
fn each_violation_has_the_name_of_its_invariant() {
    for (number, (expected, change)) in ROWS.into_iter().enumerate() {
        let (mut answers, mut stored) = run();
        let [first, second] = stored.journals.values_mut().collect::<Vec<_>>().try_into().expect("two");
        change(first, second, &mut stored.jobs, &mut answers);
        // It is that of other events now.
        stored.snapshots.clear();
        let checks = checks(&answers, &stored).into_iter();
        let violated: Vec<_> = checks.filter(|check| !check.passed()).map(|check| check.invariant).collect();
        assert_eq!(violated, expected, "row {number}");
    }
}

#[test]
fn a_snapshot_that_is_not_the_state_of_its_events_is_a_violation() {
    let (answers, stored) = run();
    let violated = |stored: &Stored| -> Vec<_> {
        let checks = checks(&answers, stored).into_iter().filter(|check| !check.passed());
        checks.map(|check| check.invariant).collect()
    };
    assert_eq!(violated(&stored), Vec::<&str>::new());
    for included in [2, 4, 5] {
        let mut stored = stored.clone();
        stored.snapshots.get_mut(&0).expect("a snapshot").0 = included;
        assert_eq!(violated(&stored), ["every snapshot is the state of its events"]);
    }
}

#[test]
fn a_refused_transfer_may_be_asked_for_again_and_be_acknowledged_then() {
    let (mut answers, stored) = run();
    answers.refused.push(Transfer { from: 0, number: 2, to: 1, amount: 20 });
    assert!(checks(&answers, &stored).iter().all(super::super::check::Check::passed));
}
