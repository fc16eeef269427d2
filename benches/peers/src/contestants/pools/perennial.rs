//! perennial: `submit(..).detach()`, which waits for room in the queue of 1,024 jobs, the default
//! capacity.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use perennial::pool::{self, PoolHandle, Worker, WorkerContext};
use perennial::{App, ExitReason, SupervisorHandle, System};

use super::Pool;
use super::tally::Tally;

struct TallyWorker(Arc<Tally>);

impl Worker for TallyWorker {
    type Job = u64;
    type Output = ();
    type Error = Infallible;
    type Args = Arc<Tally>;

    async fn init(tally: &Arc<Tally>, _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self(tally.clone()))
    }

    async fn work(&mut self, rounds: &u64) -> Result<(), Infallible> {
        self.0.work(*rounds);
        Ok(())
    }
}

pub struct WorkerPool {
    jobs: PoolHandle<TallyWorker>,
    _app: App<SupervisorHandle>,
}

impl Pool for WorkerPool {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        let pool = pool::Pool::<TallyWorker>::new("pool", workers, tally);
        let jobs = pool.handle();
        let app = pool.start(&System::new()).await.context("the pool did not start")?;
        Ok(Self { jobs, _app: app })
    }

    async fn submit(&self, rounds: u64, count: u64) -> Result<()> {
        for _ in 0..count {
            self.jobs.submit(rounds).detach().await.map_err(|refused| anyhow!("{refused}"))?;
        }
        Ok(())
    }
}
