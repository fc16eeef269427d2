//! Storing a job in a transaction of the caller.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

use super::errors::store_error;
use super::load::LOCK_UNIQUE;
use super::process::Notice;
use super::rows::{get, millis, number, options, time};
use super::schema::quoted;
use crate::batch::Applied;
use crate::error::StoreError;
use crate::record::{JobId, JobRecord, NewJob, RecordState, Timestamp, Unique};

pub(super) async fn enqueue_in(
    transaction: &Transaction<'_>,
    schema: &str,
    job: NewJob,
) -> Result<Applied, StoreError> {
    let now = Timestamp::now();
    if let Some(unique) = &job.unique
        && let Some(id) = find_unique(transaction, schema, &job.queue, unique, now).await?
    {
        return Ok(Applied::Existing(id));
    }
    let JobRecord { job, state, due, .. } = JobRecord::new(JobId(0), job, now);
    let sql = format!(
        "WITH new AS (INSERT INTO {}.jobs (queue, state, attempt, priority, submitted, due, expires, \
        first_due, key, unique_key, unique_over, unique_period, at_most_once, retention, attempts, \
        lost_attempts, forgiven, history, tag, version, codec, body, options) VALUES ($1, $2, 0, $3, $4, $5, $6, \
        $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, '[]', $16, $17, $18, $19, $22::text::json) RETURNING id) \
        SELECT id, pg_notify($20, $21) FROM new",
        quoted(schema)
    );
    let unique = job.unique.as_ref();
    let params: [&(dyn ToSql + Sync); 22] = [
        &job.queue,
        &state.name(),
        &i64::from(job.priority),
        &time(now),
        &time(due),
        &job.expires.map(time),
        &time(job.due),
        &job.key,
        &unique.map(|unique| &unique.key),
        &unique.map(|unique| unique.over_counts),
        &unique.and_then(|unique| unique.period).map(millis),
        &job.at_most_once,
        &millis(job.retention),
        &i64::from(job.attempts),
        &i64::from(job.lost_attempts),
        &job.payload.tag,
        &i64::from(job.payload.version),
        &job.payload.codec,
        &job.payload.bytes,
        &schema,
        // Of no process: all are told.
        &format!("{} 0", Notice::Changed.name()),
        &options(&job.options)?,
    ];
    let row = transaction.query_one(&sql, &params).await.map_err(|error| store_error(&error))?;
    Ok(Applied::Enqueued(JobId(number(&row, 0)?)))
}

/// Returns a job that is the same by a rule. No other is stored before the end of the transaction.
async fn find_unique(
    transaction: &Transaction<'_>,
    schema: &str,
    queue: &str,
    unique: &Unique,
    now: Timestamp,
) -> Result<Option<JobId>, StoreError> {
    let shown = |error: tokio_postgres::Error| store_error(&error);
    let (queues, keys) = ([queue], [&unique.key]);
    transaction.query(LOCK_UNIQUE, &[&&queues[..], &&keys[..]]).await.map_err(shown)?;
    let since = unique.period.map_or(Timestamp(0), |period| now.saturating_sub(period));
    let sql = format!(
        "SELECT id, state FROM {}.jobs WHERE queue = $1 AND unique_key = $2 \
        AND hashtextextended(unique_key, 0) = hashtextextended($2, 0) AND submitted >= $3 ORDER BY id",
        quoted(schema)
    );
    let same = transaction.query(&sql, &[&queue, &unique.key, &time(since)]).await.map_err(shown)?;
    let counts = |row: &&Row| {
        let state = get(row, 1).map(RecordState::from_name).ok().flatten();
        unique.over_counts || state.is_none_or(|state| !state.is_over())
    };
    same.iter().find(counts).map(|row| number(row, 0).map(JobId)).transpose()
}
