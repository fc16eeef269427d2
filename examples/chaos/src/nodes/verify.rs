//! The checks of what the nodes have written. What was sent may be missing only if that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::check::Check;
use super::super::journal::Record;
use super::accounts::unbalanced;
use super::journal::{BootJournal, Entry, node_of};
use super::message::{Stamp, outcome};
use super::process::Account;

/// What a run leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub journals: Vec<BootJournal>,
    /// The boots that were there at the end.
    pub last: BTreeSet<String>,
    /// The packets between them.
    pub accounts: Vec<Account>,
}

/// A message: its sender and number, and the node that it was sent to.
type Message<'a> = (&'a str, &'a str, u64);

/// Returns the checks of the messages, the monitors and the connections.
pub fn checks(evidence: &Evidence) -> Vec<Check> {
    let messages = Messages::of(&evidence.journals);
    let journals = &evidence.journals;
    vec![
        Check::new("every acknowledged call is handled", messages.unhandled()),
        Check::new("no message is handled twice", messages.doubled()),
        Check::new("nothing is handled that was refused or not sent", messages.unsent()),
        Check::new("each stream is handled in order", journals.iter().flat_map(disordered).collect()),
        Check::new("what was sent is received or reported as lost", evidence.unaccounted(&messages)),
        Check::new(
            "each monitor ends once",
            journals.iter().flat_map(|journal| evidence.wrong_monitors(journal)).collect(),
        ),
        Check::new("connections come and go in turn", journals.iter().flat_map(out_of_turn).collect()),
    ]
}

/// Returns the results of all files, for the comparison with the sequential pass.
pub fn records(journals: &[BootJournal], files: &[PathBuf]) -> Vec<Record> {
    let entries = journals.iter().flat_map(BootJournal::entries);
    let record = |entry: &Entry| {
        let Entry::Acknowledged { file: Some(file), hashed: Some(hashed), .. } = entry else { return None };
        let path: &Path = files.get(*file)?;
        Some(Record { path: path.to_owned(), outcome: outcome(hashed) })
    };
    entries.filter_map(record).collect()
}

/// What became of the messages.
#[derive(Default)]
struct Messages<'a> {
    sent: BTreeSet<Message<'a>>,
    acknowledged: Vec<Message<'a>>,
    refused: BTreeSet<Message<'a>>,
    /// By which boots.
    handled: BTreeMap<Message<'a>, Vec<&'a str>>,
}

impl<'a> Messages<'a> {
    fn of(journals: &'a [BootJournal]) -> Self {
        let mut messages = Self::default();
        for journal in journals {
            let boot = journal.boot.as_str();
            for entry in journal.entries() {
                match entry {
                    Entry::Sending { to, number } => drop(messages.sent.insert((boot, to, *number))),
                    Entry::Acknowledged { to, number, .. } => {
                        messages.acknowledged.push((boot, to, *number));
                    }
                    Entry::Refused { to, number, .. } => drop(messages.refused.insert((boot, to, *number))),
                    Entry::Handled(Stamp { from, number }) => {
                        messages.handled.entry((from, journal.node(), *number)).or_default().push(boot);
                    }
                    _ => {}
                }
            }
        }
        messages
    }

    fn unhandled(&self) -> Vec<String> {
        let unhandled = self.acknowledged.iter().filter(|message| !self.handled.contains_key(*message));
        unhandled.map(shown).collect()
    }

    fn doubled(&self) -> Vec<String> {
        let doubled = self.handled.iter().filter(|(_, by)| by.len() > 1);
        doubled.map(|(message, by)| format!("{} by {}", shown(message), by.join(" and "))).collect()
    }

    fn unsent(&self) -> Vec<String> {
        let is_sent =
            |message: &&Message<'_>| self.sent.contains(*message) && !self.refused.contains(*message);
        self.handled.keys().filter(|message| !is_sent(message)).map(shown).collect()
    }

