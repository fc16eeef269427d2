//! The statements that store jobs, and that move them from table to table.

use rusqlite::types::ToSql;
use rusqlite::{CachedStatement, Connection, Error, params, params_from_iter};

use super::rows::{self, int, millis, time};
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, RecordState, Timestamp};

/// A statement that fails is not undone by itself: its transaction is.
const SUBMIT: &str = "INSERT OR FAIL INTO submitted_jobs VALUES \
    (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const WAIT: &str = "INSERT OR FAIL INTO waiting_jobs SELECT queue, \
    CASE WHEN due > submitted THEN 'delayed' ELSE 'queued' END, priority, id, key, retention, \
    max(due, submitted), 0, NULL, NULL, NULL, 0, NULL FROM submitted_jobs WHERE id BETWEEN ?1 AND ?2";

/// Jobs that are queued at one priority, from one number to another: all without a key, or one.
macro_rules! leased {
    () => {
        " WHERE queue = ?1 AND state = 'queued' AND priority = ?2 AND id BETWEEN ?3 AND ?4 AND key IS ?5"
    };
}

const START: &str = concat!(
    "INSERT OR FAIL INTO running_jobs SELECT id, queue, key, retention, due, attempt + 1, ?6, ?7, NULL, NULL, \
    forgiven, history FROM waiting_jobs",
    leased!()
);

/// Jobs that are not among those that wait yet, by number.
const START_NEW: &str = "INSERT OR FAIL INTO running_jobs SELECT id, queue, key, retention, \
    max(due, submitted), 1, ?3, ?4, NULL, NULL, 0, NULL FROM submitted_jobs WHERE id BETWEEN ?1 AND ?2";

const STARTED: &str = concat!("DELETE FROM waiting_jobs", leased!());

/// The jobs whose first attempt runs and is this one, and how many of them are kept. The history of
/// such a job is that of its columns.
const COMPLETABLE: &str = "SELECT count(*), count(nullif(retention, 0)) FROM running_jobs \
    WHERE id BETWEEN ?1 AND ?2 AND attempt = ?3 AND history IS NULL AND progress_done IS NULL \
    AND epoch IS NOT NULL AND started IS NOT NULL";

const COMPLETE: &str = "INSERT OR FAIL INTO ended_jobs SELECT id, queue, 'completed', due, attempt, epoch, \
    started, ?3, ?3 + min(retention, 9223372036854775807 - ?3), NULL, NULL, forgiven, NULL, \
    ?4, ?5, ?6, ?7 FROM running_jobs WHERE id BETWEEN ?1 AND ?2";

const COMPLETED: &str = "DELETE FROM running_jobs WHERE id BETWEEN ?1 AND ?2";

const FORGET: &str = "DELETE FROM submitted_jobs WHERE id BETWEEN ?1 AND ?2";

/// From the tables in which a job may be. One that waits is found by its queue and its priority.
const TAKE: [&str; 3] = [
    "DELETE FROM ended_jobs WHERE id = ?1",
    "DELETE FROM running_jobs WHERE id = ?1",
    "DELETE FROM waiting_jobs WHERE (queue, priority) = (SELECT queue, priority FROM submitted_jobs \
    WHERE id = ?1) AND state IN ('queued', 'delayed') AND id = ?1",
];

/// Makes a statement that stores what changes of a job: what jobs of all tables have, and the rest.
macro_rules! store_row {
    ($table:literal, $columns:literal, $places:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (id, queue, due, attempt, started, progress_done, progress_total, forgiven, history, ",
            $columns,
            ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ",
            $places,
            ")"
        )
    };
}

const WAITING: &str = store_row!("waiting_jobs", "state, priority, key, retention", "?, ?, ?, ?");

const RUNNING: &str = store_row!("running_jobs", "key, retention, epoch", "?, ?, ?");

const ENDED: &str = store_row!(
    "ended_jobs",
    "state, ended, retained_until, output_tag, output_version, output_codec, output_body",
    "?, ?, ?, ?, ?, ?, ?"
);

