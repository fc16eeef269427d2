//! The state of a job, from its submission to its result, shared by its submitter, the queue and
//! its worker.

use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, AtomicU8, AtomicU32, Mutex, MutexGuard, Ordering};
use perennial_actors::host::{Guarded, ignore_panic, jitter_sample, register_waker, wake_each};

use super::any_attempt::AnyJob;
use super::failures::{AfterFailure, FailedAttempt, FailureLog};
use super::options::{JobOptions, OwnOptions};
use super::result_sink::{GuardedOutcome, HandleNumber, Outcome, ResultSink};
use crate::policy::Backoff;
use crate::pool::job::{Failures, JobId};
use crate::pool::job_context::JobProgress;
use crate::pool::job_status::JobStatus;
use crate::pool::origin::JobOrigin;
use crate::pool::retry::{Retry, RetryRule};
use crate::pool::submit_error::SubmitError;
use crate::pool::worker::Work;

/// A job that is not admitted yet.
pub(crate) struct NewJob<W: Work + 'static> {
    /// The options, if they differ from those of the pool. The jobs of a batch share them.
    pub(crate) options: Option<Arc<OwnOptions<W::Error>>>,
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
    /// The options, if they differ from those of the pool. The jobs of a batch share them.
    options: Option<Arc<OwnOptions<W::Error>>>,
    /// `true` if the result has a receiver. Set under the lock of the queue.
    is_wanted: AtomicBool,
    /// The [status](JobStatus) at its end, or 0 until the outcome is decided. The caller that sets
    /// this delivers the result.
    end: AtomicU8,
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
        options: Option<Arc<OwnOptions<W::Error>>>,
        sink: ResultSink<W>,
    ) -> Self {
        let is_wanted = sink.is_observed();
        let delivery = Delivery { failures: None, sink, worker: None, progress: None };
        Self {
            id,
            job,
            options,
            is_wanted: is_wanted.into(),
            end: 0.into(),
            starts: AtomicU32::new(0),
            delivery: Mutex::new(delivery),
        }
    }

    /// Returns the options of the job, given the default options of the pool.
    pub(crate) fn options<'a>(&'a self, defaults: &'a JobOptions) -> &'a JobOptions {
        self.options.as_deref().map_or(defaults, |own| &own.values)
    }

    /// Returns the options of its next life as another job.
    pub(crate) fn options_of_next(&self) -> Option<Arc<OwnOptions<W::Error>>> {
        self.options.clone().map(OwnOptions::of_next)
    }

    /// Returns the errors that are retried, if the job has a rule of its own.
    pub(in crate::pool) fn retry_rule(&self) -> Option<&RetryRule<W::Error>> {
        self.options.as_deref().and_then(|own| own.retry.as_ref())
    }

    /// Returns the job of another queue that this is an attempt at.
    fn origin(&self) -> Option<&JobOrigin> {
        self.options.as_deref().and_then(|own| own.origin.as_ref())
    }

    /// Returns the numbers of the job and of a start in the queue that the job comes from.
    #[inline]
    pub(crate) fn identity(&self, number: u32) -> (JobId, u32) {
        self.origin().map_or((self.id, number), |origin| {
            (JobId(origin.id), origin.attempt.saturating_add(number.saturating_sub(1)))
        })
    }

    /// Counts a start and returns its number; the first is 1. The caller holds the lock of the
    /// queue.
    pub(crate) fn count_start(&self) -> u32 {
        let number = self.starts.load(Ordering::Relaxed).saturating_add(1);
        self.starts.store(number, Ordering::Relaxed);
        number
    }

    /// Returns the number of the latest start, or 0 if there was none.
    pub(crate) fn attempt(&self) -> u32 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Returns `true` once the outcome is decided.
    pub(crate) fn is_complete(&self) -> bool {
        self.end.load(Ordering::Acquire) != 0
    }

    /// Returns the status of a job whose outcome is decided.
    pub(crate) fn end(&self) -> Option<JobStatus> {
        let end = self.end.load(Ordering::Acquire);
        JobStatus::ENDS.into_iter().find(|status| *status as u8 == end)
    }

    /// Claims the outcome with this status. Returns `true` if the caller must now
    /// [deliver](Self::deliver) the result, `false` if another caller has claimed it.
    pub(crate) fn try_complete(&self, end: JobStatus) -> bool {
        self.end.compare_exchange(0, end as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Delivers the result of a job that the caller has claimed, and wakes the task that waits for
    /// it. Must not be called under a lock. Returns a result that has no receiver, to be dropped.
    pub(crate) fn deliver(&self, outcome: Outcome<W>) -> Option<GuardedOutcome<W>> {
        let outcome = Guarded::new(outcome);
        if outcome.is_ok() && !self.is_wanted.load(Ordering::Relaxed) {
            // The caller is the worker itself, and no other task waits.
            return Some(outcome);
        }
        let mut delivery = self.delivery();
        let worker = delivery.worker.take();
        match delivery.sink.deliver_to_one(outcome) {
            Ok(waiting) => {
                drop(delivery);
                wake_each(worker.into_iter().chain(waiting));
                None
            }
            Err(outcome) => {
                let Delivery { failures, sink, .. } = &mut *delivery;
                let after = sink.deliver(outcome, || take_all(failures));
                drop(delivery);
                after.finish(worker)
            }
        }
    }

    /// Returns `true` if the outcome is decided already, so that the worker need not continue.
    /// Otherwise registers the worker to be woken when that changes.
    pub(crate) fn poll_cancelled(&self, cx: &Context<'_>) -> bool {
        register_waker(&self.delivery, cx.waker(), |delivery| Some(&mut delivery.worker));
        // Read after the waker is stored; `end` is set before the waker is taken. So no
        // change is missed.
        self.is_complete()
    }

    /// Returns the progress that the latest start has reported.
    pub(crate) fn progress(&self) -> Option<JobProgress> {
        let (number, progress) = **self.delivery().progress.as_ref()?;
        (number == self.starts.load(Ordering::Relaxed)).then_some(progress)
    }

    /// Polls for the result, as the handle with this number. An output is returned once, and an
    /// error to each handle.
    pub(crate) fn poll_outcome(&self, handle: HandleNumber, cx: &Context<'_>) -> Poll<Outcome<W>> {
        if register_waker(&self.delivery, cx.waker(), |delivery| delivery.sink.waker(handle)) {
            return Poll::Pending;
        }
        let mut delivery = self.delivery();
        let Delivery { failures, sink, .. } = &mut *delivery;
        Poll::Ready(sink.take(|| take_all(failures)))
    }

    /// Adds a handle and returns its number. The caller has found the job under the lock of the
    /// queue, and holds it still.
    pub(crate) fn add_handle(&self) -> HandleNumber {
        self.is_wanted.store(true, Ordering::Relaxed);
        self.delivery().sink.add_handle()
    }

    /// Removes a handle that no longer waits.
    #[cold]
    pub(crate) fn remove_handle(&self, handle: HandleNumber) {
        let waker = self.delivery().sink.remove_handle(handle);
        ignore_panic(|| drop(waker));
    }

    /// Keeps the result, though it may have no receiver. The caller holds the lock of the queue,
    /// and the result is not delivered yet, unless it is an error.
    pub(crate) fn keep_result(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
        self.delivery().sink.keep();
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
        take_all(&mut self.delivery().failures)
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

/// Removes and returns the failures.
fn take_all<E>(log: &mut Option<Box<FailureLog<E>>>) -> Failures<E> {
    log.take().map_or_else(Failures::default, |log| Failures::new(log.all))
}

impl<W: Work + 'static> AnyJob for JobState<W> {
    fn is_current(&self, number: u32) -> bool {
        !self.is_complete() && self.starts.load(Ordering::Relaxed) == number
    }

    fn set_progress(&self, number: u32, progress: JobProgress) {
        let mut delivery = self.delivery();
        if self.starts.load(Ordering::Relaxed) != number {
            return;
        }
        **delivery.progress.get_or_insert_default() = (number, progress);
        drop(delivery);
        if let Some(sink) = self.origin().and_then(|origin| origin.sink.as_ref()) {
            let (id, attempt) = self.identity(number);
            sink.report(id.0, attempt, progress);
        }
    }

    fn last_progress(&self) -> Option<JobProgress> {
        let reported = self.delivery().progress.as_ref().map(|report| report.1);
        reported.or_else(|| self.origin().and_then(|origin| origin.progress))
    }

    fn traceparent(&self) -> Option<&str> {
        self.origin().and_then(|origin| origin.traceparent.as_deref())
    }
}