    /// Returns how many messages from one boot to another are missing and were not refused.
    fn missing(&self, from: &str, to: &str) -> usize {
        let to = node_of(to);
        let stream = (from, to, 0)..=(from, to, u64::MAX);
        let is_missing =
            |message: &&Message<'_>| !self.refused.contains(*message) && !self.handled.contains_key(*message);
        self.sent.range(stream).filter(is_missing).count()
    }
}

fn shown((from, to, number): &Message<'_>) -> String {
    format!("message {number} of {from} to {to}")
}

/// Returns the messages that a boot has handled after later ones of the same stream.
fn disordered(journal: &BootJournal) -> Vec<String> {
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut disordered = Vec::new();
    for entry in journal.entries() {
        let Entry::Handled(Stamp { from, number }) = entry else { continue };
        let before = latest.entry(from).or_default();
        if number < before {
            disordered.push(format!("{number} after {before}, from {from} to {}", journal.boot));
        }
        *before = (*before).max(*number);
    }
    disordered
}

/// Returns the boots whose events do not begin with a connection, or do not alternate.
fn out_of_turn(journal: &BootJournal) -> Vec<String> {
    let mut up = BTreeSet::new();
    let is_wrong = |entry: &&Entry| match entry {
        Entry::Up(peer) => !up.insert(peer.clone()),
        Entry::Down(peer) => !up.remove(peer),
        _ => false,
    };
    journal.entries().filter(is_wrong).map(|entry| format!("{}: {entry:?}", journal.boot)).collect()
}

impl Evidence {
    /// Returns the monitors that have ended more than once, or not although what they watch is
    /// gone.
    fn wrong_monitors(&self, journal: &BootJournal) -> Vec<String> {
        let mut open: BTreeMap<u64, &str> = BTreeMap::new();
        let mut wrong = Vec::new();
        for entry in journal.entries() {
            match entry {
                Entry::Monitoring { monitor, of } => drop(open.insert(*monitor, of)),
                Entry::Ended { monitor, reason } if open.remove(monitor).is_none() => {
                    wrong.push(format!("monitor {monitor} of {} ends again: {reason}", journal.boot));
                }
                _ => {}
            }
        }
        let is_last = self.last.contains(&journal.boot);
        let left = open.into_iter().filter(|(_, of)| is_last && !self.last.contains(*of));
        wrong.extend(left.map(|(id, of)| format!("monitor {id} of {} goes on without {of}", journal.boot)));
        wrong
    }

    /// Returns what is missing between the last boots and is not reported.
    fn unaccounted(&self, messages: &Messages<'_>) -> Vec<String> {
        let mut unaccounted = unbalanced(&self.accounts, &self.last);
        for Account { of, peer, lost, .. } in &self.accounts {
            let Some(own) = self.journal(of) else { continue };
            let reported = own.entries().map(|entry| match entry {
                Entry::Lost { to, packets } if to == peer => *packets,
                _ => 0,
            });
            let reported: u64 = reported.sum();
            if reported != *lost {
                unaccounted.push(format!("{of} to {peer}: {lost} packets are lost, {reported} reported"));
            }
            let Some(other) = self.journal(peer) else { continue };
            let refused = other.entries().filter(|entry| is_refusal(entry, of)).count() as u64;
            let missing = messages.missing(of, peer) as u64;
            if knows_one_boot(own, peer) && missing > lost + refused {
                unaccounted.push(format!(
                    "{of} to {peer}: {missing} messages are missing, {lost} lost, {refused} refused"
                ));
            }
        }
        unaccounted
    }

    fn journal(&self, boot: &str) -> Option<&BootJournal> {
        self.journals.iter().find(|journal| journal.boot == boot)
    }
}

fn is_refusal(entry: &Entry, of: &str) -> bool {
    matches!(entry, Entry::NotDelivered { from, .. } if from == node_of(of))
}

/// Returns `true` if a boot has sent to no other boot of the node of `peer`.
fn knows_one_boot(journal: &BootJournal, peer: &str) -> bool {
    let is_other =
        |entry: &Entry| matches!(entry, Entry::Up(up) if up != peer && node_of(up) == node_of(peer));
    !journal.entries().any(is_other)
}
