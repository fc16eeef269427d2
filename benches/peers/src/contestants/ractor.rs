//! ractor: `cast!` and `call!`, the latter without a timeout. Its mailboxes are all unbounded.
//!
//! An actor is started with `Actor::spawn(..).await`, which waits for its `pre_start`, and ended with `stop`; its join
//! handle tells of the end.

use anyhow::{Context, Result, anyhow};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::Peer;
use super::goal::Goal;
use crate::works::Mailbox;

pub enum Msg {
    Step(u64),
    Left(RpcReplyPort<u64>),
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
        }
        Ok(())
    }
}

pub struct Ractor;

impl Peer for Ractor {
    type Address = ActorRef<Msg>;

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

    async fn call(actor: &ActorRef<Msg>, count: u64) -> Result<()> {
        for _ in 0..count {
            ractor::call!(actor, Msg::Left).map_err(|failed| anyhow!("{failed}"))?;
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
}
