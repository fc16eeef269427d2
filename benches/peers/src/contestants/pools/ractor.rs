//! ractor: `dispatch` to a `Factory` with queuer routing and its default queue. Round robin is no
//! cheaper. The queue is unbounded.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{Factory, FactoryArguments, FactoryRef, Job, Worker, WorkerId, worker_builder};
use ractor::{Actor, ActorProcessingErr};

use super::Pool;
use super::tally::Tally;

struct TallyWorker;

impl Worker for TallyWorker {
    type Key = ();
    type Message = u64;
    type State = Arc<Tally>;
    type Arguments = Arc<Tally>;

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &FactoryRef<(), u64>,
        tally: Arc<Tally>,
    ) -> Result<Arc<Tally>, ActorProcessingErr> {
        Ok(tally)
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &FactoryRef<(), u64>,
        job: Job<(), u64>,
        tally: &mut Arc<Tally>,
    ) -> Result<(), ActorProcessingErr> {
        tally.work(job.msg);
        Ok(())
    }
}

type Queuer = Factory<(), u64, Arc<Tally>, TallyWorker, QueuerRouting<(), u64>, DefaultQueue<(), u64>>;

pub struct FactoryPool(FactoryRef<(), u64>);

impl Pool for FactoryPool {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        let arguments = FactoryArguments::builder()
            .worker_builder(Box::new(worker_builder(move |_| (TallyWorker, tally.clone()))))
            .queue(DefaultQueue::default())
            .router(QueuerRouting::default())
            .num_initial_workers(workers)
            .build();
        let factory = Actor::spawn(None, Queuer::default(), arguments).await;
        Ok(Self(factory.context("the factory did not start")?.0))
    }

    async fn submit(&self, rounds: u64, count: u64) -> Result<()> {
        for _ in 0..count {
            self.0.dispatch((), rounds).map_err(|refused| anyhow!("{refused}"))?;
        }
        Ok(())
    }
}
