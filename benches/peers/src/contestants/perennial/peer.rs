//! The actors and the pool of perennial.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use perennial::pool::{self, JobContext, PoolHandle, Worker, WorkerContext};
use perennial::{
    Actor, Address, App, Child, Context, ExitReason, MailboxConfig, Name, Registry, Reply, Supervisor,
    SupervisorHandle, System, Whereis as _,
};

use tokio::sync::Notify;

use super::durable::DurableJobs;
use crate::work::{
    Begin, CALL_TIMEOUT, Contestant, Crash, Database, Goal, Mailbox, Peer, Pool, ROOM, TOLERATED, Tally,
    Task, WITHIN, block_on, durable_jobs, on_tokio,
};

/// perennial in the race.
pub const CONTESTANT: Contestant = Contestant {
    name: "perennial",
    can: |task| !matches!(task, Task::Sync { .. }),
    absence: || None,
    run: |task| match task {
        Task::DurableJobs { database, submitters, jobs } => {
            let place = database.create()?;
            let address = place.address().to_owned();
            let jobs = async move { durable_jobs::<DurableJobs>(&address, submitters, jobs).await };
            Ok(vec![block_on(task.threads(), jobs)?])
        }
        Task::DurableCalls { database, callers, calls } => {
            let place = database.create()?;
            let cost = super::accounts::calls(place.address().to_owned(), callers, calls);
            Ok(vec![block_on(task.threads(), cost)?])
        }
        Task::Recovery { events } => {
            let place = Database::Sqlite.create()?;
            let times = super::accounts::recoveries(place.address().to_owned(), events);
            Ok(block_on(task.threads(), times)?.to_vec())
        }
        Task::Remote(remote) => remote.run("perennial"),
        Task::Rescue(database) => super::rescue::rescues(database),
        _ => on_tokio(Perennial(System::new()), task),
    },
};

enum Msg {
    Step(u64),
    Left(Reply<u64>),
    Crash(Crash),
}

struct Runner(Goal);

impl Actor for Runner {
    type Msg = Msg;
    type Args = Goal;

    async fn init(goal: &Goal, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(goal.clone()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Step(by) => self.0.step(by),
            Msg::Left(reply) => reply.send(self.0.left()),
            Msg::Crash(crash) => return Err(ExitReason::failed(crash.strike())),
        }
        Ok(())
    }
}

struct Perennial(System);

impl Peer for Perennial {
    type Address = Address<Msg>;
    type Name = Name<Msg>;
    type Tree = super::tree::PerennialTree;
    type Pool = WorkerPool;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<Address<Msg>> {
        let mailbox = match mailbox {
            Mailbox::Unbounded => MailboxConfig::unbounded(),
            Mailbox::Bounded => MailboxConfig::bounded(ROOM),
        };
        self.0.spawn::<Runner>(goal).mailbox(mailbox).await.context("the actor did not start")
    }

    async fn cast(actor: Address<Msg>, mailbox: Mailbox, count: u64) -> Result<()> {
        match mailbox {
            Mailbox::Unbounded => {
                for _ in 0..count {
                    actor.cast(Msg::Step(1)).map_err(|refused| anyhow!("{refused}"))?;
                }
            }
            Mailbox::Bounded => {
                for _ in 0..count {
                    actor.send(Msg::Step(1)).await.map_err(|refused| anyhow!("{refused}"))?;
                }
            }
        }
        Ok(())
    }

    fn cast_each(actors: &[Address<Msg>], rounds: u64) -> Result<()> {
        for _ in 0..rounds {
            for actor in actors {
                actor.cast(Msg::Step(1)).map_err(|refused| anyhow!("{refused}"))?;
            }
        }
        Ok(())
    }

    async fn ring(&self, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
        super::ring::start(&self.0, actors, reached).await
    }

    async fn call(actor: &Address<Msg>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.call(Msg::Left).await.map_err(|failed| anyhow!("{failed}"))?;
        }
        Ok(())
    }

    async fn call_in_time(actor: &Address<Msg>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.call(Msg::Left).timeout(CALL_TIMEOUT).await.map_err(|failed| anyhow!("{failed}"))?;
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        let mut actors = Vec::new();
        for _ in 0..count {
            actors.push(self.start(Mailbox::Unbounded, Goal::none()).await?);
        }
        let mut ends = Vec::new();
        for actor in &actors {
            ends.push(actor.monitor());
            actor.stop(ExitReason::Normal).context("the actor is gone")?;
        }
        for end in ends {
            end.await;
        }
        Ok(())
    }

    async fn enlist(&self, name: &Name<Msg>, goal: Goal) -> Result<Address<Msg>> {
        let actor = self.start(Mailbox::Unbounded, goal).await?;
        Registry::of(&self.0).bind(name, &actor)?;
        Ok(actor)
    }

    fn whereis<'a>(&self, names: impl Iterator<Item = &'a Name<Msg>>) -> Result<()> {
        for name in names {
            self.0.whereis(name)?;
        }
        Ok(())
    }

    fn cast_named<'a>(&self, names: impl Iterator<Item = &'a Name<Msg>>) -> Result<()> {
        for name in names {
            self.0.cast_to(name, Msg::Step(1)).map_err(|refused| anyhow!("{refused}"))?;
        }
        Ok(())
    }

    async fn supervise(&self) -> Result<Address<Msg>> {
        let worker = Child::new::<Runner>("worker", Goal::none()).mailbox(MailboxConfig::unbounded());
        let address = worker.address();
        let tree = Supervisor::new("supervisor").intensity(TOLERATED, WITHIN).child(worker);
        tree.start(&self.0).await.context("the tree did not start")?;
        Ok(address)
    }

    async fn restart(actor: &Address<Msg>, crash: Crash, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.cast(Msg::Crash(crash)).map_err(|refused| anyhow!("{refused}"))?;
            actor.call(Msg::Left).await.map_err(|failed| anyhow!("{failed}"))?;
        }
        Ok(())
    }
}

struct TallyWorker(Arc<Tally>);

impl Worker for TallyWorker {
    type Job = u64;
    type Output = ();
    type Error = Infallible;
    type Args = Arc<Tally>;

    async fn init(tally: &Arc<Tally>, _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self(tally.clone()))
    }

    async fn work(&mut self, rounds: &u64, _: &JobContext<'_>) -> Result<(), Infallible> {
        self.0.work(*rounds);
        Ok(())
    }
}

struct WorkerPool {
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
