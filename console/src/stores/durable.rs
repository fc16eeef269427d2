//! What a durable store answers, as values of the API.

use std::error::Error;
use std::sync::Arc;

use perennial_durable::inspect::{JobChange, payload_text, set_paused};
use perennial_durable::{
    AttemptRecord, JobFilter, JobId, JobRecord, Payload, QueueInfo, RecordState, Store, StoreError, Timestamp,
};

use super::known::{ActionEffect, AnyStore, JobsQuery, KnownStore};
use crate::actions::JobAction;
use crate::api::{
    DurableAttempt, DurableJob, DurableJobPage, DurableJobRow, DurableJobState, DurableProgress, Problem,
    ProblemKind, QueueRow,
};
use crate::asked::Answer;

/// The most jobs that are read at once. A job may have megabytes, of which a row has a few.
const READ: usize = 25;

/// The longest text of a job, an output or an error, in characters.
const TEXT: usize = 4096;

impl KnownStore {
    pub(crate) fn of(name: String, store: Arc<dyn Store>) -> Self {
        Self::new(name, Arc::new(Durable(store)))
    }
}

struct Durable(Arc<dyn Store>);

impl AnyStore for Durable {
    fn queues(&self) -> Answer<Vec<QueueRow>> {
        let queues = self.0.queues();
        Box::pin(async move {
            let queues = queues.await.map_err(|error| failed(&error))?;
            Ok(queues.iter().map(|(queue, info)| queue_row(queue, info)).collect())
        })
    }

    fn jobs(&self, query: JobsQuery) -> Answer<DurableJobPage> {
        let store = self.0.clone();
        Box::pin(async move { page(&*store, query).await.map_err(|error| failed(&error)) })
    }

    fn job(&self, id: u64) -> Answer<Option<DurableJob>> {
        let found = self.0.job(JobId(id));
        Box::pin(async move { Ok(found.await.map_err(|error| failed(&error))?.as_ref().map(job)) })
    }

    fn act(&self, id: u64, action: JobAction) -> Answer<ActionEffect> {
        let store = self.0.clone();
        let change = match action {
            JobAction::Cancel => JobChange::Cancel,
            JobAction::Retry => JobChange::Retry,
            JobAction::Drop => JobChange::Drop,
        };
        Box::pin(async move {
            let changed = change
                .apply(&*store, &[JobId(id)], Timestamp::now())
                .await
                .map_err(|error| failed(&error))?;
            if !changed.is_empty() {
                return Ok(ActionEffect::Changed);
            }
            let known = store.job(JobId(id)).await.map_err(|error| failed(&error))?;
            Ok(if known.is_some() { ActionEffect::WrongState } else { ActionEffect::Missing })
        })
    }

    fn set_paused(&self, queue: String, paused: bool) -> Answer<()> {
        let store = self.0.clone();
        Box::pin(async move {
            set_paused(&*store, &queue, paused, Timestamp::now()).await.map_err(|error| failed(&error))
        })
    }
}

fn failed(error: &dyn Error) -> Problem {
    Problem::new(ProblemKind::Unavailable, format!("the store failed: {error}"))
}

/// Reads a part of the jobs of a queue, some at once: only their rows are kept.
async fn page(store: &dyn Store, query: JobsQuery) -> Result<DurableJobPage, StoreError> {
    let JobsQuery { queue, state, after, limit } = query;
    let state = state.and_then(|state| RecordState::ALL.into_iter().find(|known| shown(*known) == state));
    let info = store.queue(&queue).await?;
    let total = state.map_or_else(|| info.jobs.values().sum(), |state| info.count(state));
    let (mut items, mut after) = (Vec::new(), after.map(JobId));
    // One more than are shown says whether there is a next part.
    while items.len() <= limit {
        let max = READ.min(limit + 1 - items.len());
        let records = store.jobs(JobFilter { queue: Some(queue.clone()), state, after, max }).await?;
        items.extend(records.iter().map(row));
        if records.len() < max {
            break;
        }
        after = records.last().map(|record| record.id);
    }
    let queue = queue_row(&queue, &info);
    let has_next = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_next).map(|job: &DurableJobRow| job.id);
    Ok(DurableJobPage { queue, total, items, next })
}

fn queue_row(queue: &str, info: &QueueInfo) -> QueueRow {
    let jobs = RecordState::ALL.into_iter().map(|state| (shown(state), info.count(state)));
    QueueRow { queue: queue.to_owned(), paused: info.paused, jobs: jobs.collect() }
}

fn row(record: &JobRecord) -> DurableJobRow {
    let last = record.history.last().and_then(|attempt| attempt.failure.as_ref());
    DurableJobRow {
        id: record.id.0,
        queue: record.job.queue.clone(),
        state: shown(record.state),
        text: payload(&record.job.payload),
        attempt: record.attempt,
        submitted_at_millis: record.submitted.0,
        due_at_millis: record.due.0,
        started_at_millis: record.started.map(|time| time.0),
        ended_at_millis: record.ended.map(|time| time.0),
        error: last.map(|failure| short(failure.to_string())),
    }
}

fn job(record: &JobRecord) -> DurableJob {
    let JobRecord { job, history, .. } = record;
    let attempts = history.iter().enumerate();
    let is_forgiven = |index: usize| u32::try_from(index).is_ok_and(|index| index < record.forgiven);
    let changes = JobChange::ALL.into_iter().filter(|change| change.applies_to(record.state));
    DurableJob {
        job: row(record),
        type_name: job.payload.tag.clone(),
        type_version: job.payload.version,
        priority: job.priority,
        key: job.key.clone(),
        unique: job.unique.as_ref().map(|unique| unique.key.clone()),
        at_most_once: job.at_most_once,
        max_failed: job.attempts,
        max_lost: job.lost_attempts,
        expires_at_millis: job.expires.map(|time| time.0),
        traceparent: job.options.traceparent.clone(),
        process: record.epoch.map(|epoch| epoch.0),
        progress: record
            .last_progress()
            .map(|progress| DurableProgress { done: progress.done, total: progress.total }),
        output: record.output.as_ref().map(payload),
        attempts: attempts.map(|(index, ended)| attempt(ended, is_forgiven(index))).collect(),
        actions: changes.map(|change| change.name().to_owned()).collect(),
    }
}

fn attempt(ended: &AttemptRecord, is_forgiven: bool) -> DurableAttempt {
    DurableAttempt {
        number: ended.number,
        process: ended.epoch.0,
        started_at_millis: ended.started.0,
        ended_at_millis: ended.ended.0,
        failure: ended.failure.as_ref().map(|failure| short(failure.to_string())),
        is_forgiven,
    }
}

fn payload(payload: &Payload) -> String {
    short(payload_text(payload))
}

/// Returns a text, or the beginning of a long one.
fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

const fn shown(state: RecordState) -> DurableJobState {
    match state {
        RecordState::Delayed => DurableJobState::Delayed,
        RecordState::Queued => DurableJobState::Queued,
        RecordState::Running => DurableJobState::Running,
        RecordState::Completed => DurableJobState::Completed,
        RecordState::Dead => DurableJobState::Dead,
        RecordState::Cancelled => DurableJobState::Cancelled,
        RecordState::Expired => DurableJobState::Expired,
        RecordState::Unknown => DurableJobState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_has_the_name_in_json_that_it_has_in_the_store() {
        for state in RecordState::ALL {
            assert_eq!(serde_json::to_value(shown(state)).ok(), Some(state.name().into()), "{state:?}");
        }
    }
}
