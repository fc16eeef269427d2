//! A pool without the types of its jobs.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use perennial_actors::host::{debug_text, dispose};
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

/// What a console asks of a pool, whichever the types of its jobs are. Texts are made of users'
/// values, under a guard and no lock.
trait AnyPool: Send + Sync {
    fn identity(&self) -> Option<u64>;
    fn unfinished(&self) -> Vec<JobRow>;
    fn dead(&self) -> Vec<(JobRow, Vec<String>)>;
    fn count_dead(&self) -> usize;
    fn cancel(&self, job: u64) -> bool;
    fn retry(&self, jobs: &[u64]) -> usize;
    fn discard(&self, jobs: &[u64]) -> usize;
    fn is_paused(&self) -> bool;
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

    /// Returns the identity of its supervisor, or `None` if it is gone.
    pub(crate) fn identity(&self) -> Option<u64> {
        self.pool.identity().filter(|identity| *identity != 0)
    }

    pub(super) const fn log(&self) -> &JobLog {
        &self.log
    }

    /// Returns the jobs: those that are not done, the dead ones, and those that have ended as long
    /// as they are remembered, the newest first.
    pub(crate) fn jobs(&self, filter: &JobsFilter) -> Vec<JobRow> {
        let mut rows = self.pool.unfinished();
        rows.extend(self.pool.dead().into_iter().rev().map(|(row, _)| row));
        let ended = self.log.ended().into_iter().filter(|(_, state, _)| *state != JobState::Dead);
        rows.extend(ended.map(|(id, state, attempt)| JobRow { id, state, text: None, attempt, error: None }));
        let has_text = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.to_lowercase().contains(&filter.text))
        };
        rows.retain(|row| {
            filter.state.is_none_or(|state| state == row.state)
                && (filter.text.is_empty() || has_text(&row.text) || has_text(&row.error))
        });
        rows
    }

    /// Returns a job with what happened to it, if anything is known of it.
    pub(crate) fn job(&self, id: u64) -> Option<JobDetail> {
        let timeline = self.log.steps(id);
        let dead = self.pool.dead().into_iter().find(|(row, _)| row.id == id);
        if let Some((job, failures)) = dead {
            return Some(JobDetail { job, failures, timeline });
        }
        let job = self.jobs(&JobsFilter::default()).into_iter().find(|row| row.id == id)?;
        Some(JobDetail { job, failures: Vec::new(), timeline })
    }

    pub(crate) fn count_dead(&self) -> usize {
        self.pool.count_dead()
    }

    /// Returns the dead jobs with an error that contains a text.
    pub(crate) fn dead_with(&self, text: &str) -> Vec<u64> {
        let dead = self.pool.dead().into_iter();
        let is_meant = |failures: &[String]| failures.iter().any(|failure| failure.contains(text));
        dead.filter(|(_, failures)| is_meant(failures)).map(|(row, _)| row.id).collect()
    }

    pub(crate) fn cancel(&self, job: u64) -> bool {
        self.pool.cancel(job)
    }

    /// Submits dead jobs again. Returns how many there were.
    pub(crate) fn retry(&self, jobs: &[u64]) -> usize {
        self.pool.retry(jobs)
    }

    /// Removes dead jobs. Returns how many there were.
    pub(crate) fn discard(&self, jobs: &[u64]) -> usize {
        self.pool.discard(jobs)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pool.is_paused()
    }

    /// Pauses or resumes the pool. Returns `false` if it is gone.
    pub(crate) fn set_paused(&self, paused: bool) -> bool {
        self.pool.set_paused(paused)
    }

    pub(crate) fn resize(&self, workers: usize) -> Option<Change> {
        self.pool.resize(workers)
    }

    pub(crate) fn rolling_restart(&self) -> Option<Change> {
        self.pool.rolling_restart()
    }

    pub(crate) fn drain(&self) -> Option<Change> {
        self.pool.drain()
    }
}

impl<W> AnyPool for WeakPoolHandle<W>
where
    W: Work<Job: Debug, Error: Debug> + 'static,
{
    fn identity(&self) -> Option<u64> {
        Some(self.upgrade()?.supervisor().handle().identity())
    }

    fn unfinished(&self) -> Vec<JobRow> {
        let jobs = self.upgrade().map(|pool| pool.unfinished_jobs(LISTED)).unwrap_or_default();
        let row = |UnfinishedJob { id, job, status, attempt, .. }: UnfinishedJob<W>| {
            let state = match status {
                JobStatus::Delayed => JobState::Delayed,
                JobStatus::Running => JobState::Running,
                _ => JobState::Queued,
            };
            let text = text(&*job);
            dispose(job);
            JobRow { id: id.as_u64(), state, text: Some(text), attempt, error: None }
        };
        jobs.into_iter().map(row).collect()
    }

    fn dead(&self) -> Vec<(JobRow, Vec<String>)> {
        let jobs = self.upgrade().map(|pool| pool.dead_jobs()).unwrap_or_default();
        let row = |dead: DeadJob<W>| {
            let failures: Vec<String> = dead.failures.iter().map(text).collect();
            let row = JobRow {
                id: dead.id.as_u64(),
                state: JobState::Dead,
                text: Some(text(&*dead.job)),
                attempt: u32::try_from(failures.len()).unwrap_or(u32::MAX),
                error: failures.last().cloned(),
            };
            dispose(dead);
            (row, failures)
        };
        jobs.into_iter().map(row).collect()
    }

    fn count_dead(&self) -> usize {
        self.upgrade().map_or(0, |pool| pool.count_dead_jobs())
    }

    fn cancel(&self, job: u64) -> bool {
        self.upgrade().is_some_and(|pool| pool.cancel(JobId::from_u64(job)))
    }

    fn retry(&self, jobs: &[u64]) -> usize {
        let Some(pool) = self.upgrade() else { return 0 };
        let dead = pool.take_dead_jobs(&ids(jobs));
        let retried = dead.into_iter().map(|dead| match pool.retry_dead_job(dead) {
            Ok(job) => {
                drop(job);
                true
            }
            Err(refused) => {
                dispose(refused.into_job());
                false
            }
        });
        retried.filter(|retried| *retried).count()
    }

    fn discard(&self, jobs: &[u64]) -> usize {
        let Some(pool) = self.upgrade() else { return 0 };
        let dead = pool.take_dead_jobs(&ids(jobs));
        dead.into_iter().map(dispose).count()
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

fn ids(numbers: &[u64]) -> Vec<JobId> {
    numbers.iter().copied().map(JobId::from_u64).collect()
}

/// Returns the text of a user's value, or of the beginning of a long one.
fn text(value: &impl Debug) -> String {
    match debug_text(value, TEXT) {
        Ok((text, false)) => text,
        Ok((text, true)) => text + "…",
        Err(_) => "the value cannot be displayed: its code panics".to_owned(),
    }
}
