//! The actors and the pool of actix.

use std::sync::Arc;

use actix::{
    Actor, ActorContext, Addr, Arbiter, ArbiterHandle, Context, Handler, Message, Supervised, Supervisor,
    SyncArbiter, SyncContext, System,
};
use anyhow::{Context as _, Result, ensure};
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

use crate::work::{
    Begin, CALL_TIMEOUT, Contestant, Crash, Goal, Mailbox, NoTree, Peer, Pool, ROOM, Tally, Task, Threads,
    drive,
};

/// actix in the race.
pub const CONTESTANT: Contestant = Contestant { name: "actix", can, absence: || None, run: on_system };

const fn can(task: Task) -> bool {
    match task {
        // Only `Addr::send` waits for room, and it waits for the reply too.
        Task::Cast { mailbox: Mailbox::Bounded, .. } => false,
        // The supervisor restarts an actor after a stop, but not after a panic.
        Task::Restart(Crash::Panic) => false,
        task if task.is_durable() => false,
        Task::Remote(_) => false,
        // The registry has one actor per type, and no names.
        Task::Whereis(_) | Task::NamedCast { .. } => false,
        // A supervisor has one actor, and no supervisor stops others.
        Task::Children { .. } | Task::Scale { .. } => false,
        // The workers of a pool are threads.
        Task::EmptyJobs { threads: Threads::One } => false,
        _ => true,
    }
}

struct Runner {
    goal: Goal,
    /// Dropped when the actor has stopped.
    _end: Option<oneshot::Sender<()>>,
}

impl Actor for Runner {
    type Context = Context<Self>;
}

impl Supervised for Runner {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.goal = Goal::none();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Step(u64);

#[derive(Message)]
#[rtype(result = "u64")]
struct Left;

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Step> for Runner {
    type Result = ();

    fn handle(&mut self, Step(by): Step, _: &mut Context<Self>) {
        self.goal.step(by);
    }
}

impl Handler<Left> for Runner {
    type Result = u64;

    fn handle(&mut self, _: Left, _: &mut Context<Self>) -> u64 {
        self.goal.left()
    }
}

impl Handler<Stop> for Runner {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// The arbiter on which the actors run, or `None` if they run on the thread of the system.
struct Actix(Option<ArbiterHandle>);

/// Runs the race as a task of a system. It is woken faster there than as the future on which the
/// system blocks.
fn on_system(task: Task) -> Result<Vec<f64>> {
    System::new().block_on(async move {
        let arbiter = (task.threads() == Threads::Two).then(Arbiter::new);
        let peer = Actix(arbiter.as_ref().map(Arbiter::handle));
        let cost = actix::spawn(async move { drive(&peer, task).await }).await;
        if let Some(arbiter) = arbiter {
            arbiter.stop();
        }
        cost.context("the race panicked")?
    })
}

impl Actix {
    fn create(&self, mailbox: Mailbox, goal: Goal, end: Option<oneshot::Sender<()>>) -> Addr<Runner> {
        let begin = move |ctx: &mut Context<Runner>| {
            if mailbox == Mailbox::Bounded {
                ctx.set_mailbox_capacity(ROOM);
            }
            Runner { goal, _end: end }
        };
        match &self.0 {
            Some(arbiter) => Runner::start_in_arbiter(arbiter, begin),
            None => Runner::create(begin),
        }
    }
}

impl Peer for Actix {
    type Address = Addr<Runner>;
    type Name = String;
    type Tree = NoTree;
    type Pool = SyncPool;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<Addr<Runner>> {
        Ok(self.create(mailbox, goal, None))
    }

    async fn cast(actor: Addr<Runner>, _: Mailbox, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.do_send(Step(1));
        }
        Ok(())
    }

    fn cast_each(actors: &[Addr<Runner>], rounds: u64) -> Result<()> {
        for _ in 0..rounds {
            for actor in actors {
                actor.do_send(Step(1));
            }
        }
        Ok(())
    }

    async fn ring(&self, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
        super::ring::start(self.0.as_ref(), actors, reached)
    }

    async fn call(actor: &Addr<Runner>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.send(Left).await.context("the actor gave no answer")?;
        }
        Ok(())
    }

    async fn call_in_time(actor: &Addr<Runner>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.send(Left).timeout(CALL_TIMEOUT).await.context("the actor gave no answer")?;
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        let mut actors = Vec::new();
        for _ in 0..count {
            let (end, ended) = oneshot::channel();
            actors.push((self.create(Mailbox::Unbounded, Goal::none(), Some(end)), ended));
        }
        for (actor, _) in &actors {
            actor.do_send(Stop);
        }
        for (_, ended) in actors {
            // Its sender is dropped with the actor; nothing is sent.
            let _ = ended.await;
        }
        Ok(())
    }

    async fn supervise(&self) -> Result<Addr<Runner>> {
        let begin = |_: &mut Context<Runner>| Runner { goal: Goal::none(), _end: None };
        Ok(match &self.0 {
            Some(arbiter) => Supervisor::start_in_arbiter(arbiter, begin),
            None => Supervisor::start(begin),
        })
    }

    async fn restart(actor: &Addr<Runner>, crash: Crash, count: u64) -> Result<()> {
        ensure!(crash == Crash::Error, "a panic is not caught");
        for _ in 0..count {
            actor.do_send(Stop);
            while actor.send(Left).await.is_err() {
                yield_now().await;
            }
        }
        Ok(())
    }
}

struct TallyWorker(Arc<Tally>);

impl Actor for TallyWorker {
    type Context = SyncContext<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Job(u64);

impl Handler<Job> for TallyWorker {
    type Result = ();

    fn handle(&mut self, Job(rounds): Job, _: &mut SyncContext<Self>) {
        self.0.work(rounds);
    }
}

struct SyncPool(Addr<TallyWorker>);

impl Pool for SyncPool {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        Ok(Self(SyncArbiter::start(workers, move || TallyWorker(tally.clone()))))
    }

    async fn submit(&self, rounds: u64, count: u64) -> Result<()> {
        for _ in 0..count {
            self.0.do_send(Job(rounds));
        }
        Ok(())
    }
}
