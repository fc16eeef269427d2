//! perennial: `cast` on an unbounded mailbox, `send` on a bounded one, `call` with its timeout of
//! five seconds.
//!
//! An actor is started with `spawn(..).await`, which waits for its init, and stopped with `stop`
//! and a monitor.
//!
//! Actors are looked up with `System::whereis` and `cast_to`, by prepared [`Name`]s.
//!
//! Messages to a supervised actor that has crashed wait for its next incarnation, so no call is
//! repeated.

use anyhow::{Context as _, Result, anyhow};
use perennial::{
    Actor, Address, Child, Context, ExitReason, MailboxConfig, Name, Registry, Reply, Supervisor, System,
    Whereis as _,
};

use super::crash::{TOLERATED, WITHIN};
use super::goal::Goal;
use super::{Peer, pools};
use crate::works::{Crash, Mailbox, ROOM};

pub enum Msg {
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

pub struct Perennial(System);

impl Perennial {
    pub fn new() -> Self {
        Self(System::new())
    }
}

impl Peer for Perennial {
    type Address = Address<Msg>;
    type Name = Name<Msg>;
    type Pool = pools::Perennial;

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

    async fn call(actor: &Address<Msg>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.call(Msg::Left).await.map_err(|failed| anyhow!("{failed}"))?;
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
