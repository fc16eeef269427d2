//! A plain loop of PostgreSQL transactions: the floor of a durable queue on a server.
//!
//! One session inserts as many jobs as there are submitters by one statement, and then takes them
//! and marks them as done by another. Each is a transaction, whose commit is synced. Events of
//! durable actors are inserted by one statement, too.

use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio_postgres::{Client, NoTls};

use crate::work::{Threads, WARM_UP, block_on, each};

const SCHEMA: &str = "CREATE TABLE jobs (id bigserial PRIMARY KEY, state text NOT NULL, body bytea NOT NULL); \
    CREATE INDEX jobs_queued ON jobs (id) WHERE state = 'queued'";

const INSERT: &str = "INSERT INTO jobs (state, body) SELECT 'queued', '' FROM generate_series(1, $1::bigint)";

const WORK: &str = "UPDATE jobs SET state = 'done' WHERE id = ANY (ARRAY( \
    SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING body";

/// Returns the cost of each of `count` jobs in nanoseconds.
pub fn jobs(url: &str, submitters: u64, count: u64) -> Result<f64> {
    let url = url.to_owned();
    block_on(Threads::Two, async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(SCHEMA).await?;
        run(&client, submitters, count / WARM_UP).await?;
        let begin = Instant::now();
        let done = run(&client, submitters, count).await?;
        Ok(each(begin.elapsed(), done))
    })
}

const EVENTS: &str = "CREATE TABLE events (position bigserial PRIMARY KEY, journal bigint NOT NULL, \
        sequence bigint NOT NULL, body bytea NOT NULL); \
    CREATE UNIQUE INDEX events_sequence ON events (journal, sequence)";

const APPEND: &str = "INSERT INTO events (journal, sequence, body) \
    SELECT journal, $2, '\\x01' FROM generate_series(1, $1::bigint) AS journal";

/// Returns the cost in nanoseconds of each of `count` events of as many journals as there are
/// callers. One session inserts an event of each journal by one statement.
pub fn events(url: &str, callers: u64, count: u64) -> Result<f64> {
    let url = url.to_owned();
    block_on(Threads::Two, async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(EVENTS).await?;
        let append = client.prepare(APPEND).await?;
        let journals = i64::try_from(callers).context("too many callers")?;
        let warm_up = i64::try_from((count / WARM_UP).div_ceil(callers))?;
        for sequence in 0..warm_up {
            client.execute(&append, &[&journals, &sequence]).await?;
        }
        let rounds = i64::try_from(count.div_ceil(callers))?;
        let begin = Instant::now();
        for sequence in warm_up..warm_up + rounds {
            client.execute(&append, &[&journals, &sequence]).await?;
        }
        Ok(each(begin.elapsed(), count.div_ceil(callers) * callers))
    })
}

/// Returns how many jobs were done: at least `count`.
async fn run(client: &Client, group: u64, count: u64) -> Result<u64> {
    let rounds = count.div_ceil(group);
    let (insert, work) = (client.prepare(INSERT).await?, client.prepare(WORK).await?);
    let size = i64::try_from(group).context("too many submitters")?;
    for _ in 0..rounds {
        client.execute(&insert, &[&size]).await?;
        std::hint::black_box(client.query(&work, &[&size]).await?);
    }
    Ok(rounds * group)
}
