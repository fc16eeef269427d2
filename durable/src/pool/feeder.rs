//! The feeder: leases jobs for the pool in memory, and commits how they ended.

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

use super::attempt;
use super::event::DurableEvent;
use super::in_flight::{EndedAttempt, InFlight};
use super::shared::Shared;
use crate::batch::{Applied, AttemptEnd, Leased, Op};
use crate::error::{CommitErrorKind, StoreError};
use crate::history::AttemptFailure;
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
struct Feeder<'a, W: Work + 'static> {
    shared: &'a Arc<Shared<W>>,
    in_flight: &'a mut InFlight,
    changes: watch::Receiver<u64>,
    ended_epochs: watch::Receiver<u64>,
    /// There may be jobs that are due.
    may_lease: bool,
    /// When the next delayed job is due.
    next_due: Option<Timestamp>,
    /// Jobs of ended processes, or of a lease whose answer was lost, have not been looked for.
    must_recover: bool,
    /// They have been looked for once. What this process runs without knowing has not started then.
    has_recovered: bool,
    /// How often the store has failed in a row, and when it is asked again.
    failures: u32,
    retry_at: Option<Instant>,
    /// When jobs whose retention is over are removed next.
    purge_at: Instant,
    /// When progress was stored last.
    progress_stored: Option<Instant>,
}

/// Feeds the pool until it is stopped. Then it leases nothing more, and waits for what runs.
pub(super) async fn feed<W>(shared: Arc<Shared<W>>, ctx: TaskContext) -> Result<(), ExitReason>
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
        self.commit_ended().await?;
        self.store_progress().await?;
        if self.must_recover {
            self.recover().await?;
            self.must_recover = false;
            self.has_recovered = true;
            self.may_lease = true;
        }
        let room = self.room();
        if room > 0 && self.may_lease {
            self.lease(room).await?;
        }
        self.purge().await
    }

    /// Returns how many more jobs may be leased.
    fn room(&self) -> usize {
        if self.in_flight.is_closed {
            return 0;
        }
        let most = self.shared.settings.lock().prefetch;
        let most = most.unwrap_or_else(|| self.shared.pool.stats().workers.wanted.saturating_mul(2));
        most.max(1).saturating_sub(self.in_flight.held.len())
    }

    /// Commits how attempts have ended. What is not committed is kept.
    async fn commit_ended(&mut self) -> Result<(), StoreError> {
        let ended = std::mem::take(&mut self.in_flight.ended);
        let commits: Vec<_> = ended.into_iter().map(|ended| (self.commit_end(&ended), ended)).collect();
        let mut failure = None;
        for (commit, ended) in commits {
            match commit.await.map_err(|error| error.kind) {
                // A stale attempt was cancelled, or committed by an answer that was lost.
                outcome @ (Ok(_) | Err(CommitErrorKind::Conflict { .. })) => {
                    if outcome.is_ok() {
                        let EndedAttempt { job, attempt, end, .. } = &ended;
                        self.shared.publish(DurableEvent::of_end(*job, *attempt, end));
                    }
                    self.in_flight.held.remove(&ended.job);
                    self.shared.notify(ended.job);
                }
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => {
                    self.in_flight.ended.push(ended);
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(or_broken(error)))
    }

    fn commit_end(
        &self,
        ended: &EndedAttempt,
    ) -> crate::store::StoreFuture<Result<Vec<Applied>, crate::error::CommitError>> {
        let EndedAttempt { job, attempt, end, progress, .. } = ended.clone();
        let finish = Op::Finish { job, attempt, end };
        let progress = progress.map(|progress| Op::Progress { job, attempt, progress });
        self.shared.commit_all(progress.into_iter().chain([finish]).collect())
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

    async fn lease(&mut self, room: usize) -> Result<(), StoreError> {
        self.may_lease = false;
        let op = Op::Lease { queue: self.shared.queue.to_string(), max: room };
        let answer = self.shared.commit(op).await.map_err(|error| error.kind);
        let leased = match answer {
            Ok(mut applied) => match applied.pop() {
                Some(Applied::Leased(leased)) => leased,
                _ => Leased::default(),
            },
            Err(CommitErrorKind::Conflict { .. }) => Leased::default(),
            Err(CommitErrorKind::NotApplied(error)) => {
                self.may_lease = true;
                return Err(error);
            }
            Err(CommitErrorKind::Unknown(error)) => {
                // Jobs may have been leased to this process without its knowledge.
                self.must_recover = true;
                return Err(or_broken(error));
            }
        };
        self.next_due = leased.next_due;
        self.may_lease = leased.jobs.len() >= room;
        for id in leased.expired {
            self.shared.publish(DurableEvent::Expired(id));
            self.shared.notify(id);
        }
        for record in leased.jobs {
            self.in_flight.held.insert(record.id);
            self.shared.publish(DurableEvent::Leased { id: record.id, attempt: record.attempt });
            self.in_flight.running.spawn(attempt::start(self.shared, record));
        }
        Ok(())
    }

    /// Ends the attempts that no process runs: those of ended processes, and those of this one that
    /// no feeder knows.
    async fn recover(&mut self) -> Result<(), StoreError> {
        loop {
            let orphans = self.shared.store.orphans(&self.shared.queue, PAGE).await?;
            if orphans.is_empty() {
                break;
            }
            self.end_lost(orphans).await?;
        }
        let queue = Some(self.shared.queue.to_string());
        let running = JobFilter { queue, state: Some(RecordState::Running), ..JobFilter::default() };
        let mut running = self.shared.store.jobs(running).await?;
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
                let event = DurableEvent::of_end(record.id, record.attempt, &end);
                let op = Op::Finish { job: record.id, attempt: record.attempt, end };
                (event, self.shared.commit(op))
            })
            .collect();
        let mut failure = None;
        for (event, commit) in commits {
            match commit.await.map_err(|error| error.kind) {
                Ok(_) => {
                    self.shared.publish(event);
                    self.shared.notify(event.id());
                }
                Err(CommitErrorKind::Conflict { .. }) => self.shared.notify(event.id()),
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
            let committed = self.commit_ended().await;
            self.after_step(committed)?;
            until(self.retry_at.or_else(|| Some(Instant::now()))).await;
        }
        Ok(())
    }
}

/// Returns the error of a commit of unknown outcome as one that passes: the store is asked again,
/// and refuses what it has applied.
fn or_broken(error: StoreError) -> StoreError {
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
