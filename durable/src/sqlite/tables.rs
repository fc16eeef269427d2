//! The tables within a transaction.

use rusqlite::types::ToSql;
use rusqlite::{CachedStatement, Connection, Error, OptionalExtension, named_params, params};

use super::rows::{self, int, job_columns, millis, time};
use crate::engine::{JournalHead, Tables};
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, RecordState, Timestamp, Unique};

/// The tables of a connection that is within a transaction.
pub(super) struct SqliteTables<'a> {
    connection: &'a Connection,
    /// The statements that are run for each job, from their first use on: the cache reads the text
    /// of a statement to find it.
    insert: Option<CachedStatement<'a>>,
    start: Option<CachedStatement<'a>>,
    complete: Option<CachedStatement<'a>>,
}

/// Its parameters have numbers, because each name is looked up at each job.
const INSERT: &str = "INSERT INTO jobs (queue, state, attempt, priority, submitted, due, expires, \
    first_due, key, unique_key, unique_over, unique_period, at_most_once, retention, attempts, \
    lost_attempts, forgiven, history, tag, version, codec, body, options) \
    VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, '[]', \
    ?16, ?17, ?18, ?19, ?20)";

const UPDATE: &str = "UPDATE jobs SET state = :state, attempt = :attempt, epoch = :epoch, due = :due, \
    expires = :expires, started = :started, ended = :ended, retained_until = :retained_until, \
    progress_done = :progress_done, progress_total = :progress_total, forgiven = :forgiven, \
    history = :history, output_tag = :output_tag, output_version = :output_version, \
    output_codec = :output_codec, output_body = :output_body WHERE id = :id";

const START: &str = "UPDATE jobs SET state = 'running', attempt = ?2, epoch = ?3, started = ?4, \
    progress_done = NULL, progress_total = NULL WHERE id = ?1";

/// Of a job that is not kept when it has completed.
const COMPLETE_AND_REMOVE: &str =
    "DELETE FROM jobs WHERE id = ?1 AND state = 'running' AND attempt = ?2 AND retention = 0";

/// Of a job that is kept, at its first attempt. The history is as serde writes it.
const COMPLETE: &str = "UPDATE jobs SET state = 'completed', epoch = NULL, ended = ?3, \
    retained_until = CASE WHEN retention > 9223372036854775807 - ?3 THEN 9223372036854775807 \
    ELSE ?3 + retention END, \
    history = '[{\"number\":' || attempt || ',\"epoch\":' || epoch || ',\"started\":' || started || \
    ',\"ended\":' || ?3 || ',\"failure\":null,\"progress\":null}]', \
    output_tag = ?4, output_version = ?5, output_codec = ?6, output_body = ?7 \
    WHERE id = ?1 AND state = 'running' AND attempt = ?2 AND retention > 0 AND history = '[]' \
    AND epoch IS NOT NULL AND started IS NOT NULL AND progress_done IS NULL";

/// A job of a key is ready if none of the key runs, and none of the key that is queued comes first.
pub(super) const READY: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs AS j WHERE queue = ?1 AND state = 'queued' AND (key IS NULL OR NOT EXISTS \
    (SELECT 1 FROM jobs AS o WHERE o.queue = ?1 AND o.key = j.key AND (o.state = 'running' OR \
    o.state = 'queued' AND (o.priority > j.priority OR o.priority = j.priority AND o.id < j.id)))) \
    ORDER BY priority DESC, id LIMIT ?2"
);

impl<'a> SqliteTables<'a> {
    pub(super) const fn new(connection: &'a Connection) -> Self {
        Self { connection, insert: None, start: None, complete: None }
    }

    fn run(&self, sql: &str, params: &[&dyn ToSql]) -> Result<usize, Error> {
        self.connection.prepare_cached(sql)?.execute(params)
    }
}

