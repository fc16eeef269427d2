//! What the handles and the feeder of a durable pool share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::{AtomicU64, Mutex, Ordering};
use perennial_actors::host::{Broadcast, Foreign, GAMMA, jitter_sample};
use perennial_supervision::Backoff;
use perennial_supervision::pool::{self, PoolHandle, Retry, Work};
use tokio::sync::Notify;

use super::clock::Clock;
#[cfg(feature = "metrics")]
use super::counts;
use super::event::DurableEvent;
use super::in_flight::InFlight;
use super::progress::Reports;
use crate::batch::{Applied, AttemptEnd, Batch, Op};
use crate::codec::EncodeError;
use crate::error::{CommitError, CommitErrorKind, StoreError};
use crate::history::AttemptFailure;
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, Timestamp};
use crate::store::{Store, StoreFuture};

/// A closure that decides on an error.
pub(super) type Decide<E> = Arc<Foreign<Box<dyn Fn(&E) -> Retry + Send + Sync>>>;

/// The errors that are retried.
pub(super) enum RetryRule<E: 'static> {
    Never,
    Always,
    If(Decide<E>),
}

impl<E> Clone for RetryRule<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Never => Self::Never,
            Self::Always => Self::Always,
            Self::If(decide) => Self::If(decide.clone()),
        }
    }
}

/// A user's function that returns the trace that the caller is in.
pub(super) type Traceparent = Arc<Foreign<Box<dyn Fn() -> Option<String> + Send + Sync>>>;

/// The settings of a durable pool.
pub(super) struct Settings<W: Work + 'static> {
    pub(super) attempts: u32,
    pub(super) lost_workers: u32,
    pub(super) retry: RetryRule<W::Error>,
    pub(super) backoff: Option<Backoff>,
    pub(super) retention: Duration,
    pub(super) retain_dead: Option<Duration>,
    /// The most jobs that are leased at once; twice the workers by default.
    pub(super) prefetch: Option<usize>,
    /// Returns the trace of a submission.
    pub(super) traceparent: Option<Traceparent>,
    pub(super) encode_job: fn(&W::Job) -> Result<Payload, EncodeError>,
    pub(super) encode_output: fn(&W::Output) -> Result<Payload, EncodeError>,
}

impl<W: Work + 'static> Clone for Settings<W> {
    fn clone(&self) -> Self {
        let Self { attempts, lost_workers, retention, retain_dead, prefetch, .. } = *self;
        let Self { encode_job, encode_output, backoff, .. } = *self;
        let (retry, traceparent) = (self.retry.clone(), self.traceparent.clone());
        Self {
            attempts,
            lost_workers,
            retry,
            backoff,
            retention,
            retain_dead,
            prefetch,
            traceparent,
            encode_job,
            encode_output,
        }
    }
}

/// What the handles and the feeder share. It outlives the incarnations of both children.
pub(super) struct Shared<W: Work + 'static> {
    pub(super) queue: Arc<str>,
    pub(super) store: Arc<dyn Store>,
    pub(super) pool: PoolHandle<W>,
    pub(super) settings: Mutex<Settings<W>>,
    pub(super) clock: Clock,
    /// The jobs in work. The feeder holds it while it runs.
    pub(super) in_flight: tokio::sync::Mutex<InFlight>,
    /// The numbers in the pool in memory of the jobs that this process runs.
    pub(super) running: Mutex<HashMap<JobId, pool::JobId>>,
    pub(super) reports: Arc<Reports>,
    pub(super) events: Broadcast<DurableEvent>,
    waiting: Mutex<HashMap<JobId, Arc<Notify>>>,
    draws: AtomicU64,
}

