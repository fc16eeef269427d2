//! The destination of the result of a job.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

use perennial_actors::host::{Guarded, catch_panic, wake_each};
use tokio::sync::mpsc;

use crate::pool::job::{Failures, JobError};
use crate::pool::worker::Work;

/// The outcome of a job.
pub(crate) type Outcome<W> = Result<<W as Work>::Output, JobError<<W as Work>::Error>>;

/// An outcome under a panic guard, because it holds users' values that may panic when they are
/// dropped.
pub(crate) type GuardedOutcome<W> = Guarded<Outcome<W>>;

/// Sends results to a batch, each with the index of its job.
pub(crate) type BatchSender<W> = mpsc::UnboundedSender<(usize, GuardedOutcome<W>)>;

/// The number of a handle among the handles of one job. The handle of the submitter has number 0.
pub(crate) type HandleNumber = u64;

/// The destination of the result.
pub(crate) enum ResultSink<W: Work + 'static> {
    /// No receiver.
    Discard,
    /// The handle of the submitter, and its waker.
    Single(Option<Waker>),
    /// A batch, and the index of the job in it.
    Batch(usize, BatchSender<W>),
    /// Several handles.
    Shared(Box<Observers<W>>),
    /// The outcome is decided, and no handle has taken it.
    Ready(GuardedOutcome<W>),
    /// The outcome was taken. This is what the other handles get.
    Taken(JobError<W::Error>),
}

/// The receivers of a result that was asked for by the id of the job.
pub(crate) struct Observers<W: Work + 'static> {
    /// The wakers of the handles that wait.
    wakers: BTreeMap<HandleNumber, Option<Waker>>,
    last: HandleNumber,
    /// The batch that gets the result.
    batch: Option<(usize, BatchSender<W>)>,
}

/// What remains to be done, under no lock, after the delivery of a result.
pub(crate) struct AfterDelivery<W: Work + 'static> {
    /// The wakers of the handles that wait.
    wakers: BTreeMap<HandleNumber, Option<Waker>>,
    batch: Option<(usize, BatchSender<W>)>,
    /// The result, if it is not for the handles.
    outcome: Option<GuardedOutcome<W>>,
}

impl<W: Work + 'static> ResultSink<W> {
    /// Returns `true` if the result has a receiver.
    pub(crate) const fn is_observed(&self) -> bool {
        !matches!(self, Self::Discard)
    }

    pub(crate) const fn single() -> Self {
        Self::Single(None)
    }

    /// Makes the sink keep a result that has no receiver.
    pub(crate) fn keep(&mut self) {
        if let Self::Discard = self {
            *self = Self::single();
        }
    }

    /// Adds a handle and returns its number.
    pub(crate) fn add_handle(&mut self) -> HandleNumber {
        let (waiting, batch) = match mem::replace(self, Self::Discard) {
            Self::Discard => (None, None),
            Self::Single(waiting) => (waiting, None),
            Self::Batch(index, others) => (None, Some((index, others))),
            Self::Shared(mut observers) => {
                observers.last += 1;
                let number = observers.last;
                *self = Self::Shared(observers);
                return number;
            }
            decided @ (Self::Ready(_) | Self::Taken(_)) => {
                *self = decided;
                return 0;
            }
        };
        let wakers = BTreeMap::from([(0, waiting)]);
        *self = Self::Shared(Box::new(Observers { wakers, last: 1, batch }));
        1
    }

    /// Removes a handle and returns its waker.
    pub(crate) fn remove_handle(&mut self, number: HandleNumber) -> Option<Waker> {
        let Self::Shared(observers) = self else { return None };
        observers.wakers.remove(&number).flatten()
    }

    /// Returns the place of the waker of a handle, or `None` if the outcome is decided.
    pub(crate) fn waker(&mut self, number: HandleNumber) -> Option<&mut Option<Waker>> {
        match self {
            Self::Single(waiting) => Some(waiting),
            Self::Shared(observers) => Some(observers.wakers.entry(number).or_default()),
            _ => None,
        }
    }

    /// Stores the outcome for the only handle, and returns its waker. Gives the outcome back if
    /// there is another receiver.
    pub(crate) fn deliver_to_one(
        &mut self,
        outcome: GuardedOutcome<W>,
    ) -> Result<Option<Waker>, GuardedOutcome<W>> {
        let Self::Single(waiting) = self else { return Err(outcome) };
        let waiting = waiting.take();
        *self = Self::Ready(outcome);
        Ok(waiting)
    }

    /// Stores the outcome for several handles, or returns it for a batch or no receiver.
    pub(crate) fn deliver(
        &mut self,
        outcome: GuardedOutcome<W>,
        failures: impl FnOnce() -> Failures<W::Error>,
    ) -> AfterDelivery<W> {
        let (wakers, batch) = match mem::replace(self, Self::Discard) {
            Self::Shared(observers) => (observers.wakers, observers.batch),
            Self::Batch(index, others) => (BTreeMap::new(), Some((index, others))),
            _ => {
                *self = Self::Taken(left_of(&outcome, failures));
                return AfterDelivery { wakers: BTreeMap::new(), batch: None, outcome: Some(outcome) };
            }
        };
        if batch.is_none() {
            *self = Self::Ready(outcome);
            return AfterDelivery { wakers, batch, outcome: None };
        }
        *self = Self::Taken(left_of(&outcome, failures));
        AfterDelivery { wakers, batch, outcome: Some(outcome) }
    }

    /// Takes the outcome of a job with these failures. Later calls return an error, so that no
    /// handle waits for it forever.
    pub(crate) fn take(&mut self, failures: impl FnOnce() -> Failures<W::Error>) -> Outcome<W> {
        let taken = match mem::replace(self, Self::Discard) {
            Self::Ready(outcome) => outcome.into_inner(),
            Self::Taken(error) => Some(Err(error)),
            _ => None,
        };
        let taken = taken.unwrap_or_else(|| Err(JobError::ResultTaken(Failures::default())));
        *self = Self::Taken(left_of(&taken, failures));
        taken
    }
}

/// Returns what the other handles get when this outcome is taken: an error is for all of them.
fn left_of<T, E>(outcome: &Result<T, JobError<E>>, failures: impl FnOnce() -> Failures<E>) -> JobError<E> {
    match outcome {
        Ok(_) => JobError::ResultTaken(failures()),
        Err(error) => error.clone(),
    }
}

impl<W: Work + 'static> AfterDelivery<W> {
    /// Wakes the worker and the handles that wait, and sends the result to its batch. Returns a
    /// result that has no receiver.
    pub(crate) fn finish(self, worker: Option<Waker>) -> Option<GuardedOutcome<W>> {
        let Self { wakers, batch, outcome } = self;
        let undelivered = match (batch, outcome) {
            (Some((index, others)), Some(outcome)) => send(&others, index, outcome),
            (_, outcome) => outcome,
        };
        wake_each(worker.into_iter().chain(wakers.into_values().flatten()));
        undelivered
    }
}

/// Sends a result to its batch. Returns it if the batch is gone.
fn send<T>(others: &mpsc::UnboundedSender<(usize, T)>, index: usize, outcome: T) -> Option<T> {
    // The waker of the batch may panic; the result is sent by then.
    let sent = catch_panic(None, || others.send((index, outcome)));
    sent.ok()?.err().map(|refused| refused.0.1)
}
