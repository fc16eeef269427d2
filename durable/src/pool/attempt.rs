//! One attempt at a leased job: decoded, run by the pool in memory, and its outcome encoded.

use std::fmt::Display;
use std::future::IntoFuture;
use std::sync::Arc;

use perennial_actors::host::{Foreign, Guarded, catch_panic};
use perennial_supervision::pool::{
    AttemptError, JobError, JobHandle, JobOrigin, JobProgress, Retry, Submission, SubmitError, SubmitFuture,
    Work,
};

use super::in_flight::EndedAttempt;
use super::shared::{RetryRule, Shared};
use crate::batch::AttemptEnd;
use crate::history::AttemptFailure;
use crate::record::JobRecord;
use crate::run_options::RunOptions;
use crate::wire::{Wire, decode};

/// A job on its way into the pool in memory.
enum Submitted<W: Work + 'static> {
    Queued(JobHandle<W>),
    /// Others have filled its queue.
    Waits(SubmitFuture<W>),
    Closed,
    Undecodable(String),
}

/// Submits a leased job to the pool in memory. Returns the future of its end.
pub(super) fn start<W>(
    shared: &Arc<Shared<W>>,
    record: JobRecord,
) -> impl Future<Output = EndedAttempt> + Send + use<W>
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    let submitted = submit(shared, &record);
    let shared = shared.clone();
    async move {
        let handle = match submitted {
            Submitted::Queued(handle) => Ok(handle),
            Submitted::Waits(submit) => submit.await.map_err(|refused| {
                drop_guarded(refused);
                AttemptFailure::Released
            }),
            Submitted::Closed => Err(AttemptFailure::Released),
            Submitted::Undecodable(reason) => Err(AttemptFailure::Undecodable(reason)),
        };
        let is_refused = matches!(handle, Err(AttemptFailure::Released));
        let end = match handle {
            Ok(handle) => {
                shared.running.lock().insert(record.id, handle.id());
                let outcome = Guarded::new(handle.await);
                shared.running.lock().remove(&record.id);
                end_of(&shared, &record, outcome)
            }
            Err(failure) => shared.after_failure(&record, failure, Retry::Never),
        };
        let progress = shared.reports.take(record.id, record.attempt);
        EndedAttempt { job: record.id, attempt: record.attempt, end, progress, is_refused }
    }
}

fn submit<W>(shared: &Arc<Shared<W>>, record: &JobRecord) -> Submitted<W>
where
    W: Work<Job: Wire> + 'static,
{
    let decoded = catch_panic(None, || decode::<W::Job>(&record.job.payload));
    let job = match decoded {
        Ok(Ok(job)) => job,
        Ok(Err(error)) => return Submitted::Undecodable(error.to_string()),
        Err(panicked) => return Submitted::Undecodable(panicked.to_string()),
    };
    match submission(shared, record, job).try_submit() {
        Ok(handle) => {
            // It can be cancelled from now on.
            shared.running.lock().insert(record.id, handle.id());
            Submitted::Queued(handle)
        }
        Err(SubmitError::Full(job)) => Submitted::Waits(submission(shared, record, job).into_future()),
        Err(refused) => {
            drop_guarded(refused);
            Submitted::Closed
        }
    }
}

/// Returns the submission to the pool in memory, with the options that it needs.
fn submission<W>(shared: &Arc<Shared<W>>, record: &JobRecord, job: W::Job) -> Submission<W>
where
    W: Work + 'static,
{
    let progress = record.last_progress();
    let origin = JobOrigin {
        id: record.id.0,
        attempt: record.attempt,
        progress: progress.map(|progress| JobProgress::new(progress.done, progress.total)),
        traceparent: record.job.options.traceparent.as_deref().map(Arc::from),
        sink: Some(shared.reports.clone()),
    };
    let mut submission = shared.pool.submit(job).origin(origin).priority(record.job.priority);
    let RunOptions { time_limit, soft_time_limit, rate_key, .. } = &record.job.options;
    if let Some(limit) = time_limit {
        submission = submission.time_limit(*limit);
    }
    if let Some(limit) = soft_time_limit {
        submission = submission.soft_time_limit(*limit);
    }
    if let Some(key) = rate_key {
        submission = submission.rate_key(key);
    }
    submission
}

/// Drops a job that was not accepted. It is a value of the user.
fn drop_guarded<J>(refused: SubmitError<J>) {
    drop(Guarded::new(refused.into_job()));
}

type GuardedOutcome<W> = Guarded<Result<<W as Work>::Output, JobError<<W as Work>::Error>>>;

fn end_of<W>(shared: &Shared<W>, record: &JobRecord, outcome: GuardedOutcome<W>) -> AttemptEnd
where
    W: Work<Output: Wire, Error: Display> + 'static,
{
    match outcome.into_inner() {
        Some(Ok(output)) => completed(shared, record, output),
        Some(Err(error)) => failed(shared, record, &error),
        None => shared.after_failure(record, AttemptFailure::Released, Retry::Never),
    }
}

fn completed<W>(shared: &Shared<W>, record: &JobRecord, output: W::Output) -> AttemptEnd
where
    W: Work<Output: Wire> + 'static,
{
    let output = Foreign::new(output);
    if record.job.retention.is_zero() {
        return AttemptEnd::Completed(None);
    }
    let encode = shared.settings.lock().encode_output;
    // The job has run, so it is not tried again.
    let unstorable = |reason: String| {
        AttemptEnd::Dead(AttemptFailure::Error(format!("the output cannot be stored: {reason}")))
    };
    match catch_panic(None, || encode(&output)) {
        Ok(Ok(payload)) => AttemptEnd::Completed(Some(payload)),
        Ok(Err(error)) => unstorable(error.to_string()),
        Err(panicked) => unstorable(panicked.to_string()),
    }
}

fn failed<W>(shared: &Shared<W>, record: &JobRecord, error: &JobError<W::Error>) -> AttemptEnd
where
    W: Work<Error: Display> + 'static,
{
    let (failure, retry) = match error.failures().last() {
        Some(AttemptError::Error(error)) => decide(shared, error),
        Some(AttemptError::TimedOut) => (AttemptFailure::TimedOut, Retry::Backoff),
        Some(AttemptError::WorkerEnded(reason)) => {
            (AttemptFailure::WorkerEnded(reason.to_string()), Retry::Backoff)
        }
        // The pool in memory stopped, or the job was cancelled there, before it ended.
        _ if matches!(error, JobError::Cancelled(_)) => (AttemptFailure::Cancelled, Retry::Never),
        _ => (AttemptFailure::Released, Retry::Never),
    };
    shared.after_failure(record, failure, retry)
}

/// Returns the text of an error, and what the pool decides on it. Runs users' code under a guard.
fn decide<W>(shared: &Shared<W>, error: &W::Error) -> (AttemptFailure, Retry)
where
    W: Work<Error: Display> + 'static,
{
    let rule = shared.settings.lock().retry.clone();
    let retry = match rule {
        RetryRule::Never => Ok(Retry::Never),
        RetryRule::Always => Ok(Retry::Backoff),
        RetryRule::If(decide) => catch_panic(None, || decide(error)),
    };
    let text = catch_panic(None, || error.to_string());
    match (text, retry) {
        (Ok(text), Ok(retry)) => (AttemptFailure::Error(text), retry),
        (Ok(text), Err(panicked)) => {
            (AttemptFailure::Error(format!("{text} (the decision on a retry: {panicked})")), Retry::Never)
        }
        (Err(panicked), _) => (AttemptFailure::Error(panicked.to_string()), Retry::Never),
    }
}
