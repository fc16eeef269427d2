//! What a group of batches needs from the database, as pure functions.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::batch::{AttemptEnd, Batch, Op};
use crate::payload::Payload;
use crate::record::{JobId, Timestamp};

/// Operations of a batch that follow each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Part<'a> {
    /// The place of the batch in its group.
    pub(super) batch: usize,
    pub(super) now: Timestamp,
    pub(super) ops: &'a [Op],
}

impl<'a> Part<'a> {
    /// Returns the queue, if this is a lease.
    fn leases_from(&self) -> Option<&'a str> {
        self.ops.first().and_then(leases_from)
    }
}

/// A part of a group that is loaded, applied and written at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unit<'a> {
    /// Leases, each from another queue, or operations of which none is a lease. So what is loaded
    /// for a lease is all that may be leased.
    Plain(Vec<Part<'a>>),
    /// One batch that does other things after a lease. Its operations are applied one by one: if a
    /// later one conflicts, the lease has been written.
    Stepwise(usize),
}

/// Divides a group into units, in order. A lease conflicts with nothing, so a batch that ends with
/// leases is divided before them.
pub(super) fn units<'a>(batches: &[&'a Batch]) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        let others = batch.ops.iter().take_while(|op| leases_from(op).is_none()).count();
        let (others, leases) = batch.ops.split_at(others);
        if leases.iter().any(|op| leases_from(op).is_none()) {
            units.push(Unit::Stepwise(index));
            continue;
        }
        for ops in iter::once(others).chain(leases.chunks(1)).filter(|ops| !ops.is_empty()) {
            add(&mut units, Part { batch: index, now: batch.now, ops });
        }
    }
    units
}

/// Adds a part to the last unit, or to a new one.
fn add<'a>(units: &mut Vec<Unit<'a>>, part: Part<'a>) {
    match units.last_mut() {
        Some(Unit::Plain(parts)) if can_join(parts, &part) => parts.push(part),
        _ => units.push(Unit::Plain(vec![part])),
    }
}

/// Returns `true` if a part can join others of a unit: a lease those from other queues, and what is
/// no lease others that are none.
fn can_join(parts: &[Part<'_>], part: &Part<'_>) -> bool {
    let is_of_leases = parts.first().is_some_and(|first| first.leases_from().is_some());
    match part.leases_from() {
        Some(queue) => is_of_leases && parts.iter().all(|other| other.leases_from() != Some(queue)),
        None => !is_of_leases,
    }
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
    /// Returns the needs of parts.
    pub(super) fn of(parts: &[Part<'a>]) -> Self {
        let mut needs = Self::default();
        for part in parts {
            part.ops.iter().for_each(|op| needs.add(part.now, op));
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
