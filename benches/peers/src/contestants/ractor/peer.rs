//! The actors and the pool of ractor.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{Factory, FactoryArguments, FactoryRef, Job, Worker, WorkerId, worker_builder};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorOptions, SupervisorStrategy,
};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::work::{
    Begin, CALL_TIMEOUT, Contestant, Crash, Goal, Mailbox, Peer, Pool, TOLERATED, Tally, Task, WITHIN,
    on_tokio,
};

/// ractor in the race. Its mailboxes have no bounds.
pub const CONTESTANT: Contestant = Contestant {
    name: "ractor",
    can: |task| (!task.is_bounded() && task.is_local()) || task.is_over_tcp(),
    absence: || None,
    run: |task| match task {
        Task::Remote(remote) => remote.run("ractor"),
        _ => on_tokio(Ractor, task),
    },
};

enum Msg {
    Step(u64),
    Left(RpcReplyPort<u64>),
    Crash(Crash),
}

struct Runner;

impl Actor for Runner {
    type Msg = Msg;
    type State = Goal;
    type Arguments = Goal;

    async fn pre_start(&self, _: ActorRef<Msg>, goal: Goal) -> Result<Goal, ActorProcessingErr> {
        Ok(goal)
    }

    async fn handle(&self, _: ActorRef<Msg>, msg: Msg, goal: &mut Goal) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Step(by) => goal.step(by),
            Msg::Left(reply) => reply.send(goal.left())?,
            Msg::Crash(crash) => return Err(crash.strike().into()),
        }
        Ok(())
    }
}

/// The name of the supervised actor.
const WORKER: &str = "worker";

async fn spawn_worker(supervisor: ActorCell, name: String) -> Result<ActorCell, SpawnErr> {
    let (worker, _) = Supervisor::spawn_linked(name, Runner, Goal::none(), supervisor).await?;
    Ok(worker.get_cell())
}

/// Waits for the first incarnation that answers, and returns it.
async fn answering() -> ActorRef<Msg> {
    loop {
        if let Some(worker) = ActorRef::where_is(WORKER)
            && ractor::call!(worker, Msg::Left).is_ok()
        {
            return worker;
        }
        yield_now().await;
    }
}

struct Ractor;

impl Peer for Ractor {
    type Address = ActorRef<Msg>;
    type Name = String;
    type Tree = super::tree::RactorTree;
    type Pool = FactoryPool;

    async fn start(&self, _: Mailbox, goal: Goal) -> Result<ActorRef<Msg>> {
        let (actor, _) = Actor::spawn(None, Runner, goal).await.context("the actor did not start")?;
        Ok(actor)
    }

    async fn cast(actor: ActorRef<Msg>, _: Mailbox, count: u64) -> Result<()> {
        for _ in 0..count {
            ractor::cast!(actor, Msg::Step(1)).map_err(|refused| anyhow!("{refused}"))?;
        }
        Ok(())
    }

    fn cast_each(actors: &[ActorRef<Msg>], rounds: u64) -> Result<()> {
        for _ in 0..rounds {
            for actor in actors {
                ractor::cast!(actor, Msg::Step(1)).map_err(|refused| anyhow!("{refused}"))?;
            }
        }
        Ok(())
    }

    async fn ring(&self, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
        super::ring::start(actors, reached).await
    }

    async fn call(actor: &ActorRef<Msg>, count: u64) -> Result<()> {
        for _ in 0..count {
            ractor::call!(actor, Msg::Left).map_err(|failed| anyhow!("{failed}"))?;
        }
        Ok(())
    }

    async fn call_in_time(actor: &ActorRef<Msg>, count: u64) -> Result<()> {
        for _ in 0..count {
            let reply = actor.call(Msg::Left, Some(CALL_TIMEOUT)).await?;
            ensure!(reply.is_success(), "the actor gave no answer");
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        let mut actors = Vec::new();
        for _ in 0..count {
            actors.push(Actor::spawn(None, Runner, Goal::none()).await.context("the actor did not start")?);
        }
        for (actor, _) in &actors {
            actor.stop(None);
        }
        for (_, end) in actors {
            end.await.context("the actor panicked")?;
        }
        Ok(())
    }

    async fn enlist(&self, name: &String, goal: Goal) -> Result<ActorRef<Msg>> {
        let spawned = Actor::spawn(Some(name.clone()), Runner, goal).await;
        Ok(spawned.context("the actor did not start")?.0)
    }

    fn whereis<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        for name in names {
            ActorRef::<Msg>::where_is(name).context("no actor has the name")?;
        }
        Ok(())
    }

    fn cast_named<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        for name in names {
            let actor = ActorRef::where_is(name).context("no actor has the name")?;
            ractor::cast!(actor, Msg::Step(1)).map_err(|refused| anyhow!("{refused}"))?;
        }
        Ok(())
    }

    async fn supervise(&self) -> Result<ActorRef<Msg>> {
        let worker = ChildSpec {
            id: WORKER.to_owned(),
            restart: Restart::Permanent,
            spawn_fn: SpawnFn::new(spawn_worker),
            backoff_fn: None,
            reset_after: None,
        };
        let options = SupervisorOptions {
            strategy: SupervisorStrategy::OneForOne,
            max_restarts: usize::try_from(TOLERATED)?,
            max_window: WITHIN,
            reset_after: None,
        };
        let arguments = SupervisorArguments { child_specs: vec![worker], options };
        Supervisor::spawn("supervisor".to_owned(), arguments)
            .await
            .context("the supervisor did not start")?;
        Ok(answering().await)
    }

    async fn restart(_: &ActorRef<Msg>, crash: Crash, count: u64) -> Result<()> {
        let mut worker = answering().await;
        for _ in 0..count {
            ractor::cast!(worker, Msg::Crash(crash)).map_err(|refused| anyhow!("{refused}"))?;
            worker = answering().await;
        }
        Ok(())
    }
}

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

struct FactoryPool(FactoryRef<(), u64>);

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
