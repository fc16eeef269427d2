//! Jobs whose attempt is over while the call of their blocking function still runs: it cannot be
//! dropped. Kubernetes calls a pod *terminating* that was told to end and still runs.
//!
//! The outcome of the attempt is decided at once, and a caller gets its result. What follows takes
//! place when the call has returned: until then the job counts as running, and is not queued again.
//! So no two calls of one job run at once.
//!
//! A call is known under the slot of its thread, because the next one begins there only after
//! `Shared::call_returned`.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;

use super::job_state::JobState;
use super::submit_buffer::Queued;
use crate::pool::job::JobId;
use crate::pool::stats::PoolStats;
use crate::pool::worker::Work;

/// The jobs of a pool whose attempt is over and whose call still runs.
pub(crate) struct Terminating<W: Work + 'static> {
    pub(super) jobs: BTreeMap<usize, TerminatingJob<W>>,
    /// The call that still runs, while the end of its attempt is decided.
    pub(super) deciding: Option<(usize, System)>,
}

/// One of them.
pub(super) struct TerminatingJob<W: Work + 'static> {
    pub(super) id: JobId,
    pub(super) system: System,
    /// `true` once a stop has reported it.
    pub(super) is_reported: bool,
    pub(super) next: AfterReturn<W>,
}

/// What follows when a call has returned.
pub(super) enum AfterReturn<W: Work + 'static> {
    /// The job is queued again, after a delay if there is one.
    Retry(Queued<W>, Option<Duration>),
    /// The job counts by its end.
    Count(JobEnd),
}

/// The end of a job that has no output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobEnd {
    Failed,
    Dropped,
}

impl JobEnd {
    pub(super) const fn count(self, stats: &mut PoolStats) {
        match self {
            Self::Failed => stats.failed += 1,
            Self::Dropped => stats.dropped += 1,
        }
    }
}

impl<W: Work + 'static> Terminating<W> {
    pub(crate) const fn new() -> Self {
        Self { jobs: BTreeMap::new(), deciding: None }
    }

    /// Returns the number of these jobs.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns `true` if the call of a job runs on the thread of this slot.
    pub(crate) fn has_call(&self, slot: usize) -> bool {
        self.jobs.contains_key(&slot)
    }

    /// Returns the jobs that are queued again when their calls have returned.
    pub(crate) fn retries(&self) -> impl Iterator<Item = &Arc<JobState<W>>> {
        self.jobs.values().filter_map(|job| match &job.next {
            AfterReturn::Retry(job, _) => Some(&job.item),
            AfterReturn::Count(_) => None,
        })
    }

    /// Counts those jobs that have ended by their ends.
    pub(crate) fn count_ended(&self, stats: &mut PoolStats) {
        for job in self.jobs.values() {
            if let AfterReturn::Count(end) = job.next {
                end.count(stats);
            }
        }
    }

    /// Makes all jobs end when their calls have returned. Returns those that were to be retried.
    pub(crate) fn take_retries(&mut self) -> Vec<Arc<JobState<W>>> {
        let mut retries = Vec::new();
        for job in self.jobs.values_mut() {
            match mem::replace(&mut job.next, AfterReturn::Count(JobEnd::Dropped)) {
                AfterReturn::Retry(retry, _) => retries.push(retry.item),
                next @ AfterReturn::Count(_) => job.next = next,
            }
        }
        retries
    }

    /// Returns the jobs that were not reported before, in the order of their ids.
    pub(super) fn report(&mut self) -> Option<(System, Vec<JobId>)> {
        let (mut system, mut jobs) = (None, Vec::new());
        for job in self.jobs.values_mut().filter(|job| !job.is_reported) {
            job.is_reported = true;
            system.get_or_insert_with(|| job.system.clone());
            jobs.push(job.id);
        }
        jobs.sort_unstable();
        Some((system?, jobs))
    }
}