/// Stores what was submitted, from a number on. The jobs are in no state yet.
pub(super) fn submit(
    connection: &Connection,
    jobs: &[(&NewJob, Timestamp)],
    first: i64,
) -> Result<(), Error> {
    let mut submit = connection.prepare_cached(SUBMIT)?;
    for (id, (job, now)) in (first..).zip(jobs) {
        bind_job(&mut submit, id, job, *now)?;
        submit.raw_execute()?;
    }
    Ok(())
}

/// Puts jobs that are in no state yet among those that wait: so many, from a number on.
pub(super) fn wait(connection: &Connection, first: JobId, count: usize) -> Result<(), Error> {
    let changed = connection.prepare_cached(WAIT)?.execute(range(first, count))?;
    expect(changed, count)
}

/// Starts jobs that are in no state yet, whose numbers follow each other.
pub(super) fn start_new(connection: &Connection, records: &[JobRecord]) -> Result<(), Error> {
    let [first, ..] = records else { return Ok(()) };
    let [from, to] = range(first.id, records.len());
    let mut start = connection.prepare_cached(START_NEW)?;
    let (epoch, now) = (first.epoch.map(|epoch| int(epoch.0)), first.started.map(time));
    expect(start.execute(params![from, to, epoch, now])?, records.len())
}

/// Returns the first and the last of so many numbers.
fn range(first: JobId, count: usize) -> [i64; 2] {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    [int(first.0), int(first.0).saturating_add(count - 1)]
}

fn expect(changed: usize, count: usize) -> Result<(), Error> {
    if changed == count { Ok(()) } else { Err(Error::StatementChangedRows(changed)) }
}