impl<W: Work + 'static> Shared<W> {
    pub(super) fn new(
        queue: Arc<str>,
        store: Arc<dyn Store>,
        pool: PoolHandle<W>,
        settings: Settings<W>,
    ) -> Self {
        let clock = Clock::new();
        Self {
            queue,
            store,
            pool,
            settings: Mutex::new(settings),
            draws: AtomicU64::new(clock.now().0),
            clock,
            in_flight: tokio::sync::Mutex::new(InFlight::default()),
            running: Mutex::default(),
            reports: Arc::default(),
            events: Broadcast::new(),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn settings(&self) -> Settings<W> {
        self.settings.lock().clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn commit(&self, op: Op) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        self.store.commit(Batch::of(self.now(), op))
    }

    pub(super) fn commit_all(&self, ops: Vec<Op>) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        self.store.commit(Batch { now: self.now(), ops })
    }

    /// Commits an operation that has no conflicts.
    pub(super) async fn commit_alone(&self, op: Op) -> Result<Vec<Applied>, StoreError> {
        self.commit_many(vec![op]).await
    }

    /// Commits operations that have no conflicts.
    pub(super) async fn commit_many(&self, ops: Vec<Op>) -> Result<Vec<Applied>, StoreError> {
        self.commit_all(ops).await.map_err(|error| match error.kind {
            CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error) => error,
            CommitErrorKind::Conflict { conflict, .. } => StoreError::Failed(conflict.to_string()),
        })
    }

    /// Returns `true` if there was something to change.
    pub(super) async fn change(&self, op: Op) -> Result<bool, StoreError> {
        Ok(self.commit_alone(op).await? == [Applied::Changed(true)])
    }

    pub(super) async fn cancel(&self, id: JobId) -> Result<bool, StoreError> {
        Ok(self.cancel_all(&[id]).await? > 0)
    }

    /// Cancels jobs in one commit. Returns how many were not over.
    pub(super) async fn cancel_all(&self, ids: &[JobId]) -> Result<usize, StoreError> {
        let applied = self.commit_many(ids.iter().copied().map(Op::Cancel).collect()).await?;
        let effects = ids.iter().zip(applied);
        let changed = effects.filter(|(_, effect)| *effect == Applied::Changed(true)).map(|(id, _)| *id);
        let cancelled: Vec<JobId> = changed.collect();
        for id in &cancelled {
            // Its outcome is refused from now on, whether or not its future is dropped in time.
            let running = self.running.lock().get(id).copied();
            if let Some(running) = running {
                self.pool.cancel(running);
            }
            self.publish(DurableEvent::Cancelled(*id));
        }
        ids.iter().for_each(|id| self.notify(*id));
        Ok(cancelled.len())
    }

    pub(super) fn publish(&self, event: DurableEvent) {
        #[cfg(feature = "metrics")]
        counts::count_event(&self.queue, &event);
        self.events.send(|| event);
    }

    /// Publishes the end of an attempt that was committed.
    pub(super) fn publish_end(&self, job: JobId, attempt: u32, end: &AttemptEnd) {
        #[cfg(feature = "metrics")]
        counts::count_end(&self.queue, end);
        self.publish(DurableEvent::of_end(job, attempt, end));
    }

    /// Returns a random number from 0 to 1.
    pub(super) fn draw(&self) -> f64 {
        jitter_sample(self.draws.fetch_add(GAMMA, Ordering::Relaxed))
    }

    /// Returns the end of an attempt that failed by itself.
    pub(super) fn after_failure(
        &self,
        record: &JobRecord,
        failure: AttemptFailure,
        retry: Retry,
    ) -> AttemptEnd {
        let backoff = self.settings.lock().backoff;
        super::retry::after_failure(record, failure, retry, backoff.as_ref(), self.draw(), self.now())
    }

    /// Returns what is notified when the job may be over.
    pub(super) fn watch(&self, id: JobId) -> Arc<Notify> {
        self.waiting.lock().entry(id).or_default().clone()
    }

    /// Forgets what [`watch`](Self::watch) has returned, unless another waits for it.
    pub(super) fn unwatch(&self, id: JobId, notify: Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        drop(notify);
        if waiting.get(&id).is_some_and(|notify| Arc::strong_count(notify) == 1) {
            waiting.remove(&id);
        }
    }

    /// Wakes those that wait for a job.
    pub(super) fn notify(&self, id: JobId) {
        let notify = self.waiting.lock().remove(&id);
        if let Some(notify) = notify {
            // The wakers are foreign code.
            perennial_actors::host::ignore_panic(|| notify.notify_waiters());
        }
    }
}
