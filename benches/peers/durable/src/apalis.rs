//! apalis with its SQLite storage.
//!
//! A submission is `push`, of a clone of the storage for each. The worker polls each millisecond,
//! fetches [`PREFETCH`] jobs at once, and runs up to [`WORKERS`] of them at once on its own task,
//! which is cheaper for empty jobs. Jobs are locked when they are fetched; locking each again is
//! off. The ends of jobs are stored when there is another job or at the next heartbeat, so that has
//! a period of a tenth of a second instead of 30 seconds.
//!
//! `SqliteStorage::setup` sets `synchronous=OFF` on one connection, which syncs nothing. So the
//! migrations are run without it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use apalis::prelude::*;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};

use crate::work::{DurableQueue, Tally};
use crate::{PREFETCH, WORKERS};

const HEARTBEAT: Duration = Duration::from_millis(100);

pub struct Apalis {
    storage: SqliteStorage<u64>,
    pool: SqlitePool,
}

async fn work(_: u64, tally: Data<Arc<Tally>>) -> Result<(), BoxDynError> {
    tally.step();
    Ok(())
}

impl DurableQueue for Apalis {
    async fn start(file: &Path, tally: Arc<Tally>) -> Result<Self> {
        let pool = crate::open(file).await?;
        SqliteStorage::migrations().run(&pool).await?;
        let config = Config::default()
            .queue("jobs")
            .batch_size(PREFETCH)
            .heartbeat_interval(HEARTBEAT)
            .lock_tasks(false);
        let storage = SqliteStorage::<u64>::new(&pool).with_config(config);
        let polled = storage.clone().poll_with_strategy(Strategy::new().interval(Duration::from_millis(1)));
        tokio::spawn(async move {
            let worker =
                WorkerBuilder::new("worker").backend(polled).data(tally).concurrency(WORKERS).build(work);
            worker.run().await
        });
        Ok(Self { storage, pool })
    }

    async fn submit(&self) -> Result<()> {
        self.storage.clone().push(0).await.map_err(|refused| anyhow!("{refused}"))
    }

    async fn has_more(&self) -> Result<bool> {
        crate::is_any(&self.pool, "SELECT count(*) FROM Jobs WHERE status <> 'Done'").await
    }
}
