//! The state of a job, from its submission to its result, shared by its submitter, the queue and
//! its worker.

use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, AtomicU32, Mutex, MutexGuard, Ordering};
use perennial_actors::host::{Guarded, catch_panic, jitter_sample, register_waker, wake_each};
use tokio::sync::mpsc;

use super::any_attempt::AnyJob;
use super::failures::{AfterFailure, FailedAttempt, FailureLog};
use super::options::{JobOptions, OwnOptions};
use crate::policy::Backoff;
use crate::pool::job::{Failures, JobError, JobId};
use crate::pool::job_context::JobProgress;
use crate::pool::retry::{Retry, RetryRule};
use crate::pool::submission::SubmitError;
use crate::pool::worker::Work;

/// The outcome of a job.
pub(crate) type Outcome<W> = Result<<W as Work>::Output, JobError<<W as Work>::Error>>;

/// An outcome under a panic guard, because it holds users' values that may panic when they are
/// dropped.
pub(crate) type GuardedOutcome<W> = Guarded<Outcome<W>>;

/// The destination of the result.
pub(crate) enum ResultSink<W: Work + 'static> {
    Discard,
    /// Kept here until the job handle takes it.
    Single(Option<GuardedOutcome<W>>, Option<Waker>),
    /// Sent to a batch, with the index of the job.
    Batch(usize, mpsc::UnboundedSender<(usize, GuardedOutcome<W>)>),
}

impl<W: Work + 'static> ResultSink<W> {
    /// Returns `true` if the result has a receiver.
    pub(crate) const fn is_observed(&self) -> bool {
        !matches!(self, Self::Discard)
    }

    pub(crate) const fn single() -> Self {
        Self::Single(None, None)
    }
}

/// A job that is not admitted yet.
pub(crate) struct NewJob<W: Work + 'static> {
    /// The options, if they differ from those of the pool.
    pub(crate) options: Option<Box<OwnOptions<W::Error>>>,
    pub(crate) job: W::Job,
    pub(crate) sink: ResultSink<W>,
}

/// The outcome of a submission: the admitted job, or the refused one.
pub(crate) type Admitted<W> = Result<Arc<JobState<W>>, SubmitError<<W as Work>::Job>>;

/// The value of a job, which is its own or that of a dead job that is retried.
pub(crate) enum Payload<W: Work + 'static> {
    /// Dropped under a panic guard wherever the last reference to the job is dropped.
    Own(Guarded<W::Job>),
    /// The value of this job, which is its own.
    Of(Arc<JobState<W>>),
}

impl<W: Work + 'static> Payload<W> {
    pub(crate) const fn new(job: W::Job) -> Self {
        Self::Own(Guarded::new(job))
    }

    /// Returns the value of this job, for another job.
    pub(crate) fn of(job: &Arc<JobState<W>>) -> Self {
        // The reference is to the first job, however often it is retried.
        Self::Of(match &job.job {
            Self::Own(_) => job.clone(),
            Self::Of(first) => first.clone(),
        })
    }
}

impl<W: Work + 'static> Deref for Payload<W> {
    type Target = W::Job;

    #[inline]
    fn deref(&self) -> &W::Job {
        match self {
            Self::Own(job) => job,
            Self::Of(first) => &first.job,
        }
    }
}

/// The state of a submitted job.
pub(crate) struct JobState<W: Work + 'static> {
    pub(crate) id: JobId,
    pub(crate) job: Payload<W>,
    /// The options, if they differ from those of the pool.
    options: Option<Box<OwnOptions<W::Error>>>,
    /// `true` if the result has a receiver.
    is_wanted: bool,
    /// `true` once the outcome is decided. The caller that sets this delivers the result.
    is_complete: AtomicBool,
    /// How often the job has started. Written under the lock of the queue.
    starts: AtomicU32,
    delivery: Mutex<Delivery<W>>,
}

struct Delivery<W: Work + 'static> {
    /// Boxed, because most jobs never fail, and a small job is cheap to make and drop.
    failures: Option<Box<FailureLog<W::Error>>>,
    sink: ResultSink<W>,
    /// The waker of its worker.
    worker: Option<Waker>,
    /// The progress, with the number of the start that reported it. Most jobs report none.
    progress: Option<Box<(u32, JobProgress)>>,
}

