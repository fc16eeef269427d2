//! The tables within a transaction.

use std::cmp::Reverse;

use rusqlite::types::ToSql;
use rusqlite::{Connection, Error, params};

use super::cache::Cache;
use super::jobs;
use super::new_jobs::{NewJobs, is_ready, queued};
use super::rows::{self, int, queued_columns, time};
use crate::engine::{JournalHead, Tables};
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, Timestamp, Unique};

/// The tables of a connection that is within a transaction.
pub(super) struct SqliteTables<'a> {
    connection: &'a Connection,
    cache: &'a mut Cache,
    new: NewJobs<'a>,
}

/// The jobs that are ready, in order. A job of a key is if none of the key runs, and none of the
/// key that is queued comes first.
macro_rules! ready {
    ($columns:expr, $also_from:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM waiting_jobs AS w ",
            $also_from,
            " WHERE w.queue = ?1 AND w.state = 'queued' AND (w.key IS NULL OR NOT EXISTS \
            (SELECT 1 FROM running_jobs AS r WHERE r.queue = ?1 AND r.key = w.key) AND NOT EXISTS \
            (SELECT 1 FROM waiting_jobs AS o WHERE o.queue = ?1 AND o.key = w.key \
            AND o.state = 'queued' AND (o.priority > w.priority OR o.priority = w.priority \
            AND o.id < w.id))) ORDER BY w.priority DESC, w.id LIMIT ?2"
        )
    };
}

pub(super) const READY: &str = ready!("w.id, w.attempt, w.due", "");

const READ_READY: &str = ready!(queued_columns!(), "CROSS JOIN submitted_jobs AS s ON s.id = w.id");

impl<'a> SqliteTables<'a> {
    /// Makes the tables of a transaction that has begun.
    pub(super) fn new(connection: &'a Connection, cache: &'a mut Cache) -> Self {
        cache.begin();
        Self { connection, cache, new: NewJobs::default() }
    }

    /// Forgets what may have been undone.
    pub(super) fn roll_back(&mut self) {
        self.cache.roll_back();
    }

    /// Stores new jobs, each under the next number. Those of the usual kind are in no state until
    /// they are leased, or [placed](Self::place).
    pub(super) fn insert_new(&mut self, jobs: &[(&'a NewJob, Timestamp)]) -> Result<Vec<JobId>, Error> {
        let ids = self.submit(jobs)?;
        if let Some(first) = ids.first() {
            self.new.add(*first, jobs);
        }
        if !jobs.iter().all(|(job, now)| is_ready(job, *now)) {
            self.place()?;
        }
        Ok(ids)
    }

    /// Puts the new jobs that are in no state among those that wait. Otherwise they are lost when
    /// the transaction is committed.
    pub(super) fn place(&mut self) -> Result<(), Error> {
        for (first, count) in self.new.stateless() {
            jobs::wait(self.connection, first, count)?;
            self.new.set_state(first, count);
            self.cache.recent.will_wait(first, count);
        }
        Ok(())
    }

    fn submit(&self, jobs: &[(&NewJob, Timestamp)]) -> Result<Vec<JobId>, Error> {
        let sql = "UPDATE meta SET value = value + ?1 WHERE name = 'last_job' RETURNING value - ?1";
        let count = i64::try_from(jobs.len()).unwrap_or(i64::MAX);
        let last: i64 = self.connection.prepare_cached(sql)?.query_row([count], |row| row.get(0))?;
        jobs::submit(self.connection, jobs, last + 1)?;
        Ok((last + 1..).take(jobs.len()).map(|id| JobId(rows::uint(id))).collect())
    }

    /// Returns a queued job that has had no attempt, if it need not be read.
    fn known(&mut self, id: JobId, due: Timestamp) -> Option<JobRecord> {
        let (job, submitted) = self.new.job(id).or_else(|| self.cache.recent.take(id))?;
        Some(queued(id, job, submitted, due))
    }

    /// Returns the jobs that wait and are ready, in order.
    fn waiting(&mut self, queue: &str, max: usize) -> Result<Vec<JobRecord>, Error> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut jobs = Vec::new();
        let mut statement = self.connection.prepare_cached(READY)?;
        let mut ready = statement.query(params![queue, max])?;
        while let Some(row) = ready.next()? {
            let (id, attempt, due) = (row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?);
            let (id, due) = (JobId(rows::uint(id)), Timestamp(rows::uint(due)));
            match self.known(id, due).filter(|_| attempt == 0) {
                Some(job) => jobs.push(job),
                // The others are not recent either, or few of them.
                None if jobs.is_empty() => {
                    let mut statement = self.connection.prepare_cached(READ_READY)?;
                    return statement.query_map(params![queue, max], rows::queued_job)?.collect();
                }
                None => jobs.extend(super::queries::job(self.connection, id)?),
            }
        }
        Ok(jobs)
    }

    fn run(&self, sql: &str, params: &[&dyn ToSql]) -> Result<usize, Error> {
        self.connection.prepare_cached(sql)?.execute(params)
    }
}

impl Tables for SqliteTables<'_> {
    type Error = Error;

