//! The dead jobs of a pool, and their retry.

use std::collections::BTreeSet;

use super::handle::PoolHandle;
use super::job::{DeadJob, JobHandle, JobId};
use super::submit_error::SubmitError;
use super::worker::Work;

impl<W: Work + 'static> PoolHandle<W> {
    /// Returns and removes the dead jobs, oldest first. The pool keeps the last 1,000, unless [set
    /// otherwise](super::Pool::max_dead_jobs).
    ///
    #[doc = pool_example!("assert!(squares.drain_dead_jobs().is_empty());")]
    #[must_use]
    pub fn drain_dead_jobs(&self) -> Vec<DeadJob<W>> {
        self.shared.lock_state().dead.drain(..).collect()
    }

    /// Returns the dead jobs, oldest first. They stay in the pool.
    ///
    #[doc = pool_example!("assert!(squares.dead_jobs().is_empty());")]
    #[must_use]
    pub fn dead_jobs(&self) -> Vec<DeadJob<W>> {
        self.shared.lock_state().dead.iter().cloned().collect()
    }

    /// Returns the number of dead jobs.
    ///
    #[doc = pool_example!("assert_eq!(squares.count_dead_jobs(), 0);")]
    #[must_use]
    pub fn count_dead_jobs(&self) -> usize {
        self.shared.lock_state().dead.len()
    }

    /// Returns and removes the dead jobs with these ids, oldest first. Ids of no dead job are
    /// ignored.
    ///
    #[doc = pool_example!(
        r"let ids: Vec<JobId> = squares.dead_jobs().iter().map(|dead| dead.id).collect();
for dead in squares.take_dead_jobs(&ids) {
    squares.retry_dead_job(dead)?.await?;
}"
    )]
    #[must_use]
    pub fn take_dead_jobs(&self, ids: &[JobId]) -> Vec<DeadJob<W>> {
        let ids: BTreeSet<JobId> = ids.iter().copied().collect();
        let mut state = self.shared.lock_state();
        let (taken, kept): (Vec<_>, Vec<_>) = state.dead.drain(..).partition(|dead| ids.contains(&dead.id));
        state.dead.extend(kept);
        taken
    }

    /// Submits a dead job again, as a new job: with a new number, all its attempts, and the options
    /// of its submission. It starts without their delay, and expires after the same time from now
    /// on. The dead job may be of another pool of the same type.
    ///
    /// A full queue does not refuse it, as it does not refuse the retry of an attempt: the pool had
    /// accepted the job, and keeps a limited number of dead ones. Until the queue is below its
    /// capacity again, new submissions wait. The value of the job is shared with the dead job, and
    /// not cloned. Sidekiq and Oban retry dead jobs in the same way, singly or all, and no limit of
    /// a queue refuses them.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`] with the dead job if the pool accepts no more jobs.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicBool, Ordering};
    /// # use std::sync::Arc;
    /// # use perennial_actors::System;
    /// # use perennial_supervision::pool::Pool;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let is_online = Arc::new(AtomicBool::new(false));
    /// let server = is_online.clone();
    /// let pool = Pool::from_fn("mails", 2, move |mail: &String| {
    ///     let sent = if server.load(Ordering::Relaxed) { Ok(mail.len()) } else { Err("offline") };
    ///     std::future::ready(sent)
    /// });
    /// let mails = pool.handle();
    /// let app = pool.start(&System::new()).await?;
    /// assert!(mails.submit("hello".to_owned()).await?.await.is_err());
    ///
    /// is_online.store(true, Ordering::Relaxed);
    /// for dead in mails.drain_dead_jobs() {
    ///     assert_eq!(mails.retry_dead_job(dead)?.await?, 5);
    /// }
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_dead_job(&self, dead: DeadJob<W>) -> Result<JobHandle<W>, SubmitError<DeadJob<W>>> {
        self.shared.admit_again(dead).map(|job| JobHandle::new(job, &self.shared))
    }
}
