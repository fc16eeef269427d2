//! The parts that only compute.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::options::{Parsed, Sabotage, parse_from};
use super::accounts::unreached;
use super::config::LEASE;
use super::injector::PastFault;
use super::journal::{BootJournal, Entry, read};
use super::message::{Job, Stamp};
use super::plan::{Fault, FaultKind, plan};
use super::process::{Account, Sight};
use super::recovery::{Counts, recoveries};
use super::relay::Way;
use super::sabotage::Delivery;
use super::sender::Work;
use super::verify::{Evidence, checks, records};

const OVER: Duration = Duration::from_secs(12);

#[test]
fn the_same_seed_gives_the_same_faults() {
    for seed in 0..100 {
        assert_eq!(plan(seed, 12, OVER, 3), plan(seed, 12, OVER, 3));
        assert_ne!(plan(seed, 12, OVER, 3), plan(seed + 1, 12, OVER, 3));
    }
}

/// The list itself, so that a change of it is noticed: a seed is worth as much as its faults.
#[test]
fn the_faults_of_seed_7_are_these() {
    let faults: Vec<String> = plan(7, 6, OVER, 3).iter().map(Fault::to_string).collect();
    let expected: [&str; 6] = [
        "   1.398 s  freeze        1.334 s  node-1",
        "   1.986 s  kill          0.735 s  node-2",
        "   2.670 s  slow          1.143 s  node-1 and node-2 by 140ms",
        "   5.774 s  cut one way   2.299 s  node-2 to node-3",
        "   8.619 s  freeze        0.191 s  node-1",
        "   9.281 s  cut           1.719 s  node-1 and node-3",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn a_way_that_is_slow_loses_one_packet_of_a_hundred_and_keeps_the_order_of_the_others() {
    let way = Way::default();
    let (queue, mut late) = mpsc::channel(1_000);
    let mut pass = |packets: std::ops::Range<u8>| {
        packets.clone().for_each(|packet| way.pass(&[packet], &queue));
        let passed: Vec<u8> =
            packets.filter_map(|_| late.try_recv().ok()).map(|(_, packet)| packet[0]).collect();
        passed
    };
    assert_eq!(pass(0..200), (0..200).collect::<Vec<u8>>(), "it is not slow yet");
    way.set_delay(Duration::from_millis(10));
    assert_eq!(pass(0..200), (0..99).chain(100..199).collect::<Vec<u8>>());
    way.set_cut(true);
    assert_eq!(pass(0..200), [0; 0]);
}

/// Returns the nodes and links that a fault needs for itself.
fn targets(kind: FaultKind) -> (usize, usize) {
    match kind {
        FaultKind::Kill(node) | FaultKind::Freeze(node) => (node, node),
        FaultKind::Cut(a, b) | FaultKind::CutOneWay(a, b) | FaultKind::Slow(a, b, _) => (a.min(b), a.max(b)),
    }
}

#[test]
fn faults_of_one_node_or_link_do_not_overlap_and_each_kind_comes_in_turn() {
    for seed in 0..100 {
        for nodes in 2..6 {
            let faults = plan(seed, 18, OVER, nodes);
            assert!(faults.len() == 18 && faults.is_sorted_by_key(|fault| fault.at), "seed {seed}");
            for (index, fault) in faults.iter().enumerate() {
                let next = faults[index + 1..].iter().find(|next| targets(next.kind) == targets(fault.kind));
                assert!(next.is_none_or(|next| next.at >= fault.at + fault.lasts), "seed {seed}: {fault}");
            }
            let of = |name: &str| faults.iter().filter(|fault| fault.kind.name() == name).count();
            assert_eq!(["kill", "cut", "cut one way", "slow", "freeze"].map(of), [3, 3, 3, 3, 6]);
            let freezes = faults.iter().filter(|fault| matches!(fault.kind, FaultKind::Freeze(_)));
            assert_eq!(freezes.filter(|fault| fault.lasts > LEASE).count(), 3, "seed {seed}");
        }
    }
}

fn stamp(from: &str, number: u64) -> Stamp {
    Stamp { from: from.to_owned(), number }
}

/// Returns the numbers that the hasher gets when ten times so many messages of two boots come.
fn delivered(sabotage: Option<Sabotage>) -> Vec<u64> {
    let mut delivery = Delivery::new(sabotage);
    let mut numbers = Vec::new();
    for number in 1..=40 {
        let from = if number % 4 < 2 { "a" } else { "b" };
        for job in delivery.pass(Job::Announce(stamp(from, number), None)) {
            if let Job::Announce(stamp, _) = job {
                numbers.push(stamp.number);
            }
        }
    }
    numbers
}

#[test]
fn each_sabotage_breaks_one_promise_and_no_other() {
    let all: Vec<u64> = (1..=40).collect();
    assert_eq!(delivered(None), all);
    let doubled = delivered(Some(Sabotage::DoubleDeliver));
    assert_eq!((doubled.len(), doubled.is_sorted()), (42, true));
    let reordered = delivered(Some(Sabotage::Reorder));
    let late = reordered.iter().position(|number| *number == 20).expect("it is not lost");
    assert_eq!(reordered[late - 1], 21, "the next one of its sender is delivered first: {reordered:?}");
}

const A: &str = "node-1/1.a";
const B: &str = "node-2/2.b";
/// The boot of the second node before that.
const EARLIER: &str = "node-2/1.b";

fn to(node: usize) -> String {
    super::config::name(node)
}

fn journal(boot: &str, entries: Vec<Entry>) -> BootJournal {
    let first = Entry::Boot(boot.to_owned());
    let lines = [first].into_iter().chain(entries).enumerate();
    BootJournal { boot: boot.to_owned(), lines: lines.map(|(at, entry)| (at as u64, entry)).collect() }
}

fn account(of: &str, peer: &str, sent: u64, lost: u64, received: u64) -> Account {
    Account { of: of.to_owned(), peer: peer.to_owned(), sent, lost, received }
}

/// What two nodes leave behind: the first has sent a cast that was lost, a cast and a call that
/// were handled, and a call that was refused. It has monitored the other one.
fn evidence() -> Evidence {
    let sending = |number| Entry::Sending { to: to(1), number };
    let file = Some(0);
    let first = vec![
        Entry::Up(B.to_owned()),
        Entry::Monitoring { monitor: 1, of: B.to_owned() },
        sending(1),
        Entry::Down(B.to_owned()),
        Entry::Ended { monitor: 1, reason: "no connection".to_owned() },
        Entry::Up(B.to_owned()),
        Entry::Lost { to: B.to_owned(), packets: 1 },
        Entry::Monitoring { monitor: 2, of: B.to_owned() },
        sending(2),
        sending(3),
        Entry::Acknowledged { to: to(1), number: 3, file, hashed: Some(Ok(([7; 32], 5))) },
        sending(4),
        Entry::Refused { to: to(1), number: 4, reason: "busy".to_owned() },
    ];
    let second = vec![Entry::Handled(stamp(A, 2)), Entry::Handled(stamp(A, 3))];
    Evidence {
        journals: vec![journal(A, first), journal(B, second)],
        last: [A, B].map(str::to_owned).into(),
        accounts: vec![account(A, B, 10, 1, 6), account(B, A, 6, 0, 9)],
    }
}

fn violated(evidence: &Evidence) -> Vec<&'static str> {
    let checks = checks(evidence).into_iter();
    checks.filter(|check| !check.passed()).map(|check| check.invariant).collect()
}

const HANDLED: &str = "every acknowledged call is handled";
const TWICE: &str = "no message is handled twice";
const UNSENT: &str = "nothing is handled that was refused or not sent";
const ORDER: &str = "each stream is handled in order";
const ACCOUNTED: &str = "what was sent is received or reported as lost";
const MONITORS: &str = "each monitor ends once";
const TURNS: &str = "connections come and go in turn";

/// Removes the entries that are chosen.
fn remove(journal: &mut BootJournal, is_chosen: fn(&Entry) -> bool) {
    journal.lines.retain(|(_, entry)| !is_chosen(entry));
}

#[test]
fn each_violation_has_the_name_of_its_invariant() {
    type Change = fn(&mut Evidence);
    fn add(evidence: &mut Evidence, which: usize, entry: Entry) {
        evidence.journals[which].lines.push((0, entry));
    }
    let rows: [(&[&str], Change); 15] = [
        (&[], |_| {}),
        (&[HANDLED, ACCOUNTED], |all| remove(&mut all.journals[1], |entry| *entry == handled(3))),
        (&[TWICE], |all| add(all, 1, handled(3))),
        // By two boots of one node.
        (&[TWICE], |all| all.journals.push(journal(EARLIER, vec![handled(3)]))),
        (&[UNSENT], |all| add(all, 1, handled(4))),
        (&[UNSENT], |all| add(all, 1, handled(5))),
        (&[ORDER], |all| all.journals[1].lines.reverse()),
        (&[ACCOUNTED], |all| all.accounts[0].sent += 1),
        (&[ACCOUNTED], |all| drop(all.accounts.pop())),
        // It is lost, and was not reported.
        (&[ACCOUNTED], |all| remove(&mut all.journals[0], |entry| matches!(entry, Entry::Lost { .. }))),
        // Two are missing, and one was reported.
        (&[ACCOUNTED], |all| remove(&mut all.journals[1], |entry| *entry == handled(2))),
        (&[MONITORS], |all| add(all, 0, Entry::Ended { monitor: 1, reason: "again".to_owned() })),
        (&[MONITORS], |all| add(all, 0, Entry::Monitoring { monitor: 3, of: EARLIER.to_owned() })),
        (&[TURNS], |all| add(all, 0, Entry::Up(B.to_owned()))),
        (&[TURNS], |all| add(all, 1, Entry::Down(A.to_owned()))),
    ];
    for (number, (expected, change)) in rows.into_iter().enumerate() {
        let mut evidence = evidence();
        change(&mut evidence);
        assert_eq!(violated(&evidence), expected, "row {number}");
    }
}

fn handled(number: u64) -> Entry {
    Entry::Handled(stamp(A, number))
}

#[test]
fn what_another_boot_may_have_received_is_not_counted_as_missing() {
    let mut evidence = evidence();
    let sent = Entry::Sending { to: to(1), number: 9 };
    evidence.journals[0].lines.insert(1, (0, Entry::Up(EARLIER.to_owned())));
    evidence.journals[0].lines.insert(2, (0, sent));
    assert_eq!(violated(&evidence), [""; 0]);
}

#[test]
fn a_message_that_did_not_reach_its_hasher_is_not_missing() {
    let mut evidence = evidence();
    remove(&mut evidence.journals[1], |entry| *entry == handled(2));
    let refused = Entry::NotDelivered { from: to(0), reason: "busy".to_owned() };
    evidence.journals[1].lines.push((0, refused));
    assert_eq!(violated(&evidence), [""; 0]);
}

#[test]
fn records_and_counts_are_those_of_the_journals() {
    let evidence = evidence();
    let records = records(&evidence.journals, &["file".into()]);
    assert_eq!((records.len(), records[0].path.to_str()), (1, Some("file")));
    let counts = Counts::of(&evidence.journals);
    assert_eq!((counts.boots, counts.sent, counts.acknowledged, counts.refused), (2, 4, 1, 1));
    assert_eq!((counts.handled, counts.monitors, counts.disconnected, counts.lost), (2, 1, 1, 1));
}

#[test]
fn a_fault_is_over_when_calls_are_answered_in_both_directions() {
    let acknowledged = |to: String| Entry::Acknowledged { to, number: 2, file: None, hashed: None };
    let mut journals = vec![journal(A, vec![acknowledged(to(1))]), journal(B, vec![acknowledged(to(0))])];
    journals[0].lines.push((150, acknowledged(to(1))));
    journals[1].lines.push((220, acknowledged(to(0))));
    let fault = Fault { at: OVER, lasts: LEASE, kind: FaultKind::Cut(0, 1) };
    let past = [PastFault { fault, ended: 100 }, PastFault { fault, ended: 300 }];
    assert_eq!(recoveries(&past, &journals, 2), [Duration::from_micros(120)]);
}

#[test]
fn a_journal_that_was_cut_off_has_its_whole_lines() {
    let whole = evidence().journals.remove(0);
    let lines = whole.lines.iter().map(|line| serde_json::to_string(line).expect("JSON"));
    let text: String = lines.map(|line| line + "\n").collect();
    let mut broken = Vec::new();
    let found = read(&(text.clone() + "[12,{\"Up"), &mut broken).expect("it has a boot");
    assert_eq!((found.lines, broken.len()), (whole.lines, 0));
    assert!(read("", &mut broken).is_none() && broken.is_empty());
    assert!(read("[1,{\"Up\":\"x\"}]\n", &mut broken).is_none() && broken.len() == 1);
    assert!(read(&(text + "nothing\n"), &mut broken).is_some() && broken.len() == 2, "{broken:?}");
}

#[test]
fn nodes_are_whole_when_each_reaches_each_other_one() {
    let sight = |boot: &str, other: &str| Sight {
        boot: boot.to_owned(),
        peers: BTreeSet::from([other.to_owned()]),
        names: BTreeSet::from([other.to_owned()]),
        members: BTreeSet::from([boot.to_owned(), other.to_owned()]),
    };
    let sights = [sight(A, B), sight(B, A)];
    assert_eq!(unreached(&sights), [""; 0]);
    let mut cut = sights.clone();
    cut[1].peers.clear();
    cut[1].members.remove(A);
    assert_eq!(unreached(&cut).len(), 2);
    // It still sees the boot before.
    assert_eq!(unreached(&[sight(A, EARLIER), sight(B, A)]).len(), 3);
}

#[test]
fn files_are_spread_over_the_time_and_one_that_comes_back_is_the_next() {
    let now = Instant::now();
    let work = Work::new(VecDeque::from([1, 2, 3, 4]), Duration::from_secs(4), now);
    assert_eq!((work.next(now), work.next(now)), (Some(1), None));
    work.put_back(Some(1));
    assert_eq!((work.next(now), work.next(now), work.open()), (Some(1), None, 4));
    work.finish(Some(1));
    let later = now + Duration::from_secs(2);
    assert_eq!([work.next(later), work.next(later), work.next(later)], [Some(2), Some(3), None]);
    assert_eq!(work.open(), 3);
}

#[test]
fn a_run_with_nodes_has_fewer_faults_over_a_longer_time_unless_they_are_given() {
    let parsed = |arguments: &[&str]| match parse_from(arguments.iter().map(Into::into), false) {
        Ok(Parsed::Run(options)) => (options.nodes, options.faults, options.duration),
        other => panic!("{arguments:?}: {other:?}"),
    };
    assert_eq!(parsed(&["--nodes", "3"]), (Some(3), 12, OVER));
    let given = ["--faults", "2", "--nodes", "4", "--duration", "3"];
    assert_eq!(parsed(&given), (Some(4), 2, Duration::from_secs(3)));
}