/// Its places have no names, because each name is looked up at each job.
fn bind_job(submit: &mut CachedStatement<'_>, id: i64, job: &NewJob, now: Timestamp) -> Result<(), Error> {
    let unique = job.unique.as_ref();
    let options = if job.options.is_default() { None } else { Some(json(&job.options)?) };
    submit.raw_bind_parameter(1, id)?;
    submit.raw_bind_parameter(2, &job.queue)?;
    submit.raw_bind_parameter(3, job.priority)?;
    submit.raw_bind_parameter(4, time(now))?;
    submit.raw_bind_parameter(5, time(job.due))?;
    submit.raw_bind_parameter(6, job.expires.map(time))?;
    submit.raw_bind_parameter(7, &job.key)?;
    submit.raw_bind_parameter(8, unique.map(|unique| &unique.key))?;
    submit.raw_bind_parameter(9, unique.map(|unique| unique.over_counts))?;
    submit.raw_bind_parameter(10, unique.and_then(|unique| unique.period).map(millis))?;
    submit.raw_bind_parameter(11, job.at_most_once)?;
    submit.raw_bind_parameter(12, millis(job.retention))?;
    submit.raw_bind_parameter(13, job.attempts)?;
    submit.raw_bind_parameter(14, job.lost_attempts)?;
    submit.raw_bind_parameter(15, &job.payload.tag)?;
    submit.raw_bind_parameter(16, job.payload.version)?;
    submit.raw_bind_parameter(17, &job.payload.codec)?;
    submit.raw_bind_parameter(18, &job.payload.bytes)?;
    submit.raw_bind_parameter(19, options)
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// Moves the queued jobs that are leased, in the order of the queue, to those that run.
pub(super) fn start(connection: &Connection, records: &[JobRecord]) -> Result<(), Error> {
    let mut start = connection.prepare_cached(START)?;
    let mut started = connection.prepare_cached(STARTED)?;
    let can_join = |record: &JobRecord, next: &JobRecord| {
        record.job.priority == next.job.priority && record.job.key.is_none() && next.job.key.is_none()
    };
    for run in records.chunk_by(can_join) {
        let [first, ..] = run else { continue };
        let last = run.last().unwrap_or(first);
        let (queue, priority, key) = (&first.job.queue, first.job.priority, &first.job.key);
        let (from, to) = (int(first.id.0), int(last.id.0));
        let (epoch, now) = (first.epoch.map(|epoch| int(epoch.0)), first.started.map(time));
        let moved = start.execute(params![queue, priority, from, to, key, epoch, now])?;
        let left = started.execute(params![queue, priority, from, to, key])?;
        expect(moved, run.len())?;
        expect(left, run.len())?;
    }
    Ok(())
}

/// Ends running jobs that have completed at their first attempt, whose numbers follow each other:
/// all of them or none. Returns `true` if it has.
pub(super) fn complete(
    connection: &Connection,
    jobs: &[JobId],
    attempt: u32,
    output: Option<&Payload>,
    now: Timestamp,
) -> Result<bool, Error> {
    let ([first, ..], [.., last]) = (jobs, jobs) else { return Ok(true) };
    let range = [int(first.0), int(last.0)];
    let mut completable = connection.prepare_cached(COMPLETABLE)?;
    let (count, kept) = completable.query_row(params![range[0], range[1], attempt], |row| {
        Ok((rows::uint(row.get(0)?), rows::uint(row.get(1)?)))
    })?;
    if count != jobs.len() as u64 {
        return Ok(false);
    }
    // A pool stores no output of a job that is not kept.
    let table = if kept == count {
        connection.prepare_cached(COMPLETE)?.execute(params![
            range[0],
            range[1],
            time(now),
            output.map(|output| &output.tag),
            output.map(|output| output.version),
            output.map(|output| &output.codec),
            output.map(|output| &output.bytes),
        ])?;
        COMPLETED
    } else if kept == 0 && output.is_none() {
        connection.prepare_cached(COMPLETED)?.execute(range)?;
        FORGET
    } else {
        return Ok(false);
    };
    connection.prepare_cached(table)?.execute(range)?;
    Ok(true)
}

/// Replaces what changes of a job.
pub(super) fn update(connection: &Connection, record: &JobRecord) -> Result<(), Error> {
    take(connection, record.id)?;
    let JobRecord { id, job, state, attempt, epoch, due, progress, output, .. } = record;
    let history = if record.history.is_empty() { None } else { Some(json(&record.history)?) };
    let (id, state, epoch) = (int(id.0), state.name(), epoch.map(|epoch| int(epoch.0)));
    let [started, ended, retained_until] =
        [record.started, record.ended, record.retained_until].map(|at| at.map(time));
    let [done, total] = [progress.map(|progress| progress.done), progress.map(|progress| progress.total)]
        .map(|steps| steps.map(int));
    let (due, retention, output) = (time(*due), millis(job.retention), output.as_ref());
    let (output_tag, output_version) =
        (output.map(|output| &output.tag), output.map(|output| output.version));
    let (codec, body) = (output.map(|output| &output.codec), output.map(|output| &output.bytes));
    let common: [&dyn ToSql; 9] =
        [&id, &job.queue, &due, attempt, &started, &done, &total, &record.forgiven, &history];
    let (sql, rest): (_, &[&dyn ToSql]) = match record.state {
        RecordState::Running => (RUNNING, &[&job.key, &retention, &epoch]),
        over if over.is_over() => {
            (ENDED, &[&state, &ended, &retained_until, &output_tag, &output_version, &codec, &body])
        }
        _ => (WAITING, &[&state, &job.priority, &job.key, &retention]),
    };
    let values = common.iter().chain(rest);
    connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
    // A retry by hand takes the time away at which it expires.
    let sql = "UPDATE submitted_jobs SET expires = ?2 WHERE id = ?1 AND expires IS NOT ?2";
    connection.prepare_cached(sql)?.execute(params![id, job.expires.map(time)]).map(drop)
}

/// Removes a job.
pub(super) fn remove(connection: &Connection, id: JobId) -> Result<(), Error> {
    take(connection, id)?;
    connection.prepare_cached(FORGET)?.execute([int(id.0), int(id.0)]).map(drop)
}

/// Takes a job from the table that it is in.
fn take(connection: &Connection, id: JobId) -> Result<(), Error> {
    for sql in TAKE {
        if connection.prepare_cached(sql)?.execute([int(id.0)])? > 0 {
            break;
        }
    }
    Ok(())
}
