//! The actors and the pool of bare.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, bail};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::work::{
    Begin, CALL_TIMEOUT, Contestant, Database, Goal, Mailbox, Peer, Pool, ROOM, Tally, Task, on_tokio,
};

/// Tasks and channels in the race. They have no supervisors.
pub const CONTESTANT: Contestant = Contestant {
    name: "bare",
    can: |task| match task {
        Task::Remote(_) => task.is_over_tcp(),
        _ => !matches!(task, Task::Restart(_) | Task::Rescue(_) | Task::Recovery { .. }),
    },
    absence: || None,
    run: |task| match task {
        Task::DurableJobs { database, submitters, jobs } => {
            let place = database.create()?;
            let cost = match database {
                Database::Sqlite => super::durable::jobs(place.address(), submitters, jobs)?,
                Database::Postgres => super::postgres::jobs(place.address(), submitters, jobs)?,
            };
            Ok(vec![cost])
        }
        Task::DurableCalls { database, callers, calls } => {
            let place = database.create()?;
            let cost = match database {
                Database::Sqlite => super::durable::events(place.address(), callers, calls)?,
                Database::Postgres => super::postgres::events(place.address(), callers, calls)?,
            };
            Ok(vec![cost])
        }
        Task::Remote(remote) => remote.run("framed"),
        Task::Sync { syncs } => Ok(vec![super::durable::syncs(syncs)?]),
        _ => on_tokio(Bare::default(), task),
    },
};

enum Msg {
    Step(u64),
    Left(oneshot::Sender<u64>),
}

/// The sending end of either channel.
#[derive(Clone)]
enum Sender {
    Unbounded(mpsc::UnboundedSender<Msg>),
    Bounded(mpsc::Sender<Msg>),
}

async fn serve_unbounded(mut messages: mpsc::UnboundedReceiver<Msg>, mut goal: Goal) {
    while let Some(msg) = messages.recv().await {
        handle(&mut goal, msg);
    }
}

async fn serve_bounded(mut messages: mpsc::Receiver<Msg>, mut goal: Goal) {
    while let Some(msg) = messages.recv().await {
        handle(&mut goal, msg);
    }
}

fn handle(goal: &mut Goal, msg: Msg) {
    match msg {
        Msg::Step(by) => goal.step(by),
        // The caller may no longer wait for the reply.
        Msg::Left(reply) => drop(reply.send(goal.left())),
    }
}

fn spawn(mailbox: Mailbox, goal: Goal) -> (Sender, JoinHandle<()>) {
    match mailbox {
        Mailbox::Unbounded => {
            let (sender, messages) = mpsc::unbounded_channel();
            (Sender::Unbounded(sender), tokio::spawn(serve_unbounded(messages, goal)))
        }
        Mailbox::Bounded => {
            let (sender, messages) = mpsc::channel(ROOM);
            (Sender::Bounded(sender), tokio::spawn(serve_bounded(messages, goal)))
        }
    }
}

#[derive(Default)]
struct Bare {
    names: RwLock<HashMap<String, mpsc::UnboundedSender<Msg>>>,
}

impl Bare {
    fn look_up(&self, name: &str) -> Result<mpsc::UnboundedSender<Msg>> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(name).cloned().context("no task has the name")
    }
}

impl Peer for Bare {
    type Address = Sender;
    type Name = String;
    type Tree = super::tree::BareTree;
    type Pool = Tasks;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<Sender> {
        Ok(spawn(mailbox, goal).0)
    }

    async fn cast(actor: Sender, _: Mailbox, count: u64) -> Result<()> {
        match actor {
            Sender::Unbounded(sender) => {
                for _ in 0..count {
                    sender.send(Msg::Step(1)).ok().context("the task is gone")?;
                }
            }
            Sender::Bounded(sender) => {
                for _ in 0..count {
                    sender.send(Msg::Step(1)).await.ok().context("the task is gone")?;
                }
            }
        }
        Ok(())
    }

    fn cast_each(actors: &[Sender], rounds: u64) -> Result<()> {
        for _ in 0..rounds {
            for actor in actors {
                let Sender::Unbounded(sender) = actor else { bail!("the channel has a bound") };
                sender.send(Msg::Step(1)).ok().context("the task is gone")?;
            }
        }
        Ok(())
    }

    async fn ring(&self, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
        Ok(super::ring::start(actors, reached))
    }

    async fn call(actor: &Sender, count: u64) -> Result<()> {
        for _ in 0..count {
            let (reply, answer) = oneshot::channel();
            match actor {
                Sender::Unbounded(sender) => sender.send(Msg::Left(reply)).ok(),
                Sender::Bounded(sender) => sender.send(Msg::Left(reply)).await.ok(),
            }
            .context("the task is gone")?;
            answer.await.context("the task gave no answer")?;
        }
        Ok(())
    }

    async fn call_in_time(actor: &Sender, count: u64) -> Result<()> {
        let Sender::Unbounded(sender) = actor else { bail!("the channel has a bound") };
        for _ in 0..count {
            let (reply, answer) = oneshot::channel();
            sender.send(Msg::Left(reply)).ok().context("the task is gone")?;
            timeout(CALL_TIMEOUT, answer).await?.context("the task gave no answer")?;
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        let (mut senders, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (sender, end) = spawn(Mailbox::Unbounded, Goal::none());
            senders.push(sender);
            ends.push(end);
        }
        drop(senders);
        for end in ends {
            end.await.context("the task panicked")?;
        }
        Ok(())
    }

    async fn enlist(&self, name: &String, goal: Goal) -> Result<Sender> {
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(serve_unbounded(messages, goal));
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.clone(), sender.clone());
        Ok(Sender::Unbounded(sender))
    }

    fn whereis<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        for name in names {
            self.look_up(name)?;
        }
        Ok(())
    }

    fn cast_named<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        for name in names {
            self.look_up(name)?.send(Msg::Step(1)).ok().context("the task is gone")?;
        }
        Ok(())
    }
}

struct Tasks(async_channel::Sender<u64>);

impl Pool for Tasks {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        let (sender, jobs) = async_channel::bounded(ROOM);
        for _ in 0..workers {
            let (jobs, tally) = (jobs.clone(), tally.clone());
            tokio::spawn(async move {
                while let Ok(rounds) = jobs.recv().await {
                    tally.work(rounds);
                }
            });
        }
        Ok(Self(sender))
    }

    async fn submit(&self, rounds: u64, count: u64) -> Result<()> {
        for _ in 0..count {
            self.0.send(rounds).await.ok().context("the tasks are gone")?;
        }
        Ok(())
    }
}
