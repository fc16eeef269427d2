//! Loads what a unit needs, in one round trip: rows are locked as they are read.

use tokio_postgres::Row;

use super::plan::Needs;
use super::rows::{self, get, int, job_columns, size, uint};
use super::session::{Param, Query};
use crate::engine::JournalHead;
use crate::error::StoreError;
use crate::memory::Workspace;
use crate::record::{JobId, JobRecord};

/// The most expired jobs that are loaded for one lease. The rest are found by the next.
const MAX_EXPIRED: i64 = 256;

/// Positions ascend in the order of commits: one transaction at a time takes them.
const LOCK_POSITIONS: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('perennial positions ' || current_schema(), 0))";

/// Locks the keys of unique jobs, in one order, so that one transaction at a time looks for each.
pub(super) const LOCK_UNIQUE: &str = "SELECT pg_advisory_xact_lock(lock) FROM \
    (SELECT DISTINCT hashtextextended(key, hashtextextended(queue, 1)) AS lock \
    FROM unnest($1::text[], $2::text[]) AS wanted (queue, key) ORDER BY lock) AS ordered";

/// What has been committed by then is seen: this is a statement of its own.
const UNIQUE: &str = concat!(
    "SELECT ",
    job_columns!(without body),
    " FROM jobs WHERE (queue, unique_key) IN (SELECT * FROM unnest($1::text[], $2::text[])) \
    AND (queue, hashtextextended(unique_key, 0)) IN \
    (SELECT queue, hashtextextended(key, 0) FROM unnest($1::text[], $2::text[]) AS wanted (queue, key))"
);

const MAKE_JOURNALS: &str = "INSERT INTO journals (name, writer, sequence) \
    SELECT name, 0, 0 FROM unnest($1::text[]) AS claimed (name) ORDER BY name ON CONFLICT DO NOTHING";

const JOURNALS: &str =
    "SELECT name, writer, sequence FROM journals WHERE name = ANY ($1) ORDER BY name FOR UPDATE";

const JOBS: &str =
    concat!("SELECT ", job_columns!(without body), " FROM jobs WHERE id = ANY ($1) ORDER BY id FOR UPDATE");

const OUTLIVED: &str = concat!(
    "SELECT ",
    job_columns!(without body),
    " FROM jobs WHERE retained_until <= $1 ORDER BY retained_until LIMIT $2 FOR UPDATE SKIP LOCKED"
);

const PAUSED: &str = "SELECT name FROM queues WHERE name = $1 AND paused";

const PROMOTE: &str = "UPDATE jobs SET state = 'queued' WHERE id = ANY (ARRAY( \
    SELECT id FROM jobs WHERE queue = $1 AND state = 'delayed' AND due <= $2 \
    AND NOT EXISTS (SELECT 1 FROM queues WHERE name = $1 AND paused) \
    ORDER BY due FOR UPDATE SKIP LOCKED))";

const EXPIRED: &str = concat!(
    "SELECT ",
    job_columns!(without body),
    " FROM jobs WHERE queue = $1 AND state = 'queued' AND expires <= $2 \
    ORDER BY expires LIMIT $3 FOR UPDATE SKIP LOCKED"
);

/// A job of a key is ready if none of the key runs, and none of the key that is queued and has not
/// expired comes first. Another process may be about to lease one of the key: it has its lock then.
const READY: &str = concat!(
    "SELECT * FROM (SELECT ",
    job_columns!(),
    " FROM jobs AS j WHERE queue = $1 AND state = 'queued' AND (expires IS NULL OR expires > $2) \
    AND (key IS NULL OR NOT EXISTS (SELECT 1 FROM jobs AS o WHERE o.queue = $1 \
    AND hashtextextended(o.key, 0) = hashtextextended(j.key, 0) AND o.key = j.key \
    AND o.state IN ('queued', 'running') AND (o.state = 'running' OR \
    (o.expires IS NULL OR o.expires > $2) AND \
    (o.priority > j.priority OR o.priority = j.priority AND o.id < j.id)))) \
    ORDER BY priority DESC, id LIMIT $3 FOR UPDATE SKIP LOCKED) AS ready \
    WHERE key IS NULL OR pg_try_advisory_xact_lock(hashtextextended(key, hashtextextended($1, 2)))"
);

/// The keys that run. Sees what has been committed before the locks of the keys were taken.
const RUNNING_KEYS: &str = "SELECT key FROM jobs WHERE queue = $1 AND state = 'running' AND key IS NOT NULL";

const NEXT_DUE: &str = concat!(
    "SELECT ",
    job_columns!(without body),
    " FROM jobs WHERE queue = $1 AND state = 'delayed' AND due > $2 ORDER BY due LIMIT 1"
);

/// The statements that a process needs first: for the outcomes of orphans, and for a lease.
pub(super) const FIRST: &[&str] = &[JOBS, PAUSED, PROMOTE, READY, RUNNING_KEYS, EXPIRED, NEXT_DUE];

