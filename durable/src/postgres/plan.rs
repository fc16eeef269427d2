//! What a group of batches needs from the database, as pure functions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::batch::{AttemptEnd, Batch, Op};
use crate::payload::Payload;
use crate::record::{JobId, Timestamp};

/// A part of a group that is loaded, applied and written at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    /// Batches that lease jobs, each from another queue, or batches of which none does. So what is
    /// loaded for a lease is all that may be leased.
    Plain(Range<usize>),
    /// One batch that leases jobs and does other things. Its operations are applied one by one.
    Stepwise(usize),
}

/// Divides a group into units, in order.
pub(super) fn units(batches: &[&Batch]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    // The queues that the last unit leases from.
    let mut leased: BTreeSet<&str> = BTreeSet::new();
    for (index, batch) in batches.iter().enumerate() {
        let lease = batch.ops.iter().find_map(leases_from);
        if lease.is_some() && batch.ops.len() > 1 {
            units.push(Unit::Stepwise(index));
            continue;
        }
        let joins = match lease {
            Some(queue) => !leased.is_empty() && !leased.contains(queue),
            None => leased.is_empty(),
        };
        match units.last_mut() {
            Some(Unit::Plain(range)) if joins => range.end = index + 1,
            _ => {
                units.push(Unit::Plain(index..index + 1));
                leased.clear();
            }
        }
        leased.extend(lease);
    }
    units
}

fn leases_from(op: &Op) -> Option<&str> {
    match op {
        Op::Lease { queue, .. } => Some(queue),
        _ => None,
    }
}

/// What operations need to be loaded.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Needs<'a> {
    /// The number of new jobs.
    pub(super) new_jobs: usize,
    /// Jobs that are unique by queue and key.
    pub(super) unique: BTreeSet<(&'a str, &'a str)>,
    /// Jobs by number, to be changed.
    pub(super) jobs: BTreeSet<JobId>,
    /// How many jobs of each queue are leased, and at which time.
    pub(super) leases: BTreeMap<&'a str, (Timestamp, usize)>,
    /// The jobs whose retention was over at a time, and at most so many.
    pub(super) purge: Option<(Timestamp, usize)>,
    /// Journals, to be changed.
    pub(super) journals: BTreeSet<&'a str>,
    /// Those of them that are made if they do not exist.
    pub(super) claimed: BTreeSet<&'a str>,
    /// Events are appended.
    pub(super) appends: bool,
}

impl<'a> Needs<'a> {
    /// Returns the needs of batches.
    pub(super) fn of(batches: impl IntoIterator<Item = &'a Batch>) -> Self {
        let mut needs = Self::default();
        for batch in batches {
            batch.ops.iter().for_each(|op| needs.add(batch.now, op));
        }
        needs
    }

    fn add(&mut self, now: Timestamp, op: &'a Op) {
        match op {
            Op::Enqueue(job) => {
                self.new_jobs += 1;
                self.unique.extend(job.unique.as_ref().map(|unique| (&*job.queue, &*unique.key)));
            }
            Op::Lease { queue, max } => {
                self.leases.insert(queue, (now, *max));
            }
            Op::Finish { job, .. }
            | Op::Progress { job, .. }
            | Op::Cancel(job)
            | Op::Retry(job)
            | Op::Remove(job)
            | Op::Resolve { job, .. } => {
                self.jobs.insert(*job);
            }
            Op::Pause { .. } => {}
            Op::Purge { max } => {
                let (before, most) = self.purge.unwrap_or_default();
                self.purge = Some((before.max(now), most.saturating_add(*max)));
            }
            Op::Claim { journal } => {
                self.claimed.insert(journal);
                self.journals.insert(journal);
            }
            Op::Append { journal, .. } => {
                self.appends = true;
                self.journals.insert(journal);
            }
            Op::Snapshot { journal, .. } | Op::Erase { journal } => {
                self.journals.insert(journal);
            }
        }
    }
}

/// Returns about how many bytes of a batch are sent.
pub(super) fn bytes(batch: &Batch) -> usize {
    let of = |payload: &Payload| payload.bytes.len();
    let sizes = batch.ops.iter().map(|op| match op {
        Op::Enqueue(job) => of(&job.payload),
        Op::Finish { end: AttemptEnd::Completed(output), .. } | Op::Resolve { output, .. } => {
            output.as_ref().map_or(0, of)
        }
        Op::Append { events, .. } => events.iter().map(of).sum(),
        Op::Snapshot { state, .. } => of(state),
        _ => 0,
    });
    sizes.sum()
}
