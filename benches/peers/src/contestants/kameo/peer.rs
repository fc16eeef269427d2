//! The actors and the pool of kameo.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::{Infallible, SendError};
use kameo::mailbox::{bounded, unbounded};
use kameo::message::{Context, Message};
use kameo_actors::pool::{ActorPool, Dispatch};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::work::{
    Begin, CALL_TIMEOUT, Contestant, Crash, Goal, Mailbox, Peer, Pool, ROOM, TOLERATED, Tally, Task, WITHIN,
    on_tokio,
};

/// kameo in the race.
pub const CONTESTANT: Contestant = Contestant {
    name: "kameo",
    can: |task| task.is_local() || task.is_over_tcp(),
    absence: || None,
    run: |task| match task {
        Task::Remote(remote) => remote.run("kameo"),
        _ => on_tokio(Kameo, task),
    },
};

#[derive(Actor, Clone)]
struct Runner(Goal);

struct Step(u64);
struct Left;

impl Message<Step> for Runner {
    type Reply = ();

    async fn handle(&mut self, Step(by): Step, _: &mut Context<Self, ()>) {
        self.0.step(by);
    }
}

impl Message<Left> for Runner {
    type Reply = u64;

    async fn handle(&mut self, _: Left, _: &mut Context<Self, u64>) -> u64 {
        self.0.left()
    }
}

impl Message<Crash> for Runner {
    type Reply = Result<(), &'static str>;

    async fn handle(&mut self, crash: Crash, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Err(crash.strike())
    }
}

struct Supervisor {
    _itself: ActorRef<Self>,
}

impl Actor for Supervisor {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), itself: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self { _itself: itself })
    }
}

struct Kameo;

impl Peer for Kameo {
    type Address = ActorRef<Runner>;
    type Name = String;
    type Tree = super::tree::KameoTree;
    type Pool = Workers;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<ActorRef<Runner>> {
        let mailbox = match mailbox {
            Mailbox::Unbounded => unbounded(),
            Mailbox::Bounded => bounded(ROOM),
        };
        Ok(Runner::spawn_with_mailbox(Runner(goal), mailbox))
    }

    async fn cast(actor: ActorRef<Runner>, mailbox: Mailbox, count: u64) -> Result<()> {
        match mailbox {
            Mailbox::Unbounded => {
                for _ in 0..count {
                    actor.tell(Step(1)).try_send().ok().context("the actor is gone")?;
                }
            }
            Mailbox::Bounded => {
                for _ in 0..count {
                    actor.tell(Step(1)).send().await.ok().context("the actor is gone")?;
                }
            }
        }
        Ok(())
    }

    fn cast_each(actors: &[ActorRef<Runner>], rounds: u64) -> Result<()> {
        for _ in 0..rounds {
            for actor in actors {
                actor.tell(Step(1)).try_send().ok().context("the actor is gone")?;
            }
        }
        Ok(())
    }

    async fn ring(&self, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
        super::ring::start(actors, reached).await
    }

    async fn call(actor: &ActorRef<Runner>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.ask(Left).send().await.ok().context("the actor is gone")?;
        }
        Ok(())
    }

    async fn call_in_time(actor: &ActorRef<Runner>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.ask(Left).reply_timeout(CALL_TIMEOUT).send().await.ok().context("the actor is gone")?;
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        let mut actors = Vec::new();
        for _ in 0..count {
            actors.push(self.start(Mailbox::Unbounded, Goal::none()).await?);
        }
        for actor in &actors {
            actor.stop_gracefully().await.ok().context("the actor is gone")?;
        }
        for actor in actors {
            actor.wait_for_shutdown().await;
        }
        Ok(())
    }

    async fn enlist(&self, name: &String, goal: Goal) -> Result<ActorRef<Runner>> {
        let actor = self.start(Mailbox::Unbounded, goal).await?;
        actor.register(name.clone())?;
        Ok(actor)
    }

    fn whereis<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        for name in names {
            ActorRef::<Runner>::lookup(name.as_str())?.context("no actor has the name")?;
        }
        Ok(())
    }

    fn cast_named<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        for name in names {
            let actor = ActorRef::<Runner>::lookup(name.as_str())?.context("no actor has the name")?;
            actor.tell(Step(1)).try_send().ok().context("the actor is gone")?;
        }
        Ok(())
    }

    async fn supervise(&self) -> Result<ActorRef<Runner>> {
        let supervisor = Supervisor::spawn(());
        let worker = Runner::supervise(&supervisor, Runner(Goal::none())).restart_limit(TOLERATED, WITHIN);
        Ok(worker.spawn_with_mailbox(unbounded()).await)
    }

    async fn restart(actor: &ActorRef<Runner>, crash: Crash, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.tell(crash).try_send().ok().context("the actor is gone")?;
            loop {
                match actor.ask(Left).send().await {
                    Ok(_) => break,
                    Err(SendError::ActorNotRunning(_)) => bail!("the actor is gone"),
                    Err(_) => yield_now().await,
                }
            }
        }
        Ok(())
    }
}

#[derive(Actor)]
struct TallyWorker(Arc<Tally>);

struct Job(u64);

impl Message<Job> for TallyWorker {
    type Reply = ();

    async fn handle(&mut self, Job(rounds): Job, _: &mut Context<Self, ()>) {
        self.0.work(rounds);
    }
}

struct Workers(ActorRef<ActorPool<TallyWorker>>);

impl Pool for Workers {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        let pool = ActorPool::new(workers, move || {
            TallyWorker::spawn_with_mailbox(TallyWorker(tally.clone()), unbounded())
        });
        Ok(Self(ActorPool::spawn_with_mailbox(pool, unbounded())))
    }

    async fn submit(&self, rounds: u64, count: u64) -> Result<()> {
        for _ in 0..count {
            self.0.tell(Dispatch(Job(rounds))).try_send().ok().context("the pool is gone")?;
        }
        Ok(())
    }
}
