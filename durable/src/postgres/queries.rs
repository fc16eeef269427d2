//! What is read from the tables.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::errors::store_error;
use super::rows::{self, get, int, job_columns, size, uint};
use super::session::{Query, Session};
use crate::error::StoreError;
use crate::record::{JobId, JobRecord, RecordState};
use crate::store::{EventFilter, JobFilter, QueueInfo, StoredEvent, StoredSnapshot};

/// How many jobs a check reads at once.
const PAGE: usize = 1_000;

const JOB: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1");

const JOBS: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE id > $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR state = $3) \
    ORDER BY id LIMIT $4"
);

const JOBS_OF_STATE: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE queue = $1 AND state = 'running' AND id > $2 ORDER BY id LIMIT $3"
);

const ORPHANS: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs AS j WHERE queue = $1 AND state = 'running' \
    AND NOT EXISTS (SELECT 1 FROM processes AS p WHERE p.epoch = j.epoch) ORDER BY id LIMIT $2"
);

/// The statements that a process needs first.
pub(super) const FIRST: &[&str] = &[ORPHANS, JOBS_OF_STATE];

const PAUSED: &str = "SELECT paused FROM queues WHERE name = $1";

/// Each of these counts the entries of an index.
const COUNTS: [&str; 4] = [
    "SELECT 'queued', count(*) FROM jobs WHERE queue = $1 AND state = 'queued'",
    "SELECT 'delayed', count(*) FROM jobs WHERE queue = $1 AND state = 'delayed'",
    "SELECT 'running', count(*) FROM jobs WHERE queue = $1 AND state = 'running'",
    "SELECT state, count(*) FROM jobs WHERE queue = $1 AND ended IS NOT NULL GROUP BY state",
];

/// The jobs of each queue and state, from indexes, and the paused queues, without a state.
const QUEUES: &str = "SELECT queue, state, count(*) FROM jobs WHERE state = 'queued' GROUP BY 1, 2 \
    UNION ALL SELECT queue, state, count(*) FROM jobs WHERE state = 'delayed' GROUP BY 1, 2 \
    UNION ALL SELECT queue, state, count(*) FROM jobs WHERE state = 'running' GROUP BY 1, 2 \
    UNION ALL SELECT queue, state, count(*) FROM jobs WHERE ended IS NOT NULL GROUP BY 1, 2 \
    UNION ALL SELECT name, NULL, 0 FROM queues WHERE paused";

const FEED: &str = "SELECT e.position, j.name, e.sequence, e.tag, e.version, e.codec, e.body \
    FROM events AS e JOIN journals AS j ON j.id = e.journal \
    WHERE e.position > $1 ORDER BY e.position LIMIT $2";

const JOURNAL: &str = "SELECT e.position, j.name, e.sequence, e.tag, e.version, e.codec, e.body \
    FROM journals AS j JOIN events AS e ON e.journal = j.id \
    WHERE j.name = $3 AND e.sequence > $1 ORDER BY e.sequence LIMIT $2";

const SNAPSHOT: &str = "SELECT snapshot_sequence, snapshot_tag, snapshot_version, snapshot_codec, \
    snapshot_body FROM journals WHERE name = $1 AND snapshot_sequence IS NOT NULL";

async fn query(session: &Session, query: Query<'_>) -> Result<Vec<Row>, StoreError> {
    session.query(query).await.map_err(|error| store_error(&error))
}

/// Returns a limit as PostgreSQL has it: `NULL` is none.
fn limit(max: usize) -> Option<i64> {
    (max > 0).then(|| size(max))
}

fn records(found: &[Row]) -> Result<Vec<JobRecord>, StoreError> {
    found.iter().map(rows::job).collect()
}

pub(super) async fn job(session: &Session, id: JobId) -> Result<Option<JobRecord>, StoreError> {
    let found = query(session, Query::new(JOB).bind(int(id.0))).await?;
    found.first().map(rows::job).transpose()
}

