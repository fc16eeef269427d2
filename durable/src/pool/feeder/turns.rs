//! The turns of a feeder: what it does, what it waits for, and how it ends.

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::add_time;
use perennial_supervision::TaskContext;
use perennial_supervision::pool::{Retry, Work};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::batch::{Applied, AttemptEnd, Op};
use crate::error::{CommitErrorKind, StoreError};
use crate::history::AttemptFailure;
use crate::pool::in_flight::InFlight;
use crate::pool::shared::Shared;
use crate::record::{Epoch, JobRecord, RecordState, Timestamp};
use crate::store::JobFilter;
use crate::wire::Wire;

/// The most jobs that one read takes.
const PAGE: usize = 1_000;

/// The time between two removals of old jobs.
const PURGE_PERIOD: Duration = Duration::from_secs(60);

/// The most jobs that one removal takes, and the time until the next if there may be more.
const PURGE_PAGE: usize = 200;
const PURGE_PAUSE: Duration = Duration::from_millis(100);

/// The delay after the first failure of the store, and the longest.
const STORE_BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What one incarnation of the feeder knows.
pub(super) struct Feeder<'a, W: Work + 'static> {
    pub(super) shared: &'a Arc<Shared<W>>,
    pub(super) in_flight: &'a mut InFlight,
    pub(super) changes: watch::Receiver<u64>,
    pub(super) ended_epochs: watch::Receiver<u64>,
    /// There may be jobs that are due.
    pub(super) may_lease: bool,
    /// When the next delayed job is due.
    pub(super) next_due: Option<Timestamp>,
    /// Jobs of ended processes, or of a lease whose answer was lost, have not been looked for.
    pub(super) must_recover: bool,
    /// They have been looked for once. What this process runs without knowing has not started then.
    pub(super) has_recovered: bool,
    /// How often the store has failed in a row, and when it is asked again.
    pub(super) failures: u32,
    pub(super) retry_at: Option<Instant>,
    /// When jobs whose retention is over are removed next.
    pub(super) purge_at: Instant,
    /// When progress was stored last.
    pub(super) progress_stored: Option<Instant>,
}

/// Feeds the pool until it is stopped. Then it leases nothing more, and waits for what runs.
pub(in crate::pool) async fn feed<W>(shared: Arc<Shared<W>>, ctx: TaskContext) -> Result<(), ExitReason>
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    let mut stopped = pin!(ctx.stopped());
    // Held by the last incarnation until its future was dropped.
    let mut in_flight = shared.in_flight.lock().await;
    let mut feeder = Feeder {
        shared: &shared,
        in_flight: &mut in_flight,
        changes: shared.store.changes(),
        ended_epochs: shared.store.ended_epochs(),
        may_lease: true,
        next_due: None,
        must_recover: true,
        has_recovered: false,
        failures: 0,
        retry_at: None,
        purge_at: Instant::now(),
        progress_stored: None,
    };
    loop {
        feeder.step().await?;
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            () = feeder.wait() => {}
        }
    }
    feeder.finish().await
}

