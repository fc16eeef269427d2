//! A job from its submission to its result, as everybody shares it who has to do with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_actors::host::{Each, Guarded, catch_panic, wake_each};
use tokio::sync::mpsc;

use super::job::{AttemptError, Failures, JobError, JobId};
use crate::policy::Backoff;

/// What becomes of a job.
pub(super) type Outcome<T, E> = Result<T, JobError<E>>;

/// The same while the pool keeps it: dropped under a guard, as it holds users' values.
pub(super) type GuardedOutcome<T, E> = Guarded<Outcome<T, E>>;

/// How a job is to be treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobOptions {
    pub(super) priority: u8,
    pub(super) attempts: u32,
    /// Whether an attempt that returned an error is followed by another.
    pub(super) retry_errors: bool,
    pub(super) backoff: Option<Backoff>,
    pub(super) time_limit: Option<Duration>,
    pub(super) expires_in: Option<Duration>,
    pub(super) delay: Option<Duration>,
    /// The number of its key.
    pub(super) key: Option<u64>,
    /// The slot of the one worker that may have it.
    pub(super) slot: Option<usize>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            priority: 0,
            attempts: 3,
            retry_errors: false,
            backoff: None,
            time_limit: None,
            expires_in: None,
            delay: None,
            key: None,
            slot: None,
        }
    }
}

/// Where the result goes.
pub(super) enum ResultSink<T, E> {
    Discard,
    /// Here, until it is taken by whoever waits for it.
    Single(Option<GuardedOutcome<T, E>>, Option<Waker>),
    /// To the others, as number so many of them.
    Batch(usize, mpsc::UnboundedSender<(usize, GuardedOutcome<T, E>)>),
}

impl<T, E> ResultSink<T, E> {
    /// Whether anybody wants the result.
    pub(super) const fn is_observed(&self) -> bool {
        !matches!(self, Self::Discard)
    }

    pub(super) const fn single() -> Self {
        Self::Single(None, None)
    }
}

/// A job that was submitted.
pub(super) struct JobState<J, T, E> {
    pub(super) id: JobId,
    /// Dropped under a guard of its own, wherever the last reference is dropped.
    pub(super) job: Guarded<J>,
    /// How it is to be treated, if not as every job of its pool.
    options: Option<Box<JobOptions>>,
    /// Whether anybody wants to know what becomes of it.
    is_wanted: bool,
    /// What becomes of it is settled. Whoever sets this gives the result.
    is_complete: AtomicBool,
    delivery: Mutex<Delivery<T, E>>,
}

struct Delivery<T, E> {
    /// Most jobs never fail, and a job that is small is quickly made and dropped.
    failures: Option<Box<Each<AttemptError<E>>>>,
    sink: ResultSink<T, E>,
    /// Of whoever works at it.
    worker: Option<Waker>,
}

/// What becomes of a job whose attempt has failed.
pub(super) enum AfterFailure<E> {
    /// It is tried again, after a delay.
    Retry(Duration),
    /// Its error is its result, or it has had all its attempts.
    Dead(Failures<E>),
}

impl<J, T, E> JobState<J, T, E> {
    pub(super) fn new(id: JobId, job: J, options: Option<Box<JobOptions>>, sink: ResultSink<T, E>) -> Self {
        let is_wanted = sink.is_observed();
        let delivery = Delivery { failures: None, sink, worker: None };
        let job = Guarded::new(job);
        Self { id, job, options, is_wanted, is_complete: AtomicBool::new(false), delivery: Mutex::new(delivery) }
    }

    /// How it is to be treated, in a pool that treats jobs so.
    pub(super) fn options<'a>(&'a self, defaults: &'a JobOptions) -> &'a JobOptions {
        self.options.as_deref().unwrap_or(defaults)
    }

    /// Whether what becomes of it is settled.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Settles that what becomes of it is for the caller to [say](Self::give); false if it is settled already.
    pub(super) fn try_complete(&self) -> bool {
        !self.is_complete.swap(true, Ordering::AcqRel)
    }