/// What the rows of a statement are.
enum Found {
    Nothing,
    /// Jobs in their latest state.
    Jobs,
    /// Jobs that may start.
    Ready,
    /// The keys of which the jobs before must not start.
    RunningKeys,
    Paused,
    Journals,
}

/// The statements that load something.
pub(super) struct Load<'a> {
    queries: Vec<Query<'a>>,
    found: Vec<Found>,
}

/// What the rows of such statements are.
pub(super) struct Loading(Vec<Found>);

impl<'a> Load<'a> {
    /// Returns the statements for what is needed. Locks are taken in the same order by all.
    pub(super) fn of(needs: &Needs<'a>) -> (Vec<Query<'a>>, Loading) {
        let mut load = Self { queries: Vec::new(), found: Vec::new() };
        if needs.appends {
            load.add(LOCK_POSITIONS, Found::Nothing, []);
        }
        if !needs.claimed.is_empty() {
            let names: Vec<&str> = needs.claimed.iter().copied().collect();
            load.add(MAKE_JOURNALS, Found::Nothing, [boxed(names)]);
        }
        if !needs.journals.is_empty() {
            let names: Vec<&str> = needs.journals.iter().copied().collect();
            load.add(JOURNALS, Found::Journals, [boxed(names)]);
        }
        if !needs.unique.is_empty() {
            let (queues, keys): (Vec<&str>, Vec<&str>) = needs.unique.iter().copied().unzip();
            load.add(LOCK_UNIQUE, Found::Nothing, [boxed(queues), boxed(keys)]);
        }
        if !needs.jobs.is_empty() {
            let ids: Vec<i64> = needs.jobs.iter().map(|id| int(id.0)).collect();
            load.add(JOBS, Found::Jobs, [boxed(ids)]);
        }
        if let Some((now, max)) = needs.purge {
            load.add(OUTLIVED, Found::Jobs, [boxed(rows::time(now)), boxed(size(max))]);
        }
        for (queue, (now, max)) in &needs.leases {
            load.lease(queue, rows::time(*now), size(*max));
        }
        // What is locked was loaded before: it is the later state.
        if !needs.unique.is_empty() {
            let (queues, keys): (Vec<&str>, Vec<&str>) = needs.unique.iter().copied().unzip();
            load.add(UNIQUE, Found::Jobs, [boxed(queues), boxed(keys)]);
        }
        (load.queries, Loading(load.found))
    }

    fn lease(&mut self, queue: &'a str, now: i64, max: i64) {
        self.add(PAUSED, Found::Paused, [boxed(queue)]);
        self.add(PROMOTE, Found::Nothing, [boxed(queue), boxed(now)]);
        self.add(READY, Found::Ready, [boxed(queue), boxed(now), boxed(max)]);
        self.add(RUNNING_KEYS, Found::RunningKeys, [boxed(queue)]);
        self.add(EXPIRED, Found::Jobs, [boxed(queue), boxed(now), boxed(MAX_EXPIRED)]);
        self.add(NEXT_DUE, Found::Jobs, [boxed(queue), boxed(now)]);
    }

    fn add<const N: usize>(&mut self, sql: &'static str, answer: Found, params: [Param<'a>; N]) {
        self.queries.push(Query { sql, params: params.into() });
        self.found.push(answer);
    }
}

impl Loading {
    /// Returns what was loaded, from the rows of each statement. New jobs get these numbers.
    pub(super) fn workspace(
        &self,
        answers: &[Vec<Row>],
        numbers: impl IntoIterator<Item = JobId>,
    ) -> Result<Workspace, StoreError> {
        let mut workspace = Workspace::new(numbers);
        let mut ready: Vec<JobRecord> = Vec::new();
        for (answer, found) in self.0.iter().zip(answers) {
            match answer {
                Found::Nothing => {}
                Found::Jobs => {
                    for row in found {
                        workspace.load_job(rows::job(row)?);
                    }
                }
                Found::Ready => ready = found.iter().map(rows::job).collect::<Result<_, _>>()?,
                Found::RunningKeys => {
                    let running: Vec<&str> = found.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
                    let is_free = |record: &JobRecord| {
                        record.job.key.as_deref().is_none_or(|key| !running.contains(&key))
                    };
                    ready.drain(..).filter(is_free).for_each(|record| workspace.load_job(record));
                }
                Found::Paused => {
                    for row in found {
                        workspace.load_paused(get(row, 0)?);
                    }
                }
                Found::Journals => {
                    for row in found {
                        let (writer, sequence) = (uint(get(row, 1)?), uint(get(row, 2)?));
                        // One without a writer was made for a claim and not claimed.
                        if writer > 0 {
                            workspace.load_journal(get(row, 0)?, JournalHead { writer, sequence });
                        }
                    }
                }
            }
        }
        Ok(workspace)
    }
}

fn boxed<'a>(param: impl tokio_postgres::types::ToSql + Sync + Send + 'a) -> Param<'a> {
    Box::new(param)
}