    fn insert(&mut self, jobs: &[(&NewJob, Timestamp)]) -> Result<Vec<JobId>, Error> {
        let ids = self.submit(jobs)?;
        if let Some(first) = ids.first() {
            jobs::wait(self.connection, *first, ids.len())?;
        }
        Ok(ids)
    }

    fn get(&mut self, id: JobId) -> Result<Option<JobRecord>, Error> {
        self.place()?;
        super::queries::job(self.connection, id)
    }

    fn update(&mut self, record: JobRecord) -> Result<(), Error> {
        self.place()?;
        jobs::update(self.connection, &record)
    }

    fn start(&mut self, records: &[JobRecord]) -> Result<(), Error> {
        let follows = |record: &JobRecord, next: &JobRecord| {
            let is_new = self.new.is_stateless(record.id);
            is_new == self.new.is_stateless(next.id) && (!is_new || next.id.0 == record.id.0 + 1)
        };
        let runs: Vec<_> = records.chunk_by(follows).collect();
        for run in runs {
            let [first, ..] = run else { continue };
            if self.new.is_stateless(first.id) {
                jobs::start_new(self.connection, run)?;
                self.new.set_state(first.id, run.len());
            } else {
                jobs::start(self.connection, run)?;
            }
        }
        Ok(())
    }

    fn complete(
        &mut self,
        jobs: &[JobId],
        attempt: u32,
        output: Option<&Payload>,
        now: Timestamp,
    ) -> Result<Vec<JobId>, Error> {
        let mut jobs = jobs.to_vec();
        jobs.sort_unstable();
        let mut ended = Vec::with_capacity(jobs.len());
        for run in jobs.chunk_by(|job, next| next.0 == job.0 + 1) {
            if jobs::complete(self.connection, run, attempt, output, now)? {
                ended.extend(run);
                continue;
            }
            for job in run.chunks(1) {
                if run.len() > 1 && jobs::complete(self.connection, job, attempt, output, now)? {
                    ended.extend(job);
                }
            }
        }
        Ok(ended)
    }

    fn remove(&mut self, id: JobId) -> Result<(), Error> {
        self.place()?;
        jobs::remove(self.connection, id)
    }

    fn find_unique(
        &mut self,
        queue: &str,
        unique: &Unique,
        since: Timestamp,
    ) -> Result<Option<JobId>, Error> {
        let sql = "SELECT id, EXISTS (SELECT 1 FROM ended_jobs AS e WHERE e.id = s.id) \
            FROM submitted_jobs AS s WHERE queue = ?1 AND unique_key = ?2 AND submitted >= ?3 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut same = statement.query(params![queue, unique.key, time(since)])?;
        while let Some(row) = same.next()? {
            if unique.over_counts || !row.get::<_, bool>(1)? {
                return Ok(Some(JobId(rows::uint(row.get(0)?))));
            }
        }
        Ok(None)
    }

    fn promote(&mut self, queue: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE waiting_jobs SET state = 'queued' WHERE queue = ?1 AND state = 'delayed' \
            AND due <= ?2";
        self.run(sql, &[&queue, &time(now)]).map(drop)
    }

    fn ready(&mut self, queue: &str, max: usize) -> Result<Vec<JobRecord>, Error> {
        let mut ready = self.waiting(queue, max)?;
        let new = self.new.ready(queue, max);
        if !new.is_empty() {
            ready.extend(new);
            ready.sort_by_key(|record| (Reverse(record.job.priority), record.id));
            ready.truncate(max);
        }
        Ok(ready)
    }

    fn next_due(&mut self, queue: &str) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT min(due) FROM waiting_jobs WHERE queue = ?1 AND state = 'delayed'";
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
        let sql = "SELECT id FROM ended_jobs WHERE retained_until <= ?1 ORDER BY retained_until LIMIT ?2";
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(sql)?;
        let ids = statement.query_map(params![time(now), max], |row| Ok(JobId(rows::uint(row.get(0)?))))?;
        ids.collect()
    }

    fn journal(&mut self, journal: &str) -> Result<Option<JournalHead>, Error> {
        self.cache.journals.head(self.connection, journal)
    }

    fn set_journal(&mut self, journal: &str, head: JournalHead) -> Result<(), Error> {
        self.cache.journals.set_head(self.connection, journal, head)
    }

    fn append(&mut self, journal: &str, sequence: u64, event: &Payload) -> Result<(), Error> {
        self.cache.journals.append(self.connection, journal, sequence, event)
    }

    fn set_snapshot(&mut self, journal: &str, sequence: u64, state: &Payload) -> Result<(), Error> {
        let sql = "UPDATE journals SET snapshot_sequence = ?2, snapshot_tag = ?3, snapshot_version = ?4, \
            snapshot_codec = ?5, snapshot_body = ?6 WHERE name = ?1";
        let Payload { tag, version, codec, bytes } = state;
        self.run(sql, &[&journal, &int(sequence), tag, version, codec, bytes]).map(drop)
    }

    fn erase(&mut self, journal: &str) -> Result<(), Error> {
        self.cache.journals.erase(self.connection, journal)
    }
}
