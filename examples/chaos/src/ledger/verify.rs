//! The checks: what the journals of all accounts have, against what was answered.

use std::collections::{BTreeMap, BTreeSet};

use perennial::durable::RecordState;

use super::super::check::Check;
use super::account::{Account, Event, START, Transfer};
use super::client::Answers;

/// What the store has of a run.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The events of each account, in order.
    pub journals: BTreeMap<u32, Vec<Event>>,
    /// The snapshot of each account that has one, and how many events it includes.
    pub snapshots: BTreeMap<u32, (usize, Account)>,
    /// The state of each job.
    pub jobs: Vec<RecordState>,
}

impl Stored {
    fn all(&self) -> impl Iterator<Item = (u32, &Event)> {
        self.journals.iter().flat_map(|(account, events)| events.iter().map(|event| (*account, event)))
    }

    /// Returns how often each transfer was sent.
    fn sent(&self) -> BTreeMap<Transfer, u64> {
        counts(self.all().filter_map(|(from, event)| match *event {
            Event::Sent { to, number, amount } => Some(Transfer { from, number, to, amount }),
            Event::Opened { .. } | Event::Received { .. } => None,
        }))
    }

    /// Returns how often each transfer was received.
    fn received(&self) -> BTreeMap<Transfer, u64> {
        counts(self.all().filter_map(|(to, event)| match *event {
            Event::Received { from, number, amount } => Some(Transfer { from, number, to, amount }),
            Event::Opened { .. } | Event::Sent { .. } => None,
        }))
    }
}

fn counts(transfers: impl Iterator<Item = Transfer>) -> BTreeMap<Transfer, u64> {
    let mut counts = BTreeMap::new();
    transfers.for_each(|transfer| *counts.entry(transfer).or_default() += 1);
    counts
}

/// Returns the checks of the journals.
pub fn checks(answers: &Answers, stored: &Stored) -> Vec<Check> {
    let (sent, received) = (stored.sent(), stored.received());
    vec![
        Check::new("every acknowledged transfer is sent once, and no other", unlike(answers, &sent)),
        Check::new("every transfer that was sent is received once", undelivered(&sent, &received)),
        Check::new("no refused transfer is stored", refused(answers, &sent)),
        Check::new("the sum of all balances is constant", wrong_sum(stored)),
        Check::new("no balance was ever negative", overdrawn(stored)),
        Check::new("the transfers of each sender are in order", disordered(stored)),
        Check::new("every snapshot is the state of its events", wrong_snapshots(stored)),
        Check::new("every job has completed", open_jobs(stored, &sent)),
    ]
}

fn shown(transfer: &Transfer) -> String {
    let Transfer { from, number, to, amount } = transfer;
    format!("transfer {number} of account {from}, {amount} to account {to}")
}

/// The transfers of either map that are not in both once.
fn unequal<'a>(
    first: &'a BTreeMap<Transfer, u64>,
    second: &'a BTreeMap<Transfer, u64>,
) -> impl Iterator<Item = (&'a Transfer, u64, u64)> {
    let all: BTreeSet<&Transfer> = first.keys().chain(second.keys()).collect();
    let count = |map: &BTreeMap<Transfer, u64>, transfer| map.get(transfer).copied().unwrap_or_default();
    let counted = all.into_iter().map(move |key| (key, count(first, key), count(second, key)));
    counted.filter(|(_, first, second)| (*first, *second) != (1, 1))
}

fn unlike(answers: &Answers, sent: &BTreeMap<Transfer, u64>) -> Vec<String> {
    let acknowledged = counts(answers.acknowledged.values().copied());
    let unlike = unequal(&acknowledged, sent).map(|(transfer, acknowledged, sent)| {
        let answer = if acknowledged == 0 { "never acknowledged" } else { "acknowledged" };
        format!("{}: {answer}, and sent {sent} times", shown(transfer))
    });
    let gaps = answers.gaps.iter().map(|transfer| format!("{}: the one before is unknown", shown(transfer)));
    unlike.chain(gaps).collect()
}

fn undelivered(sent: &BTreeMap<Transfer, u64>, received: &BTreeMap<Transfer, u64>) -> Vec<String> {
    // What was sent twice is another violation.
    let undelivered = unequal(sent, received).filter(|(_, sent, received)| *sent == 0 || *received != 1);
    let shown = undelivered.map(|(transfer, sent, received)| {
        format!("{}: sent {sent} times, and received {received} times", shown(transfer))
    });
    shown.collect()
}

fn refused(answers: &Answers, sent: &BTreeMap<Transfer, u64>) -> Vec<String> {
    let is_acknowledged =
        |transfer: &Transfer| answers.acknowledged.get(&(transfer.from, transfer.number)) == Some(transfer);
    let stored = answers.refused.iter().filter(|refused| sent.contains_key(refused));
    stored.filter(|refused| !is_acknowledged(refused)).map(shown).collect()
}

/// Returns the change of a balance by an event.
fn change(event: &Event) -> i64 {
    match *event {
        Event::Opened { amount } | Event::Received { amount, .. } => i64::from(amount),
        Event::Sent { amount, .. } => -i64::from(amount),
    }
}

fn wrong_sum(stored: &Stored) -> Vec<String> {
    let expected = i64::from(START) * stored.journals.len() as i64;
    let found: i64 = stored.all().map(|(_, event)| change(event)).sum();
    if found == expected { Vec::new() } else { vec![format!("it is {found}, not {expected}")] }
}

fn overdrawn(stored: &Stored) -> Vec<String> {
    let lowest = stored.journals.iter().filter_map(|(account, events)| {
        let balances = events.iter().scan(0, |balance, event| {
            *balance += change(event);
            Some(*balance)
        });
        let lowest = balances.min().filter(|lowest| *lowest < 0)?;
        Some(format!("account {account} had {lowest}"))
    });
    lowest.collect()
}

fn disordered(stored: &Stored) -> Vec<String> {
    let mut violations = Vec::new();
    for (account, events) in &stored.journals {
        let mut sent = 0;
        let mut received: BTreeMap<u32, u64> = BTreeMap::new();
        for event in events {
            match *event {
                Event::Sent { number, .. } if number == sent + 1 => sent = number,
                Event::Sent { number, .. } => {
                    violations.push(format!("account {account} has sent transfer {number} after {sent}"));
                }
                Event::Received { from, number, .. } => {
                    let before = received.insert(from, number).unwrap_or_default();
                    if number <= before {
                        let text = format!("account {account} has {number} of {from} after {before}");
                        violations.push(text);
                    }
                }
                Event::Opened { .. } => {}
            }
        }
    }
    violations
}

fn wrong_snapshots(stored: &Stored) -> Vec<String> {
    let is_right = |account: &u32, (included, snapshot): &(usize, Account)| {
        let events = stored.journals.get(account).and_then(|events| events.get(..*included));
        events.is_some_and(|events| Account::of_events(events) == *snapshot)
    };
    let wrong = stored.snapshots.iter().filter(|(account, snapshot)| !is_right(account, snapshot));
    wrong.map(|(account, (included, _))| format!("that of account {account}, of {included} events")).collect()
}

fn open_jobs(stored: &Stored, sent: &BTreeMap<Transfer, u64>) -> Vec<String> {
    let (jobs, sent) = (stored.jobs.len() as u64, sent.values().sum::<u64>());
    let open = stored.jobs.iter().filter(|state| **state != RecordState::Completed);
    let open = open.map(|state| format!("a job is {state}"));
    let unlike = (jobs != sent).then(|| format!("{jobs} jobs for {sent} transfers"));
    open.chain(unlike).collect()
}