/// Returns a statement that is kept.
fn kept<'s, 'a>(
    statement: &'s mut Option<CachedStatement<'a>>,
    connection: &'a Connection,
    sql: &str,
) -> Result<&'s mut CachedStatement<'a>, Error> {
    match statement {
        Some(statement) => Ok(statement),
        empty => Ok(empty.insert(connection.prepare_cached(sql)?)),
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

impl Tables for SqliteTables<'_> {
    type Error = Error;

    fn insert(&mut self, job: &NewJob, now: Timestamp) -> Result<JobId, Error> {
        let (state, due) = job.first_state(now);
        let unique = job.unique.as_ref();
        let run_options = match &job.options {
            options if options.is_default() => None,
            options => Some(json(options)?),
        };
        kept(&mut self.insert, self.connection, INSERT)?.execute(params![
            job.queue,
            state.name(),
            job.priority,
            time(now),
            time(due),
            job.expires.map(time),
            time(job.due),
            job.key,
            unique.map(|unique| &unique.key),
            unique.map(|unique| unique.over_counts),
            unique.and_then(|unique| unique.period).map(millis),
            job.at_most_once,
            millis(job.retention),
            job.attempts,
            job.lost_attempts,
            job.payload.tag,
            job.payload.version,
            job.payload.codec,
            job.payload.bytes,
            run_options,
        ])?;
        Ok(JobId(rows::uint(self.connection.last_insert_rowid())))
    }

    fn get(&mut self, id: JobId) -> Result<Option<JobRecord>, Error> {
        super::queries::job(self.connection, id)
    }

    fn update(&mut self, record: JobRecord) -> Result<(), Error> {
        let output = record.output.as_ref();
        let history = json(&record.history)?;
        self.connection.prepare_cached(UPDATE)?.execute(named_params! {
            ":id": int(record.id.0),
            ":state": record.state.name(),
            ":attempt": record.attempt,
            ":epoch": record.epoch.map(|epoch| int(epoch.0)),
            ":due": time(record.due),
            ":expires": record.job.expires.map(time),
            ":started": record.started.map(time),
            ":ended": record.ended.map(time),
            ":retained_until": record.retained_until.map(time),
            ":progress_done": record.progress.map(|progress| int(progress.done)),
            ":progress_total": record.progress.map(|progress| int(progress.total)),
            ":forgiven": record.forgiven,
            ":history": history,
            ":output_tag": output.map(|output| &output.tag),
            ":output_version": output.map(|output| output.version),
            ":output_codec": output.map(|output| &output.codec),
            ":output_body": output.map(|output| &output.bytes),
        })?;
        Ok(())
    }

    fn start(&mut self, record: &JobRecord) -> Result<(), Error> {
        let epoch = record.epoch.map(|epoch| int(epoch.0));
        let started = record.started.map(time);
        let statement = kept(&mut self.start, self.connection, START)?;
        statement.execute(params![int(record.id.0), record.attempt, epoch, started]).map(drop)
    }

    fn complete(
        &mut self,
        job: JobId,
        attempt: u32,
        output: Option<&Payload>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        // A pool stores no output of a job that is not kept.
        if output.is_none() && self.run(COMPLETE_AND_REMOVE, &[&int(job.0), &attempt])? > 0 {
            return Ok(true);
        }
        let tag = output.map(|output| &output.tag);
        let version = output.map(|output| output.version);
        let codec = output.map(|output| &output.codec);
        let bytes = output.map(|output| &output.bytes);
        let statement = kept(&mut self.complete, self.connection, COMPLETE)?;
        Ok(statement.execute(params![int(job.0), attempt, time(now), tag, version, codec, bytes])? > 0)
    }

    fn remove(&mut self, id: JobId) -> Result<(), Error> {
        self.run("DELETE FROM jobs WHERE id = ?1", &[&int(id.0)]).map(drop)
    }

    fn find_unique(
        &mut self,
        queue: &str,
        unique: &Unique,
        since: Timestamp,
    ) -> Result<Option<JobId>, Error> {
        let sql = "SELECT id, state FROM jobs WHERE queue = ?1 AND unique_key = ?2 AND submitted >= ?3 \
            ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut same = statement.query(params![queue, unique.key, time(since)])?;
        while let Some(row) = same.next()? {
            let state = RecordState::from_name(&row.get::<_, String>(1)?);
            if unique.over_counts || state.is_none_or(|state| !state.is_over()) {
                return Ok(Some(JobId(rows::uint(row.get(0)?))));
            }
        }
        Ok(None)
    }

    fn promote(&mut self, queue: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE jobs SET state = 'queued' WHERE queue = ?1 AND state = 'delayed' AND due <= ?2";
        self.run(sql, &[&queue, &time(now)]).map(drop)
    }

    fn ready(&mut self, queue: &str, max: usize) -> Result<Vec<JobRecord>, Error> {
        let mut statement = self.connection.prepare_cached(READY)?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        statement.query_map(params![queue, max], rows::job)?.collect()
    }

    fn next_due(&mut self, queue: &str) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT min(due) FROM jobs WHERE queue = ?1 AND state = 'delayed'";
        let due: Option<i64> = self.connection.prepare_cached(sql)?.query_row([queue], |row| row.get(0))?;
        Ok(due.map(|due| Timestamp(rows::uint(due))))
    }

    fn is_paused(&mut self, queue: &str) -> Result<bool, Error> {
        super::queries::is_paused(self.connection, queue)
    }

    fn set_paused(&mut self, queue: &str, paused: bool) -> Result<(), Error> {
        let sql = "INSERT INTO queues VALUES (?1, ?2) ON CONFLICT DO UPDATE SET paused = ?2";
        self.run(sql, &[&queue, &paused]).map(drop)
    }

    fn outlived(&mut self, now: Timestamp, max: usize) -> Result<Vec<JobId>, Error> {
        let sql = "SELECT id FROM jobs WHERE retained_until <= ?1 ORDER BY retained_until LIMIT ?2";
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(sql)?;
        let ids = statement.query_map(params![time(now), max], |row| Ok(JobId(rows::uint(row.get(0)?))))?;
        ids.collect()
    }

    fn journal(&mut self, journal: &str) -> Result<Option<JournalHead>, Error> {
        let sql = "SELECT writer, sequence FROM journals WHERE name = ?1";
        let head = |row: &rusqlite::Row<'_>| {
            Ok(JournalHead { writer: rows::uint(row.get(0)?), sequence: rows::uint(row.get(1)?) })
        };
        self.connection.prepare_cached(sql)?.query_row([journal], head).optional()
    }

    fn set_journal(&mut self, journal: &str, head: JournalHead) -> Result<(), Error> {
        let sql = "INSERT INTO journals (name, writer, sequence) VALUES (?1, ?2, ?3) \
            ON CONFLICT (name) DO UPDATE SET writer = ?2, sequence = ?3";
        self.run(sql, &[&journal, &int(head.writer), &int(head.sequence)]).map(drop)
    }

    fn append(&mut self, journal: &str, sequence: u64, event: &Payload) -> Result<(), Error> {
        let sql = "INSERT INTO events (journal, sequence, tag, version, codec, body) \
            SELECT id, ?2, ?3, ?4, ?5, ?6 FROM journals WHERE name = ?1";
        let Payload { tag, version, codec, bytes } = event;
        self.run(sql, &[&journal, &int(sequence), tag, version, codec, bytes]).map(drop)
    }

    fn set_snapshot(&mut self, journal: &str, sequence: u64, state: &Payload) -> Result<(), Error> {
        let sql = "UPDATE journals SET snapshot_sequence = ?2, snapshot_tag = ?3, snapshot_version = ?4, \
            snapshot_codec = ?5, snapshot_body = ?6 WHERE name = ?1";
        let Payload { tag, version, codec, bytes } = state;
        self.run(sql, &[&journal, &int(sequence), tag, version, codec, bytes]).map(drop)
    }

    fn erase(&mut self, journal: &str) -> Result<(), Error> {
        let sql = "DELETE FROM events WHERE journal = (SELECT id FROM journals WHERE name = ?1)";
        self.run(sql, &[&journal])?;
        let sql = "UPDATE journals SET snapshot_sequence = NULL, snapshot_tag = NULL, \
            snapshot_version = NULL, snapshot_codec = NULL, snapshot_body = NULL WHERE name = ?1";
        self.run(sql, &[&journal]).map(drop)
    }
}
