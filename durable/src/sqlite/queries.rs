//! What is read from the tables.

use std::collections::BTreeMap;

use rusqlite::{Connection, Error, OptionalExtension, Row, params};

use super::rows::{self, int, select_jobs, uint};
use crate::error::StoreError;
use crate::record::{Epoch, JobId, JobRecord, RecordState};
use crate::store::{EventFilter, JobFilter, QueueInfo, StoredEvent, StoredSnapshot};

/// The jobs of each queue and state, and the paused queues, without a state.
const QUEUES: &str = "SELECT queue, state, count(*) FROM waiting_jobs GROUP BY 1, 2 \
    UNION ALL SELECT queue, 'running', count(*) FROM running_jobs GROUP BY 1 \
    UNION ALL SELECT queue, state, count(*) FROM ended_jobs GROUP BY 1, 2 \
    UNION ALL SELECT name, NULL, 0 FROM queues WHERE paused";

/// The numbers of jobs of any state or of one that waits, in order: it stops at the limit.
const NUMBERS: &str = "SELECT id FROM submitted_jobs AS s WHERE id > ?1 AND (?2 IS NULL OR queue = ?2) \
    AND (?3 IS NULL OR EXISTS (SELECT 1 FROM waiting_jobs AS w WHERE w.queue = s.queue \
    AND w.state = ?3 AND w.priority = s.priority AND w.id = s.id)) ORDER BY id LIMIT ?4";

/// A job that waits is found by its queue and its priority.
pub(super) const JOB: &str = select_jobs!(
    "WHERE id = ?1 AND (queue, priority) = (SELECT queue, priority FROM submitted_jobs WHERE id = ?1)"
);

pub(super) const OF_STATE: &str =
    select_jobs!("WHERE id > ?1 AND queue = ?2 AND state = ?3 ORDER BY id LIMIT ?4");

/// Returns a limit as SQLite has it: a negative one is none.
fn limit(max: usize) -> i64 {
    if max == 0 { -1 } else { i64::try_from(max).unwrap_or(i64::MAX) }
}

pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<JobRecord>, Error> {
    connection.prepare_cached(JOB)?.query_row([int(id.0)], rows::job).optional()
}

pub(super) fn jobs(connection: &Connection, filter: &JobFilter) -> Result<Vec<JobRecord>, Error> {
    let after = filter.after.map_or(0, |id| int(id.0));
    let state = filter.state.map(RecordState::name);
    let params = params![after, filter.queue, state, limit(filter.max)];
    if filter.max > 0 && filter.state.is_none_or(RecordState::is_waiting) {
        // Of one state: what is committed meanwhile is not read.
        let transaction = connection.unchecked_transaction()?;
        let mut statement = transaction.prepare_cached(NUMBERS)?;
        let numbers = statement.query_map(params, |row| Ok(JobId(uint(row.get(0)?))))?;
        return numbers.filter_map(|id| id.and_then(|id| job(connection, id)).transpose()).collect();
    }
    let sql = match (&filter.queue, state) {
        (Some(_), Some(_)) => OF_STATE,
        // It reads all jobs.
        _ => select_jobs!(
            "WHERE id > ?1 AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR state = ?3) \
            ORDER BY id LIMIT ?4"
        ),
    };
    connection.prepare_cached(sql)?.query_map(params, rows::job)?.collect()
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
    for state in RecordState::ALL {
        let sql = match state {
            state if state.is_waiting() => {
                "SELECT count(*) FROM waiting_jobs WHERE queue = ?1 AND state = ?2"
            }
            RecordState::Running => "SELECT count(*) FROM running_jobs WHERE queue = ?1 AND ?2 <> ''",
            // To group them takes longer than to count each.
            _ => "SELECT count(*) FROM ended_jobs WHERE queue = ?1 AND state = ?2",
        };
        let mut statement = connection.prepare_cached(sql)?;
        let count: i64 = statement.query_row([queue, state.name()], |row| row.get(0))?;
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

/// Checks the whole file, and that each job can be read and is in a state.
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
    let sql = "SELECT count(*) FROM submitted_jobs WHERE id NOT IN (SELECT id FROM jobs)";
    let lost: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(shown)?;
    if lost > 0 {
        return Err(StoreError::Corrupt(format!("{lost} jobs are in no state")));
    }
    Ok(())
}
