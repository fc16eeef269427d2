//! A plain loop of SQLite transactions: the floor of a durable queue.
//!
//! One thread inserts as many jobs as there are submitters and commits, and then takes them, marks
//! them as done and commits. Each commit is synced.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::ops::Range;
use std::time::Instant;

use anyhow::Result;
use rusqlite::{Connection, TransactionBehavior};

use crate::work::{WARM_UP, each, folder};

/// The bytes of a page of SQLite.
const PAGE: usize = 4_096;

const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL); \
    CREATE INDEX jobs_queued ON jobs (id) WHERE state = 'queued'";

/// Returns the cost of each of `count` jobs in nanoseconds.
pub fn jobs(file: &str, submitters: u64, count: u64) -> Result<f64> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(SCHEMA)?;
    run(&mut connection, submitters, count / WARM_UP)?;
    let begin = Instant::now();
    let done = run(&mut connection, submitters, count)?;
    Ok(each(begin.elapsed(), done))
}

/// Returns the cost in nanoseconds of each of `count` events of as many journals as there are
/// callers. One thread inserts an event of each journal, and commits.
pub fn events(file: &str, callers: u64, count: u64) -> Result<f64> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
        CREATE TABLE events (position INTEGER PRIMARY KEY, journal INTEGER NOT NULL, \
            sequence INTEGER NOT NULL, body BLOB NOT NULL); \
        CREATE UNIQUE INDEX events_sequence ON events (journal, sequence)",
    )?;
    let warm_up = (count / WARM_UP).div_ceil(callers);
    insert_events(&mut connection, callers, 0..warm_up)?;
    let begin = Instant::now();
    let rounds = count.div_ceil(callers);
    insert_events(&mut connection, callers, warm_up..warm_up + rounds)?;
    Ok(each(begin.elapsed(), rounds * callers))
}

fn insert_events(connection: &mut Connection, journals: u64, sequences: Range<u64>) -> Result<()> {
    for sequence in sequences {
        let inserting = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for journal in 0..journals {
            inserting
                .prepare_cached("INSERT INTO events (journal, sequence, body) VALUES (?1, ?2, x'01')")?
                .execute([journal.cast_signed(), sequence.cast_signed()])?;
        }
        inserting.commit()?;
    }
    Ok(())
}

/// Returns the cost of each of `count` syncs in nanoseconds. A page is written before each, over
/// one that is there already, as SQLite writes its log.
pub fn syncs(count: u64) -> Result<f64> {
    let folder = folder()?;
    let mut file = File::create_new(folder.path().join("page"))?;
    let page = [0; PAGE];
    sync_all(&mut file, &page, WARM_UP)?;
    let begin = Instant::now();
    sync_all(&mut file, &page, count)?;
    Ok(each(begin.elapsed(), count))
}

fn sync_all(file: &mut File, page: &[u8], count: u64) -> Result<()> {
    for _ in 0..count {
        file.rewind()?;
        file.write_all(page)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Returns how many jobs were done: at least `count`.
fn run(connection: &mut Connection, group: u64, count: u64) -> Result<u64> {
    let rounds = count.div_ceil(group);
    for _ in 0..rounds {
        let inserting = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for _ in 0..group {
            inserting.prepare_cached("INSERT INTO jobs (state, body) VALUES ('queued', x'')")?.execute([])?;
        }
        inserting.commit()?;
        let working = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut statement = working
            .prepare_cached("SELECT id, body FROM jobs WHERE state = 'queued' ORDER BY id LIMIT ?1")?;
        let taken = statement
            .query_map([group.cast_signed()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let taken: Vec<_> = taken.collect::<Result<_, _>>()?;
        for (id, body) in taken {
            std::hint::black_box(body);
            working.prepare_cached("UPDATE jobs SET state = 'done' WHERE id = ?1")?.execute([id])?;
        }
        drop(statement);
        working.commit()?;
    }
    Ok(rounds * group)
}
