//! A pool without the types of its jobs.

use std::fmt::Debug;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use perennial_actors::host::{debug_text, dispose, dispose_each};
use perennial_supervision::pool::{
    DeadJob, JobId, JobStatus, PoolHandle, UnfinishedJob, WeakPoolHandle, Work,
};

use super::log::JobLog;
use crate::api::{JobDetail, JobRow, JobState};

/// The most unfinished jobs of which a list is made.
const LISTED: usize = 10_000;

/// The longest text of a job or an error, in characters.
const TEXT: usize = 4096;

/// The future of a change of a pool.
pub(crate) type Change = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A pool that was given to a console.
pub(crate) struct KnownPool {
    pool: Box<dyn AnyPool>,
    log: JobLog,
}

/// The jobs that a client asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobsFilter {
    pub(crate) state: Option<JobState>,
    /// A text in the job or its last error, in lower case.
    pub(crate) text: String,
}

impl JobsFilter {
    fn matches(&self, row: &JobRow) -> bool {
        let has_text = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.to_lowercase().contains(&self.text))
        };
        self.state.is_none_or(|state| state == row.state)
            && (self.text.is_empty() || has_text(&row.text) || has_text(&row.error))
    }
}

/// What a console asks of a pool, whichever the types of its jobs are. Texts are made of users'
/// values, under a guard and no lock.
pub(crate) trait AnyPool: Send + Sync {
    /// Returns the identity of its supervisor, or `None` if it is gone or has not started.
    fn identity(&self) -> Option<u64>;
    fn unfinished(&self) -> Vec<JobRow>;
    /// Returns the dead jobs, each with its failures.
    fn dead(&self) -> Vec<(JobRow, Vec<String>)>;
    fn count_dead(&self) -> usize;
    fn cancel(&self, job: u64) -> bool;
    /// Submits dead jobs again. Returns how many were accepted. The first that is refused is the
    /// last that is tried.
    fn retry(&self, jobs: &[u64]) -> usize;
    /// Removes dead jobs. Returns how many there were.
    fn discard(&self, jobs: &[u64]) -> usize;
    fn is_paused(&self) -> bool;
    /// Pauses or resumes the pool. Returns `false` if it is gone.
    fn set_paused(&self, paused: bool) -> bool;
    fn resize(&self, workers: usize) -> Option<Change>;
    fn rolling_restart(&self) -> Option<Change>;
    fn drain(&self) -> Option<Change>;
}

impl KnownPool {
    pub(crate) fn of<W>(pool: &PoolHandle<W>) -> Self
    where
        W: Work<Job: Debug, Error: Debug> + 'static,
    {
        Self { log: JobLog::new(pool.subscribe()), pool: Box::new(pool.downgrade()) }
    }

    pub(super) const fn log(&self) -> &JobLog {
        &self.log
    }

    /// Returns the jobs: those that are not done, the dead ones, and those that have ended as long
    /// as they are remembered, the newest first.
    pub(crate) fn jobs(&self, filter: &JobsFilter) -> Vec<JobRow> {
        let mut rows = self.unfinished();
        rows.extend(self.dead().into_iter().rev().map(|(row, _)| row));
        rows.extend(self.ended());
        rows.retain(|row| filter.matches(row));
        rows
    }

    /// Returns the jobs that are remembered to have ended and are not dead.
    fn ended(&self) -> impl Iterator<Item = JobRow> {
        let ended = self.log.ended().into_iter().filter(|(_, state, _)| *state != JobState::Dead);
        ended.map(|(id, state, attempt)| JobRow { id, state, text: None, attempt, error: None })
    }

    /// Returns a job with what happened to it, if anything is known of it.
    pub(crate) fn job(&self, id: u64) -> Option<JobDetail> {
        let timeline = self.log.steps(id);
        let dead = self.dead().into_iter().find(|(row, _)| row.id == id);
        if let Some((job, failures)) = dead {
            return Some(JobDetail { job, failures, timeline });
        }
        let unfinished = self.unfinished().into_iter().find(|row| row.id == id);
        let ended = || self.ended().find(|row| row.id == id);
        let job = unfinished.or_else(ended)?;
        Some(JobDetail { job, failures: Vec::new(), timeline })
    }

