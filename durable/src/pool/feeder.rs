//! The feeder: leases jobs for the pool in memory, and commits how they ended.

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_supervision::TaskContext;
use perennial_supervision::pool::{Retry, Work};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::attempt;
use super::in_flight::{EndedAttempt, InFlight};
use super::shared::Shared;
use crate::batch::{Applied, AttemptEnd, Batch, Op};
use crate::error::{CommitErrorKind, StoreError};
use crate::record::{AttemptFailure, Epoch, JobRecord, RecordState, Timestamp};
use crate::store::JobFilter;
use crate::wire::Wire;

/// The most jobs that one read or one removal of old jobs takes.
const PAGE: usize = 1_000;

/// The shortest time between two removals of old jobs.
const PURGE_PERIOD: Duration = Duration::from_secs(60);

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
    purged: Option<Timestamp>,
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
        purged: None,
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
        if self.must_recover {
            self.exchange(0).await?;
            self.recover().await?;
            self.must_recover = false;
            self.has_recovered = true;
            self.may_lease = true;
        }
        let room = if self.may_lease { self.room() } else { 0 };
        self.exchange(room).await?;
        self.purge().await
    }

    /// Returns how many more jobs may be leased when the ends of attempts are committed.
    fn room(&self) -> usize {
        if self.in_flight.is_closed {
            return 0;
        }
        let most = self.shared.settings.lock().prefetch;
        let most = most.unwrap_or_else(|| self.shared.pool.stats().workers.wanted.saturating_mul(2));
        let held = self.in_flight.held.len().saturating_sub(self.in_flight.ended.len());
        most.max(1).saturating_sub(held)
    }

    /// Commits how attempts have ended and leases up to `room` jobs, as one batch. What is not
    /// committed is kept.
    async fn exchange(&mut self, room: usize) -> Result<(), StoreError> {
        let ended = std::mem::take(&mut self.in_flight.ended);
        let mut ops: Vec<_> = ended.iter().map(finish).collect();
        if room > 0 {
            self.may_lease = false;
            ops.push(Op::Lease { queue: self.shared.queue.to_string(), max: room });
        }
        if ops.is_empty() {
            return Ok(());
        }
        let is_alone = ops.len() == 1;
        let committed = self.shared.store.commit(Batch { now: self.shared.now(), ops }).await;
        let error = match committed.map_err(|error| error.kind) {
            Ok(applied) => {
                ended.iter().for_each(|ended| self.settle(ended));
                if room > 0 {
                    self.start(room, applied);
                }
                return Ok(());
            }
            // The attempt was cancelled, or committed by an answer that was lost.
            Err(CommitErrorKind::Conflict { .. }) if is_alone => {
                ended.iter().for_each(|ended| self.settle(ended));
                return Ok(());
            }
            Err(error) => error,
        };
        self.in_flight.ended.extend(ended);
        self.may_lease |= room > 0;
        match error {
            // One of them was cancelled, or is too large for what is left of the disk.
            CommitErrorKind::Conflict { .. } => self.commit_singly().await,
            CommitErrorKind::NotApplied(StoreError::Full(_)) if !is_alone => self.commit_singly().await,
            CommitErrorKind::NotApplied(error) => Err(error),
            CommitErrorKind::Unknown(error) => {
                // Jobs may have been leased to this process without its knowledge.
                self.must_recover |= room > 0;
                Err(or_broken(error))
            }
        }
    }

    /// Commits how attempts have ended, each by itself.
    async fn commit_singly(&mut self) -> Result<(), StoreError> {
        let ended = std::mem::take(&mut self.in_flight.ended);
        let commits: Vec<_> =
            ended.into_iter().map(|ended| (self.shared.commit(finish(&ended)), ended)).collect();
        let mut failure = None;
        for (commit, ended) in commits {
            match commit.await.map_err(|error| error.kind) {
                Ok(_) | Err(CommitErrorKind::Conflict { .. }) => self.settle(&ended),
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => {
                    self.in_flight.ended.push(ended);
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(or_broken(error)))
    }

    /// Forgets an attempt whose end is in the store.
    fn settle(&mut self, ended: &EndedAttempt) {
        self.in_flight.held.remove(&ended.job);
        self.shared.notify(ended.job);
    }

    /// Starts the jobs that were leased by the last operation of a batch.
    fn start(&mut self, room: usize, mut applied: Vec<Applied>) {
        let Some(Applied::Leased(leased)) = applied.pop() else { return };
        self.next_due = leased.next_due;
        self.may_lease = leased.jobs.len() >= room;
        leased.expired.iter().for_each(|id| self.shared.notify(*id));
        for record in leased.jobs {
            self.in_flight.held.insert(record.id);
            self.in_flight.running.spawn(attempt::start(self.shared, record));
        }
    }

    /// Ends the attempts that no process runs: those of ended processes, and those of this one that
    /// no feeder knows.
    async fn recover(&mut self) -> Result<(), StoreError> {
        loop {
            let orphans = self.shared.store.orphans(&self.shared.queue, PAGE).await?;
            let is_last = orphans.len() < PAGE;
            self.end_lost(orphans).await?;
            if is_last {
                break;
            }
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
                let op = Op::Finish { job: record.id, attempt: record.attempt, end };
                (record.id, self.shared.commit(op))
            })
            .collect();
        let mut failure = None;
        for (id, commit) in commits {
            match commit.await.map_err(|error| error.kind) {
                Ok(_) | Err(CommitErrorKind::Conflict { .. }) => self.shared.notify(id),
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
        let now = self.shared.now();
        if self.purged.is_some_and(|purged| now.since(purged) < PURGE_PERIOD) {
            return Ok(());
        }
        match self.shared.commit(Op::Purge { max: PAGE }).await.map_err(|error| error.kind) {
            // There may be more.
            Ok(applied) if applied == [Applied::Purged(PAGE)] => {}
            _ => self.purged = Some(now),
        }
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

/// Returns the operation that ends an attempt.
fn finish(ended: &EndedAttempt) -> Op {
    let EndedAttempt { job, attempt, end, .. } = ended;
    Op::Finish { job: *job, attempt: *attempt, end: end.clone() }
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
