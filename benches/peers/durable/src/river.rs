//! River with SQLite or PostgreSQL.
//!
//! A submission is `insert`. Jobs are fetched at most once in a millisecond, the shortest time that
//! River allows; the default is a tenth of a second. As many jobs run at once as are fetched at
//! once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use riverqueue::migrate::{PostgresMigrator, SqliteMigrator};
use riverqueue::{
    Client, FETCH_COOLDOWN_MIN, Job, JobArgs, QueueConfig, RunHandle, WorkContext, WorkOutcome, Workers,
};
use serde::{Deserialize, Serialize};

use crate::PREFETCH;
use crate::pool::Pool;
use crate::work::{DurableQueue, Tally};

pub struct River {
    client: Client,
    pool: Pool,
    _run: RunHandle,
}

#[derive(Clone, Debug, Deserialize, JobArgs, Serialize)]
#[river(kind = "empty")]
struct Empty {}

impl DurableQueue for River {
    async fn start(address: &str, tally: Arc<Tally>) -> Result<Self> {
        let pool = Pool::open(address).await?;
        let builder = match &pool {
            Pool::Sqlite(pool) => {
                SqliteMigrator::new(pool.clone()).migrate_up().await?;
                Client::builder(pool.clone())
            }
            Pool::Postgres(pool) => {
                PostgresMigrator::new(pool.clone()).migrate_up().await?;
                Client::builder(pool.clone())
            }
        };
        let mut workers = Workers::new();
        workers.add_fn(move |_: WorkContext, _: Job<Empty>| {
            let tally = tally.clone();
            async move {
                tally.step();
                Ok::<_, std::io::Error>(WorkOutcome::Complete)
            }
        })?;
        let queue = QueueConfig::new(PREFETCH).with_fetch_poll_interval(Duration::from_millis(1));
        let client =
            builder.workers(workers).fetch_cooldown(FETCH_COOLDOWN_MIN).queue("default", queue).build()?;
        let run = client.start()?;
        Ok(Self { client, pool, _run: run })
    }

    async fn submit(&self) -> Result<()> {
        self.client.insert(Empty {}).await?;
        Ok(())
    }

    async fn has_more(&self) -> Result<bool> {
        self.pool.is_any("SELECT count(*) FROM river_job WHERE state <> 'completed'").await
    }
}