pub(super) async fn jobs(session: &Session, filter: &JobFilter) -> Result<Vec<JobRecord>, StoreError> {
    let after = filter.after.map_or(0, |id| int(id.0));
    let state = filter.state.map(RecordState::name);
    // A feeder asks for these, however many jobs are over.
    if let (Some(queue), Some(RecordState::Running)) = (&filter.queue, filter.state) {
        let running = Query::new(JOBS_OF_STATE).bind(queue).bind(after).bind(limit(filter.max));
        return records(&query(session, running).await?);
    }
    let jobs = Query::new(JOBS).bind(after).bind(&filter.queue).bind(state).bind(limit(filter.max));
    records(&query(session, jobs).await?)
}

pub(super) async fn orphans(
    session: &Session,
    queue: &str,
    max: usize,
) -> Result<Vec<JobRecord>, StoreError> {
    records(&query(session, Query::new(ORPHANS).bind(queue).bind(size(max))).await?)
}

pub(super) async fn queue(session: &Session, queue: &str) -> Result<QueueInfo, StoreError> {
    let mut queries = vec![Query::new(PAUSED).bind(queue)];
    queries.extend(COUNTS.map(|sql| Query::new(sql).bind(queue)));
    let answers = session.send(&queries).await.map_err(|error| store_error(&error))?;
    let mut info = QueueInfo::default();
    let mut answers = answers.iter().map(|answer| &answer.rows);
    for row in answers.next().into_iter().flatten() {
        info.paused = get(row, 0)?;
    }
    for row in answers.flatten() {
        info.add(get(row, 0)?, uint(get(row, 1)?));
    }
    Ok(info)
}

pub(super) async fn queues(session: &Session) -> Result<BTreeMap<String, QueueInfo>, StoreError> {
    let mut queues: BTreeMap<String, QueueInfo> = BTreeMap::new();
    for row in query(session, Query::new(QUEUES)).await? {
        let info = queues.entry(get(&row, 0)?).or_default();
        match get(&row, 1)? {
            Some(state) => info.add(state, uint(get(&row, 2)?)),
            None => info.paused = true,
        }
    }
    Ok(queues)
}

pub(super) async fn events(session: &Session, filter: &EventFilter) -> Result<Vec<StoredEvent>, StoreError> {
    let (after, max) = (int(filter.after), limit(filter.max));
    let events = match &filter.journal {
        Some(journal) => Query::new(JOURNAL).bind(after).bind(max).bind(journal),
        None => Query::new(FEED).bind(after).bind(max),
    };
    let event = |row: &Row| {
        Ok(StoredEvent {
            position: uint(get(row, 0)?),
            journal: get(row, 1)?,
            sequence: uint(get(row, 2)?),
            payload: rows::payload(row, 3)?,
        })
    };
    query(session, events).await?.iter().map(event).collect()
}

pub(super) async fn snapshot(session: &Session, journal: &str) -> Result<Option<StoredSnapshot>, StoreError> {
    let found = query(session, Query::new(SNAPSHOT).bind(journal)).await?;
    let snapshot =
        |row: &Row| Ok(StoredSnapshot { sequence: uint(get(row, 0)?), state: rows::payload(row, 1)? });
    found.first().map(snapshot).transpose()
}

/// Reads all jobs and all events.
pub(super) async fn check(session: &Session) -> Result<(), StoreError> {
    let mut filter = JobFilter { max: PAGE, ..JobFilter::default() };
    loop {
        let page = jobs(session, &filter).await?;
        filter.after = page.last().map(|record| record.id);
        if page.len() < PAGE {
            break;
        }
    }
    let mut filter = EventFilter { max: PAGE, ..EventFilter::default() };
    loop {
        let page = events(session, &filter).await?;
        filter.after = page.last().map_or(0, |event| event.position);
        if page.len() < PAGE {
            return Ok(());
        }
    }
}