    /// Returns the dead jobs that [`jobs`](Self::jobs) lists for a text.
    pub(crate) fn dead_with(&self, text: &str) -> Vec<u64> {
        let filter = JobsFilter { state: None, text: text.to_lowercase() };
        let dead = self.dead().into_iter().map(|(row, _)| row);
        dead.filter(|row| filter.matches(row)).map(|row| row.id).collect()
    }
}

/// What is asked of the pool alone.
impl Deref for KnownPool {
    type Target = dyn AnyPool;

    fn deref(&self) -> &Self::Target {
        &*self.pool
    }
}

impl<W> AnyPool for WeakPoolHandle<W>
where
    W: Work<Job: Debug, Error: Debug> + 'static,
{
    fn identity(&self) -> Option<u64> {
        Some(self.upgrade()?.supervisor().handle().identity()).filter(|identity| *identity != 0)
    }

    fn unfinished(&self) -> Vec<JobRow> {
        let jobs = self.upgrade().map(|pool| pool.unfinished_jobs(LISTED)).unwrap_or_default();
        let row = |job: &UnfinishedJob<W>| {
            let state = match job.status {
                JobStatus::Delayed => JobState::Delayed,
                JobStatus::Running => JobState::Running,
                _ => JobState::Queued,
            };
            let (id, text) = (job.id.as_u64(), Some(text(&*job.job)));
            JobRow { id, state, text, attempt: job.attempt, error: None }
        };
        let rows = jobs.iter().map(row).collect();
        dispose_each(jobs);
        rows
    }

    fn dead(&self) -> Vec<(JobRow, Vec<String>)> {
        let jobs = self.upgrade().map(|pool| pool.dead_jobs()).unwrap_or_default();
        let row = |dead: &DeadJob<W>| {
            let failures: Vec<String> = dead.failures.iter().map(text).collect();
            let row = JobRow {
                id: dead.id.as_u64(),
                state: JobState::Dead,
                text: Some(text(&*dead.job)),
                attempt: u32::try_from(failures.len()).unwrap_or(u32::MAX),
                error: failures.last().cloned(),
            };
            (row, failures)
        };
        let rows = jobs.iter().map(row).collect();
        dispose_each(jobs);
        rows
    }

    fn count_dead(&self) -> usize {
        self.upgrade().map_or(0, |pool| pool.count_dead_jobs())
    }

    fn cancel(&self, job: u64) -> bool {
        self.upgrade().is_some_and(|pool| pool.cancel(JobId::from_u64(job)))
    }

    fn retry(&self, jobs: &[u64]) -> usize {
        let Some(pool) = self.upgrade() else { return 0 };
        // One at a time, so that a pool that refuses them keeps the others.
        let mut retried = 0;
        for id in jobs {
            for dead in pool.take_dead_jobs(&[JobId::from_u64(*id)]) {
                if let Err(refused) = pool.retry_dead_job(dead) {
                    dispose(refused.into_job());
                    return retried;
                }
                retried += 1;
            }
        }
        retried
    }

    fn discard(&self, jobs: &[u64]) -> usize {
        let Some(pool) = self.upgrade() else { return 0 };
        let ids: Vec<JobId> = jobs.iter().copied().map(JobId::from_u64).collect();
        let dead = pool.take_dead_jobs(&ids);
        let count = dead.len();
        dispose_each(dead);
        count
    }

    fn is_paused(&self) -> bool {
        self.upgrade().is_some_and(|pool| pool.is_paused())
    }

    fn set_paused(&self, paused: bool) -> bool {
        let Some(pool) = self.upgrade() else { return false };
        if paused {
            pool.pause()
        } else {
            pool.resume()
        }
        true
    }

    fn resize(&self, workers: usize) -> Option<Change> {
        let pool = self.upgrade()?;
        Some(Box::pin(async move { pool.resize(workers).await.map_err(|error| error.to_string()) }))
    }

    fn rolling_restart(&self) -> Option<Change> {
        let pool = self.upgrade()?;
        Some(Box::pin(async move { pool.rolling_restart().await.map_err(|error| error.to_string()) }))
    }

    fn drain(&self) -> Option<Change> {
        let pool = self.upgrade()?;
        Some(Box::pin(async move {
            pool.drain().await;
            Ok(())
        }))
    }
}

/// Returns the text of a user's value, or of the beginning of a long one.
fn text(value: &impl Debug) -> String {
    match debug_text(value, TEXT) {
        Ok((text, false)) => text,
        Ok((text, true)) => text + "…",
        Err(_) => "the value cannot be displayed: its code panics".to_owned(),
    }
}
