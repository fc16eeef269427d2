//! The durable pool of perennial, on SQLite or PostgreSQL.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use perennial::pool::{JobContext, Pool, Worker, WorkerContext};
use perennial::{App, ExitReason, SupervisorHandle, System};
use perennial_durable::pool::{Durable, DurableHandle};
use perennial_durable::postgres::PostgresStore;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{RecordState, Store};

use crate::work::{DurableQueue, PREFETCH, Tally, WORKERS};

struct TallyWorker(Arc<Tally>);

impl Worker for TallyWorker {
    type Job = ();
    type Output = ();
    type Error = Infallible;
    type Args = Arc<Tally>;

    async fn init(tally: &Arc<Tally>, _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self(tally.clone()))
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<(), Infallible> {
        self.0.step();
        Ok(())
    }
}

/// Opens the store at an address: the URL of a server, or the path of a file.
pub async fn open(address: &str) -> Result<Arc<dyn Store>> {
    if address.starts_with("postgres://") {
        return Ok(Arc::new(PostgresStore::connect(address).await.context("the store does not open")?));
    }
    Ok(Arc::new(SqliteStore::open(address).context("the store does not open")?))
}

/// A pool with the default settings, but for what it takes from the store at once.
pub struct DurableJobs {
    jobs: DurableHandle<TallyWorker>,
    _app: App<SupervisorHandle>,
}

impl DurableQueue for DurableJobs {
    async fn start(address: &str, tally: Arc<Tally>) -> Result<Self> {
        let store = open(address).await?;
        let pool = Pool::<TallyWorker>::new("jobs", WORKERS, tally).durable(store).prefetch(PREFETCH);
        let jobs = pool.handle();
        let app = pool.start(&System::new()).await.context("the pool did not start")?;
        Ok(Self { jobs, _app: app })
    }

    async fn submit(&self) -> Result<()> {
        self.jobs.submit(()).await.map(drop).map_err(|refused| anyhow!("{refused}"))
    }

    async fn has_more(&self) -> Result<bool> {
        let info = self.jobs.info().await?;
        Ok(RecordState::ALL.into_iter().any(|state| !state.is_over() && info.count(state) > 0))
    }
}
