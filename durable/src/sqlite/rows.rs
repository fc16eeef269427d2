//! Values as they are in the tables.

use std::time::Duration;

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Error, ErrorCode, Row};

use crate::error::StoreError;
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp, Unique};
use crate::run_options::RunOptions;

/// Makes a statement that reads jobs: their columns, in the order in which [`job`] reads them,
/// before other parts.
macro_rules! select_jobs {
    ($($rest:literal),*) => {
        concat!(
            "SELECT id, queue, attempt, priority, submitted, due, expires, first_due, key, unique_key, \
            unique_over, unique_period, at_most_once, retention, attempts, lost_attempts, forgiven, \
            history, tag, version, codec, body, options, started, progress_done, progress_total, \
            state, epoch, ended, retained_until, output_tag, output_version, output_codec, output_body \
            FROM jobs ",
            $($rest),*
        )
    };
}

/// The columns of a job that is queued, in the same order. The others are of an attempt that runs,
/// and of the end.
macro_rules! queued_columns {
    () => {
        "w.id, w.queue, w.attempt, w.priority, s.submitted, w.due, s.expires, s.due, w.key, \
        s.unique_key, s.unique_over, s.unique_period, s.at_most_once, w.retention, s.attempts, \
        s.lost_attempts, w.forgiven, w.history, s.tag, s.version, s.codec, s.body, s.options, w.started, \
        w.progress_done, w.progress_total"
    };
}

pub(super) use {queued_columns, select_jobs};

/// The history of a job of which no attempt has ended.
const NO_HISTORY: &[u8] = b"[]";

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

pub(super) fn number<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    let value: i64 = row.get(column)?;
    T::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

fn malformed(column: usize, reason: String) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, reason.into())
}

fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str, Error> {
    let value = row.get_ref(column)?;
    let wrong_type = |_| Error::InvalidColumnType(column, "text".to_owned(), value.data_type());
    value.as_str().map_err(wrong_type)
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

/// Reads a job of any state from all columns.
pub(super) fn job(row: &Row<'_>) -> Result<JobRecord, Error> {
    let name = text(row, 26)?;
    let state =
        RecordState::from_name(name).ok_or_else(|| malformed(26, format!("there is no state {name}")))?;
    Ok(JobRecord {
        state,
        epoch: row.get::<_, Option<i64>>(27)?.map(|epoch| Epoch(uint(epoch))),
        ended: times(row, 28)?,
        retained_until: times(row, 29)?,
        output: payload_if_any(row, 30)?,
        ..queued_job(row)?
    })
}

/// Reads a queued job from its columns.
pub(super) fn queued_job(row: &Row<'_>) -> Result<JobRecord, Error> {
    let history = match row.get_ref(17)? {
        ValueRef::Null | ValueRef::Text(NO_HISTORY) => Vec::new(),
        _ => serde_json::from_str(text(row, 17)?).map_err(|error| malformed(17, error.to_string()))?,
    };
    let progress = row.get::<_, Option<i64>>(24)?.zip(row.get::<_, Option<i64>>(25)?);
    let progress = progress.map(|(done, total)| RecordedProgress { done: uint(done), total: uint(total) });
    Ok(JobRecord {
        id: JobId(number(row, 0)?),
        job: new_job(row)?,
        state: RecordState::Queued,
        attempt: number(row, 2)?,
        epoch: None,
        submitted: Timestamp(number(row, 4)?),
        due: Timestamp(number(row, 5)?),
        started: times(row, 23)?,
        ended: None,
        retained_until: None,
        progress,
        output: None,
        history,
        forgiven: number(row, 16)?,
    })
}

fn new_job(row: &Row<'_>) -> Result<NewJob, Error> {
    let period = row.get::<_, Option<i64>>(11)?;
    let unique = row.get::<_, Option<String>>(9)?;
    let over_counts = row.get::<_, Option<bool>>(10)?.unwrap_or_default();
    Ok(NewJob {
        queue: row.get(1)?,
        payload: payload(row, 18)?,
        priority: number(row, 3)?,
        due: Timestamp(number(row, 7)?),
        expires: times(row, 6)?,
        key: row.get(8)?,
        unique: unique.map(|key| Unique {
            key,
            over_counts,
            period: period.map(|period| Duration::from_millis(uint(period))),
        }),
        at_most_once: row.get(12)?,
        retention: Duration::from_millis(number(row, 13)?),
        attempts: number(row, 14)?,
        lost_attempts: number(row, 15)?,
        options: run_options(row, 22)?,
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
