//! The state of a job, from its submission to its result, shared by its submitter, the queue and
//! its worker.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, AtomicU8, AtomicU32, Mutex, MutexGuard, Ordering};
use perennial_actors::host::{Each, Guarded, ignore_panic, jitter_sample, register_waker, wake_each};

use super::result_sink::{GuardedOutcome, HandleNumber, Outcome, ResultSink};
use crate::policy::Backoff;
use crate::pool::job::{AttemptError, Failures, JobId};
use crate::pool::job_status::JobStatus;
use crate::pool::scheduler::RateKey;
use crate::pool::submission::SubmitError;
use crate::pool::worker::Work;

/// The options of a job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobOptions {
    pub(crate) priority: u8,
    pub(crate) attempts: u32,
    /// `true` if an attempt that returned an error is retried.
    pub(crate) retry_errors: bool,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) delay: Option<Duration>,
    /// The hash of its key.
    pub(crate) key: Option<u64>,
    /// The kind of the job, for its rate limit.
    pub(crate) rate_key: Option<RateKey>,
    /// The slot of the only worker that may run it.
    pub(crate) slot: Option<usize>,
}

/// A job that is not admitted yet.
pub(crate) struct NewJob<W: Work + 'static> {
    /// The options, if they differ from those of the pool.
    pub(crate) options: Option<Box<JobOptions>>,
    pub(crate) job: W::Job,
    pub(crate) sink: ResultSink<W>,
}

/// The outcome of a submission: the admitted job, or the refused one.
pub(crate) type Admitted<W> = Result<Arc<JobState<W>>, SubmitError<<W as Work>::Job>>;

/// The state of a submitted job.
pub(crate) struct JobState<W: Work + 'static> {
    pub(crate) id: JobId,
    /// The job, dropped under a panic guard wherever the last reference is dropped.
    pub(crate) job: Guarded<W::Job>,
    /// The options, if they differ from those of the pool.
    options: Option<Box<JobOptions>>,
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
    failures: Option<Box<Each<AttemptError<W::Error>>>>,
    sink: ResultSink<W>,
    /// The waker of its worker.
    worker: Option<Waker>,
}

/// The consequence of a failed attempt.
pub(crate) enum AfterFailure<E> {
    /// The job is retried after this delay.
    Retry(Duration),
    /// The job is dead: its error is its result, or it has no attempts left.
    Dead(Failures<E>),
}

impl<W: Work + 'static> JobState<W> {
    pub(crate) fn new(id: JobId, job: W::Job, options: Option<Box<JobOptions>>, sink: ResultSink<W>) -> Self {
        let is_wanted = sink.is_observed();
        let delivery = Delivery { failures: None, sink, worker: None };
        let job = Guarded::new(job);
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
        self.options.as_deref().unwrap_or(defaults)
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
                let after = delivery.sink.deliver(outcome);
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

    /// Polls for the result, as the handle with this number. An output is returned once, and an
    /// error to each handle.
    pub(crate) fn poll_outcome(&self, handle: HandleNumber, cx: &Context<'_>) -> Poll<Outcome<W>> {
        if register_waker(&self.delivery, cx.waker(), |delivery| delivery.sink.waker(handle)) {
            return Poll::Pending;
        }
        Poll::Ready(self.delivery().sink.take())
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
    pub(crate) fn fail(
        &self,
        failure: AttemptError<W::Error>,
        defaults: &JobOptions,
    ) -> AfterFailure<W::Error> {
        let options = self.options(defaults);
        let is_result = !options.retry_errors && matches!(failure, AttemptError::Error(_));
        let mut delivery = self.delivery();
        let all = delivery.failures.get_or_insert_default();
        all.push(failure);
        let failures = u32::try_from(all.len()).unwrap_or(u32::MAX);
        if is_result || failures >= options.attempts {
            return AfterFailure::Dead(Failures::new(std::mem::take(&mut **all)));
        }
        let delay = |backoff: &Backoff| backoff.delay(failures - 1, self.jitter_sample(failures));
        AfterFailure::Retry(options.backoff.as_ref().map_or(Duration::ZERO, delay))
    }

    /// Removes and returns the failures, or `None` if no attempt failed. The job is not retried
    /// after this.
    pub(crate) fn take_failures(&self) -> Option<Failures<W::Error>> {
        self.delivery().failures.as_mut().map(|all| Failures::new(std::mem::take(&mut **all)))
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
