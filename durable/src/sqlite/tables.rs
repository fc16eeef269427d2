//! The tables within a transaction.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Error, OptionalExtension, named_params, params};

use super::many::{Many, Places, places};
use super::rows::{self, int, millis, time, waiting_columns};
use crate::engine::{JournalHead, Tables};
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, RecordState, Timestamp, Unique};

/// The tables of a connection that is within a transaction.
pub(super) struct SqliteTables<'a> {
    connection: &'a Connection,
    /// The statements that are run for each job.
    insert: Many<'a>,
    start: Many<'a>,
    complete: Many<'a>,
    remove_completed: Many<'a>,
}

/// The most jobs of one statement. New ones have many values each.
const MAX_JOBS: usize = 64;
const MAX_NEW_JOBS: usize = 8;

/// Its parameters have no names, because each name is looked up at each job.
const INSERT: &str = "INSERT INTO jobs (queue, state, attempt, priority, submitted, due, expires, \
    first_due, key, unique_key, unique_over, unique_period, at_most_once, retention, attempts, \
    lost_attempts, forgiven, history, tag, version, codec, body, options) VALUES ";

/// One row of it.
const NEW_JOB: &str = "(?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '[]', ?, ?, ?, ?, ?)";

const UPDATE: &str = "UPDATE jobs SET state = :state, attempt = :attempt, epoch = :epoch, due = :due, \
    expires = :expires, started = :started, ended = :ended, retained_until = :retained_until, \
    progress_done = :progress_done, progress_total = :progress_total, forgiven = :forgiven, \
    history = :history, output_tag = :output_tag, output_version = :output_version, \
    output_codec = :output_codec, output_body = :output_body WHERE id = :id";

const START: &str = "UPDATE jobs SET state = 'running', attempt = attempt + 1, epoch = ?1, \
    started = ?2, progress_done = NULL, progress_total = NULL WHERE id IN ";

/// Of jobs that are not kept when they have completed.
const COMPLETE_AND_REMOVE: &str =
    "DELETE FROM jobs WHERE state = 'running' AND attempt = ?1 AND retention = 0 AND id IN ";

/// Of jobs that are kept, at their first attempt. The history is as serde writes it.
const COMPLETE: &str = "UPDATE jobs SET state = 'completed', epoch = NULL, ended = ?2, \
    retained_until = CASE WHEN retention > 9223372036854775807 - ?2 THEN 9223372036854775807 \
    ELSE ?2 + retention END, \
    history = '[{\"number\":' || attempt || ',\"epoch\":' || epoch || ',\"started\":' || started || \
    ',\"ended\":' || ?2 || ',\"failure\":null,\"progress\":null}]', \
    output_tag = ?3, output_version = ?4, output_codec = ?5, output_body = ?6 \
    WHERE state = 'running' AND attempt = ?1 AND retention > 0 AND history = '[]' \
    AND epoch IS NOT NULL AND started IS NOT NULL AND progress_done IS NULL AND id IN ";

/// A job of a key is ready if none of the key runs, and none of the key that is queued comes first.
pub(super) const READY: &str = concat!(
    "SELECT ",
    waiting_columns!(),
    " FROM jobs AS j WHERE queue = ?1 AND state = 'queued' AND (key IS NULL OR NOT EXISTS \
    (SELECT 1 FROM jobs AS o WHERE o.queue = ?1 AND o.key = j.key AND (o.state = 'running' OR \
    o.state = 'queued' AND (o.priority > j.priority OR o.priority = j.priority AND o.id < j.id)))) \
    ORDER BY priority DESC, id LIMIT ?2"
);

