//! A job: what is to be done, how, and what became of it.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use perennial_actors::ExitReason;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::policy::Backoff;

/// Why an attempt at a job failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure<E> {
    /// Its worker returned an error. The worker goes on with the next job.
    Error(E),
    /// It took longer than an attempt may take.
    TimedOut,
    /// Its worker ended with it in hand: it crashed, was killed, or hung and was abandoned.
    WorkerEnded(ExitReason),
}

/// Why a job has no result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum JobError<E> {
    /// Every attempt that it had failed; the last failure is the last here. It is among the [dead jobs](super::PoolHandle::take_dead).
    Failed(Arc<[Failure<E>]>),
    /// It was not begun before it expired.
    Expired,
    /// It was cancelled.
    Cancelled,
    /// The pool stopped, or was cleared, before it was done.
    Dropped,
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::TimedOut => f.write_str("it took too long"),
            Self::WorkerEnded(reason) => write!(f, "its worker ended: {reason}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for JobError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failures) => match failures.last() {
                Some(last) => write!(f, "the job failed {} times, at last: {last}", failures.len()),
                None => f.write_str("the job failed"),
            },
            Self::Expired => f.write_str("the job expired before it was begun"),
            Self::Cancelled => f.write_str("the job was cancelled"),
            Self::Dropped => f.write_str("the pool stopped before the job was done"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for JobError<E> {}

/// A job, by its number in its pool.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(pub(super) u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// How a job is to be treated.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) priority: u8,
    pub(super) attempts: u32,
    pub(super) backoff: Option<Backoff>,
    pub(super) time_limit: Option<Duration>,
    pub(super) expires_in: Option<Duration>,
    pub(super) delay: Option<Duration>,
    /// The number of its key.
    pub(super) key: Option<u64>,
}

/// Where the result goes.
pub(super) enum Sink<T, E> {
    Nobody,
    One(oneshot::Sender<Result<T, JobError<E>>>),
    Many(usize, mpsc::UnboundedSender<(usize, Result<T, JobError<E>>)>),
}

impl<T, E> Sink<T, E> {
    fn send(self, result: Result<T, JobError<E>>) {
        match self {
            Self::Nobody => {}
            // Whoever wanted it may have gone.
            Self::One(sender) => drop(sender.send(result)),
            Self::Many(index, sender) => drop(sender.send((index, result))),
        }
    }
}

/// Where a job waits or is worked at.
pub(super) trait Office: Send + Sync {
    /// A job has its result before it was done: it need not be.
    fn withdraw(&self, id: JobId);
}

/// A job that was submitted.
pub(super) struct Task<J, T, E> {
    pub(super) id: JobId,
    pub(super) job: Arc<J>,
    pub(super) terms: Terms,
    progress: Mutex<Progress<T, E>>,
    /// Tells whoever works at it that nobody wants it any more.
    pub(super) cancelled: Notify,
    office: Weak<dyn Office>,
}

/// A job that was submitted, for all who have to do with it.
pub(super) type TaskRef<J, T, E> = Arc<Task<J, T, E>>;

/// A job, for those who only may cancel it.
pub(super) trait Cancel: Send + Sync {
    fn cancel(&self) -> bool;
}

impl<J: Send + Sync, T: Send, E: Send + Sync> Cancel for Task<J, T, E> {
    fn cancel(&self) -> bool {
        let cancelled = self.finish(Err(JobError::Cancelled));
        if cancelled {
            self.cancelled.notify_one();
            if let Some(office) = self.office.upgrade() {
                office.withdraw(self.id);
            }
        }
        cancelled
    }
}

struct Progress<T, E> {
    failures: Vec<Failure<E>>,
    /// None when there is a result.
    sink: Option<Sink<T, E>>,
}

/// What becomes of a job whose attempt has failed.
pub(super) enum Verdict<E> {
    /// It is tried again, after a delay.
    Again(Duration),
    /// It has had all its attempts.
    Dead(Arc<[Failure<E>]>),
    /// It has a result, or nobody wants one any more.
    Over,
}

impl<J, T, E> Task<J, T, E> {
    pub(super) fn new(
        id: JobId,
        job: Arc<J>,
        terms: Terms,
        sink: Sink<T, E>,
        office: Weak<dyn Office>,
    ) -> Self {
        let progress = Mutex::new(Progress { failures: Vec::new(), sink: Some(sink) });
        Self { id, job, terms, progress, cancelled: Notify::new(), office }
    }

    /// Gives the result, if it is the first. Tells whether it was.
    pub(super) fn finish(&self, result: Result<T, JobError<E>>) -> bool {
        let sink = self.progress().sink.take();
        let first = sink.is_some();
        if let Some(sink) = sink {
            sink.send(result);
        }
        first
    }

    pub(super) fn is_over(&self) -> bool {
        self.progress().sink.is_none()
    }

    /// An attempt has failed.
    pub(super) fn fail(&self, failure: Failure<E>) -> Verdict<E> {
        let mut progress = self.progress();
        if progress.sink.is_none() {
            return Verdict::Over;
        }
        progress.failures.push(failure);
        let failures = u32::try_from(progress.failures.len()).unwrap_or(u32::MAX);
        if failures >= self.terms.attempts {
            return Verdict::Dead(std::mem::take(&mut progress.failures).into());
        }
        let backoff = self.terms.backoff.as_ref();
        Verdict::Again(
            backoff.map_or(Duration::ZERO, |backoff| backoff.delay(failures - 1, self.draw(failures))),
        )
    }

    /// What the jitter of its next delay is: of its own number, so that jobs that failed together come back apart.
    fn draw(&self, failures: u32) -> f64 {
        let mixed = (self.id.0 ^ u64::from(failures) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        f64::from((mixed >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }

    fn progress(&self) -> MutexGuard<'_, Progress<T, E>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a job that was submitted, when there is one. To drop it changes nothing: the job is done, and nobody hears of it.
#[must_use = "the result comes when it is awaited; to do without it, drop it on purpose"]
pub struct JobHandle<T, E> {
    pub(super) id: JobId,
    pub(super) result: oneshot::Receiver<Result<T, JobError<E>>>,
    pub(super) task: Arc<dyn Cancel>,
}

impl<T, E> JobHandle<T, E> {
    /// Its number.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Cancels the job: it is not begun, or its worker drops it at its next await. Its result is
    /// [`Cancelled`](JobError::Cancelled). False if it had one already.
    pub fn cancel(&self) -> bool {
        self.task.cancel()
    }
}

impl<T, E> Future for JobHandle<T, E> {
    type Output = Result<T, JobError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The pool is gone as a whole: its job with it.
        Pin::new(&mut self.result).poll(cx).map(|result| result.unwrap_or(Err(JobError::Dropped)))
    }
}

impl<T, E> fmt::Debug for JobHandle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A job that has had all its attempts, with what came of each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadJob<J, E> {
    /// Its number.
    pub id: JobId,
    /// The job itself.
    pub job: Arc<J>,
    /// Why its attempts failed, in order.
    pub failures: Arc<[Failure<E>]>,
}
