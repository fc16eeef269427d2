//! How long it took until calls were answered again, and how many messages there were.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::config::name;
use super::injector::PastFault;
use super::journal::{BootJournal, Entry};

/// Returns, for each fault, the time from its end until a call was answered in each direction that
/// it had disturbed.
pub fn recoveries(past: &[PastFault], journals: &[BootJournal], nodes: usize) -> Vec<Duration> {
    let mut answered: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    for journal in journals {
        for (at, entry) in &journal.lines {
            if let Entry::Acknowledged { to, .. } = entry {
                answered.entry((journal.node(), to)).or_default().push(*at);
            }
        }
    }
    answered.values_mut().for_each(|times| times.sort_unstable());
    let next = |from: usize, to: usize, after: u64| {
        let (from, to) = (name(from), name(to));
        let times = answered.get(&(from.as_str(), to.as_str()))?;
        times.get(times.partition_point(|at| *at < after)).map(|at| Duration::from_micros(at - after))
    };
    let recovery = |past: &PastFault| {
        let pairs = past.fault.kind.pairs(nodes);
        pairs.into_iter().filter_map(|(from, to)| next(from, to, past.ended)).max()
    };
    past.iter().filter_map(recovery).collect()
}

/// How many messages, monitors and connections there were.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    pub boots: u64,
    /// Casts and calls.
    pub sent: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub unknown: u64,
    pub handled: u64,
    /// Monitors that have ended.
    pub monitors: u64,
    /// Connections that were lost, on each side.
    pub disconnected: u64,
    /// Packets that were reported as lost.
    pub lost: u64,
}

impl Counts {
    pub fn of(journals: &[BootJournal]) -> Self {
        let mut counts = Self { boots: journals.len() as u64, ..Self::default() };
        for entry in journals.iter().flat_map(BootJournal::entries) {
            match entry {
                Entry::Sending { .. } => counts.sent += 1,
                Entry::Acknowledged { .. } => counts.acknowledged += 1,
                Entry::Refused { .. } => counts.refused += 1,
                Entry::Unknown { .. } => counts.unknown += 1,
                Entry::Handled(_) => counts.handled += 1,
                Entry::Ended { .. } => counts.monitors += 1,
                Entry::Down(_) => counts.disconnected += 1,
                Entry::Lost { packets, .. } => counts.lost += packets,
                Entry::Boot(_) | Entry::Monitoring { .. } | Entry::Up(_) | Entry::NotDelivered { .. } => {}
            }
        }
        counts
    }
}