impl<'a> SqliteTables<'a> {
    pub(super) const fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            insert: Many::new(MAX_NEW_JOBS, |count| format!("{INSERT}{}", vec![NEW_JOB; count].join(", "))),
            start: Many::new(MAX_JOBS, |count| format!("{START}({})", places(count))),
            complete: Many::new(MAX_JOBS, |count| format!("{COMPLETE}({})", places(count))),
            remove_completed: Many::new(MAX_JOBS, |count| {
                format!("{COMPLETE_AND_REMOVE}({})", places(count))
            }),
        }
    }

    /// Ends those of the jobs that have completed at their first attempt. Returns how many.
    fn try_complete(
        &mut self,
        jobs: &[JobId],
        attempt: u32,
        output: Option<&Payload>,
        now: Timestamp,
    ) -> Result<usize, Error> {
        // A pool stores no output of a job that is not kept.
        if output.is_none() {
            let bind = |statement: &mut _, jobs: &[JobId]| {
                let mut places = Places::of(statement);
                places.bind(attempt)?;
                jobs.iter().try_for_each(|job| places.bind(int(job.0)))
            };
            let removed = self.remove_completed.run(self.connection, jobs, bind)?;
            if removed > 0 {
                return Ok(removed);
            }
        }
        self.complete.run(self.connection, jobs, |statement, jobs| {
            let mut places = Places::of(statement);
            places.bind(attempt)?;
            places.bind(time(now))?;
            places.bind(output.map(|output| &output.tag))?;
            places.bind(output.map(|output| output.version))?;
            places.bind(output.map(|output| &output.codec))?;
            places.bind(output.map(|output| &output.bytes))?;
            jobs.iter().try_for_each(|job| places.bind(int(job.0)))
        })
    }

    fn run(&self, sql: &str, params: &[&dyn ToSql]) -> Result<usize, Error> {
        self.connection.prepare_cached(sql)?.execute(params)
    }
}

fn bind_job(places: &mut Places<'_, '_>, job: &NewJob, now: Timestamp) -> Result<(), Error> {
    let (state, due) = job.first_state(now);
    let unique = job.unique.as_ref();
    let run_options = match &job.options {
        options if options.is_default() => None,
        options => Some(json(options)?),
    };
    places.bind(&job.queue)?;
    places.bind(state.name())?;
    places.bind(job.priority)?;
    places.bind(time(now))?;
    places.bind(time(due))?;
    places.bind(job.expires.map(time))?;
    places.bind(time(job.due))?;
    places.bind(&job.key)?;
    places.bind(unique.map(|unique| &unique.key))?;
    places.bind(unique.map(|unique| unique.over_counts))?;
    places.bind(unique.and_then(|unique| unique.period).map(millis))?;
    places.bind(job.at_most_once)?;
    places.bind(millis(job.retention))?;
    places.bind(job.attempts)?;
    places.bind(job.lost_attempts)?;
    places.bind(&job.payload.tag)?;
    places.bind(job.payload.version)?;
    places.bind(&job.payload.codec)?;
    places.bind(&job.payload.bytes)?;
    places.bind(run_options)
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

impl Tables for SqliteTables<'_> {
    type Error = Error;

    fn insert(&mut self, jobs: &[(&NewJob, Timestamp)]) -> Result<Vec<JobId>, Error> {
        let inserted = self.insert.run(self.connection, jobs, |statement, jobs| {
            let mut places = Places::of(statement);
            jobs.iter().try_for_each(|(job, now)| bind_job(&mut places, job, *now))
        })?;
        // This is the only writer, so the numbers follow each other.
        let last = rows::uint(self.connection.last_insert_rowid());
        let first = (last + 1).saturating_sub(inserted as u64);
        Ok((first..=last).map(JobId).collect())
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

    fn start(&mut self, records: &[JobRecord]) -> Result<(), Error> {
        let Some(first) = records.first() else { return Ok(()) };
        let (epoch, started) = (first.epoch.map(|epoch| int(epoch.0)), first.started.map(time));
        let bind = |statement: &mut _, records: &[JobRecord]| {
            let mut places = Places::of(statement);
            places.bind(epoch)?;
            places.bind(started)?;
            records.iter().try_for_each(|record| places.bind(int(record.id.0)))
        };
        self.start.run(self.connection, records, bind).map(drop)
    }

    fn complete(
        &mut self,
        jobs: &[JobId],
        attempt: u32,
        output: Option<&Payload>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if jobs.len() == 1 {
            return Ok(self.try_complete(jobs, attempt, output, now)? == 1);
        }
        self.run("SAVEPOINT completed", &[])?;
        let are_all = self.try_complete(jobs, attempt, output, now)? == jobs.len();
        if !are_all {
            self.connection.execute_batch("ROLLBACK TO completed")?;
        }
        self.run("RELEASE completed", &[])?;
        Ok(are_all)
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
        statement.query_map(params![queue, max], rows::queued_job)?.collect()
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
