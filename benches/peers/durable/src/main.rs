//! The durable queues that perennial races: apalis and River, both with SQLite.
//!
//! `perennial-durable-peers NAME SUBMITTERS JOBS` does one work and prints the cost of each job.
//! The race starts it.
//!
//! Both have the same database: a file of its own with the log written ahead (WAL), each commit
//! synced (`synchronous=FULL`, which is also the default of SQLite), and a busy timeout of five
//! seconds or more.

mod apalis;
mod river;
mod work;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// The jobs that run at once, and those that are fetched at once: as many as perennial has.
const WORKERS: usize = 4;
const PREFETCH: usize = 256;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, submitters, jobs] = &arguments[..] else { bail!("usage: NAME SUBMITTERS JOBS") };
    let (submitters, count) = (submitters.parse()?, jobs.parse()?);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().context("tokio starts no runtime")?;
    let cost = runtime.block_on(async {
        match name.as_str() {
            "apalis" => work::jobs::<apalis::Apalis>(submitters, count).await,
            "river" => work::jobs::<river::River>(submitters, count).await,
            _ => bail!("there is no {name}"),
        }
    })?;
    println!("{cost}");
    Ok(())
}

/// Opens the database as a pool of connections.
async fn open(file: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // The writers of 64 submitters wait for each other.
        .busy_timeout(Duration::from_secs(60));
    Ok(SqlitePoolOptions::new()
        .max_connections(5)
        .acquire_timeout(Duration::from_secs(600))
        .connect_with(options)
        .await?)
}

/// Returns `true` if this query of a number finds more than zero.
async fn is_any(pool: &SqlitePool, count: &'static str) -> Result<bool> {
    let left: i64 = sqlx::query_scalar(count).fetch_one(pool).await?;
    Ok(left > 0)
}
