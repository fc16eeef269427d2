//! apalis with its storage in SQLite or PostgreSQL.
//!
//! A submission is `push`, of a clone of the storage for each. The worker polls each millisecond,
//! fetches [`PREFETCH`] jobs at once, and runs up to [`WORKERS`] of them at once on its own task,
//! which is cheaper for empty jobs. Jobs are locked when they are fetched; locking each again is
//! off. The ends of jobs are stored when there is another job or at the next heartbeat, so that has
//! a period of a tenth of a second instead of 30 seconds.
//!
//! `SqliteStorage::setup` sets `synchronous=OFF` on one connection, which syncs nothing. So the
//! migrations are run without it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use apalis::prelude::*;
use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;

use crate::pool::Pool;
use crate::work::{DurableQueue, Tally};
use crate::{PREFETCH, WORKERS};

const HEARTBEAT: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(1);

pub struct Apalis {
    storage: Storage,
    pool: Pool,
}

enum Storage {
    Sqlite(SqliteStorage<u64>),
    Postgres(PostgresStorage<u64>),
}

async fn work(_: u64, tally: Data<Arc<Tally>>) -> Result<(), BoxDynError> {
    tally.step();
    Ok(())
}

/// The same settings for both storages, whose types have nothing in common.
macro_rules! start {
    ($storage:ty, $config:ty, $pool:expr, $tally:expr) => {{
        let config = <$config>::default().queue("jobs").batch_size(PREFETCH);
        let config = config.heartbeat_interval(HEARTBEAT).lock_tasks(false);
        let storage = <$storage>::new($pool).with_config(config);
        let polled = storage.clone().poll_with_strategy(Strategy::new().interval(POLL));
        let tally = $tally;
        tokio::spawn(async move {
            let worker =
                WorkerBuilder::new("worker").backend(polled).data(tally).concurrency(WORKERS).build(work);
            worker.run().await
        });
        storage
    }};
}

impl DurableQueue for Apalis {
    async fn start(address: &str, tally: Arc<Tally>) -> Result<Self> {
        let pool = Pool::open(address).await?;
        let storage = match &pool {
            Pool::Sqlite(pool) => {
                SqliteStorage::migrations().run(pool).await?;
                Storage::Sqlite(start!(SqliteStorage<u64>, apalis_sqlite::Config, pool, tally))
            }
            Pool::Postgres(pool) => {
                PostgresStorage::migrations().run(pool).await?;
                Storage::Postgres(start!(PostgresStorage<u64>, apalis_postgres::Config, pool, tally))
            }
        };
        Ok(Self { storage, pool })
    }

    async fn submit(&self) -> Result<()> {
        match &self.storage {
            Storage::Sqlite(storage) => storage.clone().push(0).await.map_err(|refused| anyhow!("{refused}")),
            Storage::Postgres(storage) => {
                storage.clone().push(0).await.map_err(|refused| anyhow!("{refused}"))
            }
        }
    }

    async fn has_more(&self) -> Result<bool> {
        let table = match self.pool {
            Pool::Sqlite(_) => "SELECT count(*) FROM Jobs WHERE status <> 'Done'",
            Pool::Postgres(_) => "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'",
        };
        self.pool.is_any(table).await
    }
}