impl<W: Work + 'static> JobState<W> {
    pub(crate) fn new(
        id: JobId,
        job: Payload<W>,
        options: Option<Box<OwnOptions<W::Error>>>,
        sink: ResultSink<W>,
    ) -> Self {
        let is_wanted = sink.is_observed();
        let delivery = Delivery { failures: None, sink, worker: None, progress: None };
        Self {
            id,
            job,
            options,
            is_wanted,
            is_complete: AtomicBool::new(false),
            starts: AtomicU32::new(0),
            delivery: Mutex::new(delivery),
        }
    }

    /// Returns the options of the job, given the default options of the pool.
    pub(crate) fn options<'a>(&'a self, defaults: &'a JobOptions) -> &'a JobOptions {
        self.options.as_deref().map_or(defaults, |own| &own.values)
    }

    /// Returns the options of its next life as another job, which has no delay.
    pub(crate) fn options_of_next(&self) -> Option<Box<OwnOptions<W::Error>>> {
        let mut own = self.options.clone()?;
        own.values.delay = None;
        Some(own)
    }

    /// Returns the errors that are retried, if the job has a rule of its own.
    pub(in crate::pool) fn retry_rule(&self) -> Option<&RetryRule<W::Error>> {
        self.options.as_deref().and_then(|own| own.retry.as_ref())
    }

    /// Counts a start and returns its number; the first is 1. The caller holds the lock of the
    /// queue.
    pub(crate) fn count_start(&self) -> u32 {
        let number = self.starts.load(Ordering::Relaxed).saturating_add(1);
        self.starts.store(number, Ordering::Relaxed);
        number
    }

    /// Returns `true` once the outcome is decided.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Claims the outcome. Returns `true` if the caller must now [deliver](Self::deliver) the
    /// result, `false` if another caller has claimed it.
    pub(crate) fn try_complete(&self) -> bool {
        !self.is_complete.swap(true, Ordering::AcqRel)
    }

    /// Delivers the result of a job that the caller has claimed, and wakes the task that waits for
    /// it. Must not be called under a lock. Returns a result that has no receiver, to be dropped.
    pub(crate) fn deliver(&self, outcome: Outcome<W>) -> Option<GuardedOutcome<W>> {
        let outcome = Guarded::new(outcome);
        if outcome.is_ok() && !self.is_wanted {
            // The caller is the worker itself, and no other task waits.
            return Some(outcome);
        }
        let mut delivery = self.delivery();
        let worker = delivery.worker.take();
        let (waiting, undelivered) = match std::mem::replace(&mut delivery.sink, ResultSink::Discard) {
            ResultSink::Single(before, waiting) => {
                delivery.sink = ResultSink::Single(Some(outcome), None);
                drop(delivery);
                (waiting, before)
            }
            ResultSink::Batch(index, others) => {
                drop(delivery);
                (None, send(&others, index, outcome))
            }
            ResultSink::Discard => {
                drop(delivery);
                (None, Some(outcome))
            }
        };
        wake_each(worker.into_iter().chain(waiting));
        undelivered
    }

    /// Returns `true` if the outcome is decided already, so that the worker need not continue.
    /// Otherwise registers the worker to be woken when that changes.
    pub(crate) fn poll_cancelled(&self, cx: &Context<'_>) -> bool {
        register_waker(&self.delivery, cx.waker(), |delivery| Some(&mut delivery.worker));
        // Read after the waker is stored; `is_complete` is set before the waker is taken. So no
        // change is missed.
        self.is_complete()
    }

    /// Returns the progress that the latest start has reported.
    pub(crate) fn progress(&self) -> Option<JobProgress> {
        let (number, progress) = **self.delivery().progress.as_ref()?;
        (number == self.starts.load(Ordering::Relaxed)).then_some(progress)
    }

    /// Polls for the result, which is returned once.
    pub(crate) fn poll_outcome(&self, cx: &Context<'_>) -> Poll<Outcome<W>> {
        let is_waiting = register_waker(&self.delivery, cx.waker(), |delivery| match &mut delivery.sink {
            ResultSink::Single(None, waiting) => Some(waiting),
            _ => None,
        });
        if is_waiting {
            return Poll::Pending;
        }
        match &mut self.delivery().sink {
            ResultSink::Single(place, _) => {
                place.take().and_then(Guarded::into_inner).map_or(Poll::Pending, Poll::Ready)
            }
            _ => Poll::Pending,
        }
    }

    /// Records a failed attempt and decides whether the job is retried.
    pub(crate) fn fail(&self, failed: FailedAttempt<W::Error>, defaults: &JobOptions) -> AfterFailure {
        let (options, FailedAttempt { error, retry }) = (self.options(defaults), failed);
        let mut delivery = self.delivery();
        let log = delivery.failures.get_or_insert_default();
        let is_last = log.push(error, options);
        let failures = log.len();
        let delay = |backoff: &Backoff| backoff.delay(failures - 1, self.jitter_sample(failures));
        match retry {
            _ if is_last => AfterFailure::Dead,
            Retry::Never => AfterFailure::Dead,
            Retry::Backoff => AfterFailure::Retry(options.backoff.as_ref().map_or(Duration::ZERO, delay)),
            Retry::After(time) => AfterFailure::Retry(time),
        }
    }

    /// Returns `true` if an attempt has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.delivery().failures.is_some()
    }

    /// Removes and returns the failures. The caller has claimed the outcome.
    pub(crate) fn take_failures(&self) -> Failures<W::Error> {
        let log = self.delivery().failures.take();
        log.map_or_else(Failures::default, |log| Failures::new(log.all))
    }

    /// Returns the jitter sample of the next delay. It depends on the job's number, so that jobs
    /// that failed together are not retried together.
    fn jitter_sample(&self, failures: u32) -> f64 {
        jitter_sample(self.id.0 ^ u64::from(failures) << 48)
    }

    fn delivery(&self) -> MutexGuard<'_, Delivery<W>> {
        self.delivery.lock()
    }
}

impl<W: Work + 'static> AnyJob for JobState<W> {
    fn is_current(&self, number: u32) -> bool {
        !self.is_complete() && self.starts.load(Ordering::Relaxed) == number
    }

    fn set_progress(&self, number: u32, progress: JobProgress) {
        let mut delivery = self.delivery();
        if self.starts.load(Ordering::Relaxed) == number {
            **delivery.progress.get_or_insert_default() = (number, progress);
        }
    }
}

/// Sends a result to its batch. Returns it if the batch is gone.
fn send<T>(others: &mpsc::UnboundedSender<(usize, T)>, index: usize, outcome: T) -> Option<T> {
    // The waker of the batch may panic; the result is sent by then.
    let sent = catch_panic(None, || others.send((index, outcome)));
    sent.ok()?.err().map(|refused| refused.0.1)
}