    /// Delivers the result of a job that the caller has claimed, and wakes its waiter; not to be called under a lock. Returns a
    /// result that has no taker, to be dropped.
    pub(super) fn deliver(&self, outcome: Outcome<T, E>) -> Option<GuardedOutcome<T, E>> {
        let outcome = Guarded::new(outcome);
        if outcome.is_ok() && !self.is_wanted {
            // The worker itself says so, and nobody else waits.
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

    /// Whether there is no use in working on; if there is, it wakes the worker when that changes.
    pub(super) fn poll_cancelled(&self, cx: &Context<'_>) -> bool {
        let known = self.delivery().worker.as_ref().is_some_and(|known| known.will_wake(cx.waker()));
        if !known {
            // Cloned and dropped under no lock: a waker may be anything.
            let waker = cx.waker().clone();
            let before = self.delivery().worker.replace(waker);
            drop(before);
        }
        // Looked at after the waker was left, and set before it is taken.
        self.is_complete()
    }

    /// An attempt has failed.
    pub(super) fn fail(&self, failure: AttemptError<E>, defaults: &JobOptions) -> AfterFailure<E> {
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

    /// Takes what went wrong up to now, if anything did: it is not tried again.
    pub(super) fn take_failures(&self) -> Option<Failures<E>> {
        self.delivery().failures.as_mut().map(|all| Failures::new(std::mem::take(&mut **all)))
    }

    /// What the jitter of its next delay is: of its own number, so that jobs that failed together come back apart.
    fn jitter_sample(&self, failures: u32) -> f64 {
        let mixed = (self.id.0 ^ u64::from(failures) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        f64::from((mixed >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }

    fn delivery(&self) -> MutexGuard<'_, Delivery<T, E>> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J, T, E> AsRef<J> for JobState<J, T, E> {
    fn as_ref(&self) -> &J {
        &self.job
    }
}

fn ready<T, E>(place: &mut Option<GuardedOutcome<T, E>>) -> Poll<Outcome<T, E>> {
    place.take().and_then(Guarded::into_inner).map_or(Poll::Pending, Poll::Ready)
}

/// Sends the result of one of many. Returns it if no receiver is left.
fn send<T, E>(
    others: &mpsc::UnboundedSender<(usize, GuardedOutcome<T, E>)>,
    index: usize,
    outcome: GuardedOutcome<T, E>,
) -> Option<GuardedOutcome<T, E>> {
    // A waker of whoever waits may panic; the result is there by then.
    let sent = catch_panic(None, || others.send((index, outcome)));
    sent.ok()?.err().map(|refused| refused.0.1)
}

/// A job, for whoever waits for its result and does not know what it is.
pub(super) trait JobResult<T, E>: Send + Sync {
    /// The result, once.
    fn poll_outcome(&self, cx: &Context<'_>) -> Poll<Outcome<T, E>>;

    /// Settles that it is cancelled; false if something else is settled.
    fn cancel(&self) -> bool;
}

impl<J: Send + Sync, T: Send, E: Send + Sync> JobResult<T, E> for JobState<J, T, E> {
    fn poll_outcome(&self, cx: &Context<'_>) -> Poll<Outcome<T, E>> {
        let known =
            |waiting: &Option<Waker>| waiting.as_ref().is_some_and(|known| known.will_wake(cx.waker()));
        match &mut self.delivery().sink {
            ResultSink::Single(place, _) if place.is_some() => return ready(place),
            ResultSink::Single(_, waiting) if !known(waiting) => {}
            _ => return Poll::Pending,
        }
        // Cloned and dropped under no lock: a waker may be anything. Meanwhile there may be a result.
        let waker = cx.waker().clone();
        let unused = match &mut self.delivery().sink {
            ResultSink::Single(place, _) if place.is_some() => return ready(place),
            ResultSink::Single(_, waiting) => waiting.replace(waker),
            _ => Some(waker),
        };
        drop(unused);
        Poll::Pending
    }

    fn cancel(&self) -> bool {
        let first = self.try_complete();
        if first {
            drop(self.deliver(Err(JobError::Cancelled)));
        }
        first
    }
}
