//! The latest new jobs, so that a lease need not read them again.

use std::collections::VecDeque;

use crate::batch::{Applied, Batch, Op};
use crate::record::{JobId, NewJob, Timestamp};

/// The most jobs, and the longest payload of each.
const MAX_JOBS: usize = 1024;
const MAX_BYTES: usize = 1024;

struct RecentJob {
    id: JobId,
    submitted: Timestamp,
    /// `None` if it was leased.
    job: Option<Box<NewJob>>,
}

/// New jobs that were committed by this process. What was submitted never changes and its number is
/// never given again, except that a retry by hand takes away the time at which a job expires: such
/// jobs are not here.
#[derive(Default)]
pub(super) struct Recent {
    /// By number.
    jobs: VecDeque<RecentJob>,
    /// The new jobs of the transaction that wait: first numbers, and how many follow each other.
    waiting: Vec<(JobId, usize)>,
}

impl Recent {
    /// Begins a transaction.
    pub(super) fn begin(&mut self) {
        self.waiting.clear();
    }

    /// Notes that new jobs wait when the transaction ends: so many, from a number on.
    pub(super) fn will_wait(&mut self, first: JobId, count: usize) {
        self.waiting.push((first, count));
    }

    /// Keeps the job of a batch that has stored this job and nothing else, unless the transaction
    /// has leased it. Takes it from the batch.
    pub(super) fn keep(&mut self, batch: &mut Batch, applied: &[Applied]) {
        let ([Op::Enqueue(job)], [Applied::Enqueued(id)]) = (&batch.ops[..], applied) else { return };
        let waits = |(first, count): &(JobId, usize)| (first.0..first.0 + *count as u64).contains(&id.0);
        if !self.waiting.iter().any(waits) {
            return;
        }
        let is_later = self.jobs.back().is_none_or(|last| last.id < *id);
        if job.expires.is_some() || job.payload.bytes.len() > MAX_BYTES || !is_later {
            return;
        }
        if self.jobs.len() == MAX_JOBS {
            self.jobs.pop_front();
        }
        if let Some(Op::Enqueue(job)) = batch.ops.pop() {
            self.jobs.push_back(RecentJob { id: *id, submitted: batch.now, job: Some(job) });
        }
    }

    /// Returns a job with the time of its submission, and forgets it.
    pub(super) fn take(&mut self, id: JobId) -> Option<(NewJob, Timestamp)> {
        let index = self.jobs.binary_search_by_key(&id, |recent| recent.id).ok()?;
        let recent = self.jobs.get_mut(index)?;
        Some((*recent.job.take()?, recent.submitted))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::batch::{AttemptEnd, Leased};
    use crate::history::AttemptFailure;
    use crate::memory::MemoryStore;
    use crate::payload::Payload;
    use crate::record::{Epoch, JobRecord, Unique};
    use crate::run_options::RunOptions;
    use crate::sqlite::SqliteStore;
    use crate::store::Store;

    fn job(bytes: usize) -> NewJob {
        let bytes = vec![7; bytes];
        let payload = Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes };
        NewJob { retention: Duration::from_secs(60), ..NewJob::new("q", payload) }
    }

    /// Jobs of which some are kept, and some not.
    fn jobs() -> Vec<NewJob> {
        let unique = Some(Unique { key: "u".into(), over_counts: true, period: None });
        let options = RunOptions { rate_key: Some("r".into()), ..RunOptions::default() };
        vec![
            job(1),
            NewJob { priority: 3, key: Some("k".into()), attempts: 4, ..job(2) },
            NewJob { unique, at_most_once: true, retention: Duration::from_secs(9), ..job(3) },
            NewJob { expires: Some(Timestamp(50)), options, ..job(4) },
            NewJob { due: Timestamp(15), ..job(5) },
            job(MAX_BYTES + 1),
            job(6),
        ]
    }

    async fn commit(store: &impl Store, now: u64, ops: Vec<Op>) -> Vec<Applied> {
        store.commit(Batch { now: Timestamp(now), ops }).await.unwrap()
    }

    fn leased(applied: Vec<Applied>) -> Vec<JobRecord> {
        let Some(Applied::Leased(Leased { mut jobs, .. })) = applied.into_iter().next_back() else {
            panic!("no lease");
        };
        jobs.iter_mut().for_each(|record| record.epoch = None);
        jobs.iter_mut().flat_map(|record| &mut record.history).for_each(|attempt| attempt.epoch = Epoch(0));
        jobs
    }

    /// Returns the jobs of three leases.
    async fn run(store: impl Store) -> Vec<Vec<JobRecord>> {
        let enqueue = |job| Op::Enqueue(Box::new(job));
        let lease = |max| Op::Lease { queue: "q".to_owned(), max };
        // Those of the same transaction too.
        let waiting: Vec<_> = jobs().into_iter().map(|job| Batch::of(Timestamp(10), enqueue(job))).collect();
        let commits: Vec<_> = waiting.into_iter().map(|batch| store.commit(batch)).collect();
        let first = store.commit(Batch::of(Timestamp(11), lease(2)));
        for commit in commits {
            commit.await.unwrap();
        }
        let first = leased(first.await.unwrap());
        // One is tried again, and one is cancelled and retried by hand.
        let failure = AttemptFailure::Released;
        let end = AttemptEnd::Retry { failure, due: Timestamp(12) };
        let again = Op::Finish { job: first[0].id, attempt: 1, end };
        commit(&store, 12, vec![again, Op::Cancel(JobId(4)), Op::Cancel(JobId(7))]).await;
        commit(&store, 13, vec![Op::Retry(JobId(4)), Op::Retry(JobId(7))]).await;
        let second = leased(commit(&store, 14, vec![lease(3)]).await);
        vec![first, second, leased(commit(&store, 60, vec![lease(10)]).await)]
    }

    #[tokio::test]
    async fn a_job_is_leased_as_it_is_stored() {
        let folder = TempDir::new().unwrap();
        let found = run(SqliteStore::open(folder.path().join("jobs.db")).unwrap()).await;
        let expected = run(MemoryStore::new()).await;
        assert_eq!(found.iter().flatten().count(), 2 + 3 + 3);
        assert_eq!(found, expected);
    }

    fn batch(job: NewJob) -> Batch {
        Batch::of(Timestamp(1), Op::Enqueue(Box::new(job)))
    }

    #[test]
    fn so_many_jobs_are_kept_each_until_it_is_leased() {
        let mut recent = Recent::default();
        for number in 1..=MAX_JOBS as u64 + 1 {
            recent.will_wait(JobId(number), 1);
            recent.keep(&mut batch(job(1)), &[Applied::Enqueued(JobId(number))]);
        }
        assert_eq!(recent.take(JobId(1)), None, "the oldest");
        assert_eq!(recent.take(JobId(2)), Some((job(1), Timestamp(1))));
        assert_eq!(recent.take(JobId(2)), None, "it was leased");
    }

    #[test]
    fn a_job_that_was_stored_before_or_is_too_large_or_expires_or_runs_is_not_kept() {
        let mut recent = Recent::default();
        recent.will_wait(JobId(1), 3);
        let expires = NewJob { expires: Some(Timestamp(9)), ..job(1) };
        recent.keep(&mut batch(job(1)), &[Applied::Existing(JobId(1))]);
        recent.keep(&mut batch(job(MAX_BYTES + 1)), &[Applied::Enqueued(JobId(2))]);
        recent.keep(&mut batch(expires), &[Applied::Enqueued(JobId(3))]);
        recent.keep(&mut batch(job(1)), &[Applied::Enqueued(JobId(4))]);
        assert!(recent.jobs.is_empty());
    }
}
