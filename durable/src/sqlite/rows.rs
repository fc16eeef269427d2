//! Values as they are in the tables.

use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode, Row};

use crate::error::StoreError;
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp, Unique};
use crate::run_options::RunOptions;

/// The columns of a job, in the order in which [`job`] reads them.
pub(super) const JOB: &str = "id, queue, state, attempt, epoch, priority, submitted, due, expires, \
    started, ended, retained_until, first_due, key, unique_key, unique_over, unique_period, \
    at_most_once, retention, attempts, lost_attempts, progress_done, progress_total, forgiven, \
    history, tag, version, codec, body, output_tag, output_version, output_codec, output_body, \
    options";

/// Returns a number as a column has it. Numbers that are too large become the largest.
pub(super) fn int(number: u64) -> i64 {
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

fn times(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Error> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|time| Timestamp(uint(time))))
}

fn number<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    let value: i64 = row.get(column)?;
    T::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

fn malformed(column: usize, reason: String) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, reason.into())
}

/// Reads the payload that begins at a column.
pub(super) fn payload(row: &Row<'_>, first: usize) -> Result<Payload, Error> {
    Ok(Payload {
        tag: row.get(first)?,
        version: number(row, first + 1)?,
        codec: row.get(first + 2)?,
        bytes: row.get(first + 3)?,
    })
}

/// Reads the payload that begins at a column, if there is one.
pub(super) fn payload_if_any(row: &Row<'_>, first: usize) -> Result<Option<Payload>, Error> {
    let tag: Option<String> = row.get(first)?;
    tag.map(|_| payload(row, first)).transpose()
}

/// Reads a job from the columns [`JOB`].
pub(super) fn job(row: &Row<'_>) -> Result<JobRecord, Error> {
    let name: String = row.get(2)?;
    let state =
        RecordState::from_name(&name).ok_or_else(|| malformed(2, format!("there is no state {name}")))?;
    let history: String = row.get(24)?;
    let history = serde_json::from_str(&history).map_err(|error| malformed(24, error.to_string()))?;
    let progress = row.get::<_, Option<i64>>(21)?.zip(row.get::<_, Option<i64>>(22)?);
    let progress = progress.map(|(done, total)| RecordedProgress { done: uint(done), total: uint(total) });
    Ok(JobRecord {
        id: JobId(number(row, 0)?),
        job: new_job(row)?,
        state,
        attempt: number(row, 3)?,
        epoch: row.get::<_, Option<i64>>(4)?.map(|epoch| Epoch(uint(epoch))),
        submitted: Timestamp(number(row, 6)?),
        due: Timestamp(number(row, 7)?),
        started: times(row, 9)?,
        ended: times(row, 10)?,
        retained_until: times(row, 11)?,
        progress,
        output: payload_if_any(row, 29)?,
        history,
        forgiven: number(row, 23)?,
    })
}

fn new_job(row: &Row<'_>) -> Result<NewJob, Error> {
    let period = row.get::<_, Option<i64>>(16)?;
    let unique = row.get::<_, Option<String>>(14)?;
    let over_counts = row.get::<_, Option<bool>>(15)?.unwrap_or_default();
    Ok(NewJob {
        queue: row.get(1)?,
        payload: payload(row, 25)?,
        priority: number(row, 5)?,
        due: Timestamp(number(row, 12)?),
        expires: times(row, 8)?,
        key: row.get(13)?,
        unique: unique.map(|key| Unique {
            key,
            over_counts,
            period: period.map(|period| Duration::from_millis(uint(period))),
        }),
        at_most_once: row.get(17)?,
        retention: Duration::from_millis(number(row, 18)?),
        attempts: number(row, 19)?,
        lost_attempts: number(row, 20)?,
        options: run_options(row, 33)?,
    })
}

fn run_options(row: &Row<'_>, column: usize) -> Result<RunOptions, Error> {
    let options: Option<String> = row.get(column)?;
    let options = options.map(|options| serde_json::from_str(&options)).transpose();
    Ok(options.map_err(|error| malformed(column, error.to_string()))?.unwrap_or_default())
}

/// Returns the error of a store that an error of SQLite is.
pub(super) fn store_error(error: &Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(text),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(text),
        Some(_) => StoreError::Failed(text),
        None if matches!(
            error,
            Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::InvalidColumnType(..)
        ) =>
        {
            StoreError::Corrupt(text)
        }
        None => StoreError::Failed(text),
    }
}
