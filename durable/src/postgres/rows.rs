//! Values as they are in the tables.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::error::StoreError;
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp, Unique};
use crate::run_options::RunOptions;

/// The columns of a job, in the order in which [`job`] reads them.
macro_rules! job_columns {
    () => {
        concat!($crate::postgres::rows::job_columns!(@before), "body", $crate::postgres::rows::job_columns!(@after))
    };
    // The columns of a job that is changed: its payload stays as it is.
    (without body) => {
        concat!($crate::postgres::rows::job_columns!(@before), "''::bytea", $crate::postgres::rows::job_columns!(@after))
    };
    (@before) => {
        "id, queue, state, attempt, epoch, priority, submitted, due, expires, started, ended, \
        retained_until, first_due, key, unique_key, unique_over, unique_period, at_most_once, \
        retention, attempts, lost_attempts, progress_done, progress_total, forgiven, history::text, \
        tag, version, codec, "
    };
    (@after) => {
        ", output_tag, output_version, output_codec, output_body, options::text"
    };
}
pub(super) use job_columns;

/// Returns a number as a column has it. Numbers that are too large become the largest.
pub(super) fn int(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) fn size(number: usize) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) const fn uint(number: i64) -> u64 {
    number.unsigned_abs()
}

pub(super) fn time(time: Timestamp) -> i64 {
    int(time.0)
}

pub(super) fn millis(time: Duration) -> i64 {
    time.as_millis().try_into().unwrap_or(i64::MAX)
}

/// Returns a value as a column of JSON has it.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}

/// Returns options as a column has them: `NULL` if none is set.
pub(super) fn options(options: &RunOptions) -> Result<Option<String>, StoreError> {
    if options.is_default() { Ok(None) } else { json(options).map(Some) }
}

/// Reads a column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads a number of a column.
pub(super) fn number<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T, StoreError> {
    let value: i64 = get(row, column)?;
    let corrupt = |_| StoreError::Corrupt(format!("column {column} has {value}"));
    T::try_from(value).map_err(corrupt)
}

fn time_if_any(row: &Row, column: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(|time| Timestamp(uint(time))))
}

/// Reads the payload that begins at a column.
pub(super) fn payload(row: &Row, first: usize) -> Result<Payload, StoreError> {
    Ok(Payload {
        tag: get(row, first)?,
        version: number(row, first + 1)?,
        codec: get(row, first + 2)?,
        bytes: get(row, first + 3)?,
    })
}

/// Reads the payload that begins at a column, if there is one.
pub(super) fn payload_if_any(row: &Row, first: usize) -> Result<Option<Payload>, StoreError> {
    let tag: Option<String> = get(row, first)?;
    tag.map(|_| payload(row, first)).transpose()
}

/// Reads a job from its columns.
pub(super) fn job(row: &Row) -> Result<JobRecord, StoreError> {
    let name: &str = get(row, 2)?;
    let state = RecordState::from_name(name)
        .ok_or_else(|| StoreError::Corrupt(format!("there is no state {name}")))?;
    let history: &str = get(row, 24)?;
    let history = serde_json::from_str(history).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let progress = get::<Option<i64>>(row, 21)?.zip(get::<Option<i64>>(row, 22)?);
    Ok(JobRecord {
        id: JobId(number(row, 0)?),
        job: new_job(row)?,
        state,
        attempt: number(row, 3)?,
        epoch: get::<Option<i64>>(row, 4)?.map(|epoch| Epoch(uint(epoch))),
        submitted: Timestamp(number(row, 6)?),
        due: Timestamp(number(row, 7)?),
        started: time_if_any(row, 9)?,
        ended: time_if_any(row, 10)?,
        retained_until: time_if_any(row, 11)?,
        progress: progress.map(|(done, total)| RecordedProgress { done: uint(done), total: uint(total) }),
        output: payload_if_any(row, 29)?,
        history,
        forgiven: number(row, 23)?,
    })
}

fn new_job(row: &Row) -> Result<NewJob, StoreError> {
    let period: Option<i64> = get(row, 16)?;
    let unique: Option<String> = get(row, 14)?;
    let over_counts = get::<Option<bool>>(row, 15)?.unwrap_or_default();
    Ok(NewJob {
        queue: get(row, 1)?,
        payload: payload(row, 25)?,
        priority: number(row, 5)?,
        due: Timestamp(number(row, 12)?),
        expires: time_if_any(row, 8)?,
        key: get(row, 13)?,
        unique: unique.map(|key| Unique {
            key,
            over_counts,
            period: period.map(|period| Duration::from_millis(uint(period))),
        }),
        at_most_once: get(row, 17)?,
        retention: Duration::from_millis(number(row, 18)?),
        attempts: number(row, 19)?,
        lost_attempts: number(row, 20)?,
        options: run_options(row, 33)?,
    })
}

fn run_options(row: &Row, column: usize) -> Result<RunOptions, StoreError> {
    let options: Option<&str> = get(row, column)?;
    let options = options.map(serde_json::from_str).transpose();
    Ok(options.map_err(|error| StoreError::Corrupt(error.to_string()))?.unwrap_or_default())
}