impl<W> Feeder<'_, W>
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    /// Does what can be done now. A failure of the store that passes is waited for.
    async fn step(&mut self) -> Result<(), ExitReason> {
        self.in_flight.collect();
        if self.retry_at.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        let stepped = self.try_step().await;
        self.after_step(stepped)
    }

    fn after_step(&mut self, stepped: Result<(), StoreError>) -> Result<(), ExitReason> {
        match stepped {
            Ok(()) => {
                self.failures = 0;
                self.retry_at = None;
                Ok(())
            }
            Err(error) if error.is_transient() => {
                self.failures = self.failures.saturating_add(1);
                let (first, longest) = STORE_BACKOFF;
                let doubled = first.saturating_mul(1 << self.failures.min(10).saturating_sub(1));
                self.retry_at = Instant::now().checked_add(doubled.min(longest));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn try_step(&mut self) -> Result<(), StoreError> {
        self.store_progress().await?;
        if self.must_recover {
            self.exchange(0).await?;
            self.recover().await?;
            self.must_recover = false;
            self.has_recovered = true;
            self.may_lease = true;
        }
        // The commit of what has ended leases too, if there is a change that was not waited for.
        if self.changes.has_changed().unwrap_or_default() {
            self.changes.mark_unchanged();
            self.may_lease = true;
        }
        let room = if self.may_lease { self.room() } else { 0 };
        self.exchange(room).await?;
        self.purge().await
    }

    /// Stores the progress that was reported.
    async fn store_progress(&mut self) -> Result<(), StoreError> {
        let due = self.shared.reports.take_due(&mut self.progress_stored);
        // One by one, because an attempt that has ended meanwhile is a conflict.
        let commits: Vec<_> = due.into_iter().map(|op| self.shared.commit(op)).collect();
        let mut failure = None;
        for commit in commits {
            match commit.await.map_err(|error| error.kind) {
                Ok(_) | Err(CommitErrorKind::Conflict { .. }) => {}
                // The next report is stored in its place.
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => {
                    failure = Some(or_broken(error));
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Ends the attempts that no process runs: those of ended processes, and those of this one that
    /// no feeder knows.
    async fn recover(&mut self) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let mut orphans = store.orphans(&self.shared.queue, PAGE).await?;
        while orphans.len() == PAGE {
            self.end_lost(orphans).await?;
            orphans = store.orphans(&self.shared.queue, PAGE).await?;
        }
        let queue = Some(self.shared.queue.to_string());
        let running = JobFilter { queue, state: Some(RecordState::Running), ..JobFilter::default() };
        // It is read while the last orphans are ended.
        let running = store.jobs(running);
        self.end_lost(orphans).await?;
        let mut running = running.await?;
        let epoch: Epoch = self.shared.store.epoch();
        running.retain(|record| record.epoch == Some(epoch) && !self.in_flight.held.contains(&record.id));
        self.end_lost(running).await
    }

    async fn end_lost(&self, lost: Vec<JobRecord>) -> Result<(), StoreError> {
        let commits: Vec<_> = lost
            .into_iter()
            .map(|record| {
                let end = self.shared.after_failure(&record, AttemptFailure::ProcessEnded, Retry::Never);
                let end = self.released(&record).unwrap_or(end);
                let (job, attempt) = (record.id, record.attempt);
                let op = Op::Finish { job, attempt, end: end.clone() };
                (job, attempt, end, self.shared.commit(op))
            })
            .collect();
        let mut failure = None;
        for (job, attempt, end, commit) in commits {
            match commit.await.map_err(|error| error.kind) {
                Ok(_) => {
                    self.shared.publish_end(job, attempt, &end);
                    self.shared.notify(job);
                }
                Err(CommitErrorKind::Conflict { .. }) => self.shared.notify(job),
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => {
                    failure = Some(or_broken(error));
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Returns the end of an attempt that was leased by an answer that was lost: it never started.
    fn released(&self, record: &JobRecord) -> Option<AttemptEnd> {
        let is_unstarted = self.has_recovered && record.epoch == Some(self.shared.store.epoch());
        let due = self.shared.now();
        is_unstarted.then_some(AttemptEnd::Retry { failure: AttemptFailure::Released, due })
    }

    /// Removes jobs whose retention is over.
    async fn purge(&mut self) -> Result<(), StoreError> {
        if self.purge_at > Instant::now() {
            return Ok(());
        }
        let purged = self.shared.commit(Op::Purge { max: PURGE_PAGE }).await;
        // There may be more. They are not in the way of other commits.
        let is_full = purged.is_ok_and(|applied| applied == [Applied::Purged(PURGE_PAGE)]);
        self.purge_at = add_time(Instant::now(), if is_full { PURGE_PAUSE } else { PURGE_PERIOD });
        Ok(())
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self) {
        let retry_at = self.retry_at;
        if retry_at.is_none() && (!self.in_flight.ended.is_empty() || self.may_lease && self.room() > 0) {
            return;
        }
        let due = self.next_due.filter(|_| retry_at.is_none());
        let due = due.and_then(|due| self.shared.clock.instant(due));
        let (changes, ended_epochs) = (&mut self.changes, &mut self.ended_epochs);
        tokio::select! {
            biased;
            () = self.in_flight.next_ended() => {}
            Ok(()) = changes.changed() => self.may_lease = true,
            Ok(()) = ended_epochs.changed() => self.must_recover = true,
            () = until(due) => {
                self.next_due = None;
                self.may_lease = true;
            }
            () = until(retry_at) => {}
            () = until(Some(self.purge_at)), if retry_at.is_none() => {}
            () = self.shared.reports.due(self.progress_stored), if retry_at.is_none() => {}
        }
    }

    /// Lets the running jobs end, gives back those that have not started, and commits all of it.
    async fn finish(&mut self) -> Result<(), ExitReason> {
        self.may_lease = false;
        self.shared.pool.clear();
        while !self.in_flight.held.is_empty() {
            if self.in_flight.ended.is_empty() {
                if self.in_flight.running.is_empty() {
                    break;
                }
                self.in_flight.next_ended().await;
            }
            self.in_flight.collect();
            let committed = self.exchange(0).await;
            self.after_step(committed)?;
            until(self.retry_at.or_else(|| Some(Instant::now()))).await;
        }
        Ok(())
    }
}

/// Returns the error of a commit of unknown outcome as one that passes: the store is asked again,
/// and refuses what it has applied.
pub(super) fn or_broken(error: StoreError) -> StoreError {
    match error {
        StoreError::EpochEnded | StoreError::Closed | StoreError::Corrupt(_) => error,
        error if error.is_transient() => error,
        error => StoreError::Broken(error.to_string()),
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
