//! What is read from the tables.

use std::collections::BTreeMap;

use rusqlite::{Connection, Error, OptionalExtension, Row, params};

use super::rows::{self, int, select_jobs, uint, waiting_columns};
use crate::error::StoreError;
use crate::record::{Epoch, JobId, JobRecord, RecordState};
use crate::store::{EventFilter, JobFilter, QueueInfo, StoredEvent, StoredSnapshot};

/// The jobs of each queue and state, from indexes, and the paused queues, without a state.
const QUEUES: &str = "SELECT queue, state, count(*) FROM jobs WHERE state = 'queued' GROUP BY 1, 2 \
    UNION ALL SELECT queue, state, count(*) FROM jobs WHERE state = 'delayed' GROUP BY 1, 2 \
    UNION ALL SELECT queue, state, count(*) FROM jobs WHERE state = 'running' GROUP BY 1, 2 \
    UNION ALL SELECT queue, state, count(*) FROM jobs WHERE ended IS NOT NULL GROUP BY 1, 2 \
    UNION ALL SELECT name, NULL, 0 FROM queues WHERE paused";

/// Returns a limit as SQLite has it: a negative one is none.
fn limit(max: usize) -> i64 {
    if max == 0 { -1 } else { i64::try_from(max).unwrap_or(i64::MAX) }
}

pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<JobRecord>, Error> {
    let sql = select_jobs!("WHERE id = ?1");
    connection.prepare_cached(sql)?.query_row([int(id.0)], rows::job).optional()
}

pub(super) fn jobs(connection: &Connection, filter: &JobFilter) -> Result<Vec<JobRecord>, Error> {
    // The first two read an index, the third all jobs.
    let sql = match (&filter.queue, filter.state) {
        (Some(_), Some(RecordState::Running)) => select_jobs!(
            "WHERE id > ?1 AND queue = ?2 AND state = 'running' AND state = ?3 ORDER BY id LIMIT ?4"
        ),
        (Some(_), Some(state)) if state.is_over() => select_jobs!(
            "WHERE id > ?1 AND queue = ?2 AND state = ?3 AND ended IS NOT NULL ORDER BY id LIMIT ?4"
        ),
        _ => select_jobs!(
            "WHERE id > ?1 AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR state = ?3) \
            ORDER BY id LIMIT ?4"
        ),
    };
    let after = filter.after.map_or(0, |id| int(id.0));
    let state = filter.state.map(RecordState::name);
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(params![after, filter.queue, state, limit(filter.max)], rows::job)?.collect()
}

pub(super) fn orphans(
    connection: &Connection,
    queue: &str,
    epoch: Epoch,
    max: usize,
) -> Result<Vec<JobRecord>, Error> {
    let sql = select_jobs!("WHERE queue = ?1 AND state = 'running' AND epoch IS NOT ?2 ORDER BY id LIMIT ?3");
    let mut statement = connection.prepare_cached(sql)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    statement.query_map(params![queue, int(epoch.0), max], rows::job)?.collect()
}

pub(super) fn is_paused(connection: &Connection, queue: &str) -> Result<bool, Error> {
    let mut statement = connection.prepare_cached("SELECT paused FROM queues WHERE name = ?1")?;
    Ok(statement.query_row([queue], |row| row.get(0)).optional()?.unwrap_or_default())
}

pub(super) fn queue(connection: &Connection, queue: &str) -> Result<QueueInfo, Error> {
    let mut info = QueueInfo { paused: is_paused(connection, queue)?, ..QueueInfo::default() };
    // Each of these counts the entries of an index.
    for (state, sql) in [
        ("queued", "SELECT count(*) FROM jobs WHERE queue = ?1 AND state = 'queued'"),
        ("delayed", "SELECT count(*) FROM jobs WHERE queue = ?1 AND state = 'delayed'"),
        ("running", "SELECT count(*) FROM jobs WHERE queue = ?1 AND state = 'running'"),
    ] {
        let count: i64 = connection.prepare_cached(sql)?.query_row([queue], |row| row.get(0))?;
        info.add(state, uint(count));
    }
    // To group them takes longer than to count each.
    let sql = "SELECT count(*) FROM jobs WHERE queue = ?1 AND state = ?2 AND ended IS NOT NULL";
    let mut over = connection.prepare_cached(sql)?;
    for state in RecordState::ALL.into_iter().filter(|state| state.is_over()) {
        let count: i64 = over.query_row([queue, state.name()], |row| row.get(0))?;
        info.add(state.name(), uint(count));
    }
    Ok(info)
}

pub(super) fn queues(connection: &Connection) -> Result<BTreeMap<String, QueueInfo>, Error> {
    let mut queues: BTreeMap<String, QueueInfo> = BTreeMap::new();
    let mut statement = connection.prepare_cached(QUEUES)?;
    let mut counted = statement.query([])?;
    while let Some(row) = counted.next()? {
        let info = queues.entry(row.get(0)?).or_default();
        match row.get::<_, Option<String>>(1)? {
            Some(state) => info.add(&state, uint(row.get(2)?)),
            None => info.paused = true,
        }
    }
    Ok(queues)
}

pub(super) fn events(connection: &Connection, filter: &EventFilter) -> Result<Vec<StoredEvent>, Error> {
    let columns = "e.position, j.name, e.sequence, e.tag, e.version, e.codec, e.body";
    let event = |row: &Row<'_>| {
        Ok(StoredEvent {
            position: uint(row.get(0)?),
            journal: row.get(1)?,
            sequence: uint(row.get(2)?),
            payload: rows::payload(row, 3)?,
        })
    };
    let (after, max) = (int(filter.after), limit(filter.max));
    let Some(journal) = &filter.journal else {
        let sql = format!(
            "SELECT {columns} FROM events AS e JOIN journals AS j ON j.id = e.journal \
            WHERE e.position > ?1 ORDER BY e.position LIMIT ?2"
        );
        return connection.prepare_cached(&sql)?.query_map(params![after, max], event)?.collect();
    };
    let sql = format!(
        "SELECT {columns} FROM journals AS j JOIN events AS e ON e.journal = j.id \
        WHERE j.name = ?1 AND e.sequence > ?2 ORDER BY e.sequence LIMIT ?3"
    );
    connection.prepare_cached(&sql)?.query_map(params![journal, after, max], event)?.collect()
}

pub(super) fn snapshot(connection: &Connection, journal: &str) -> Result<Option<StoredSnapshot>, Error> {
    let sql = "SELECT snapshot_sequence, snapshot_tag, snapshot_version, snapshot_codec, snapshot_body \
        FROM journals WHERE name = ?1 AND snapshot_sequence IS NOT NULL";
    let snapshot =
        |row: &Row<'_>| Ok(StoredSnapshot { sequence: uint(row.get(0)?), state: rows::payload(row, 1)? });
    connection.prepare_cached(sql)?.query_row([journal], snapshot).optional()
}

/// Checks the whole file, and that each job can be read.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let shown = |error: Error| rows::store_error(&error);
    let mut statement = connection.prepare("PRAGMA integrity_check").map_err(shown)?;
    let found = statement.query_map([], |row| row.get(0)).map_err(shown)?;
    let found: Vec<String> = found.collect::<Result<_, _>>().map_err(shown)?;
    if found != ["ok"] {
        return Err(StoreError::Corrupt(found.join("; ")));
    }
    let mut statement = connection.prepare(select_jobs!()).map_err(shown)?;
    for record in statement.query_map([], rows::job).map_err(shown)? {
        record.map_err(shown)?;
    }
    Ok(())
}
