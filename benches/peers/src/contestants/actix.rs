//! actix: `do_send`, which knows no bounds, and `send`, which waits for room and for the reply.
//!
//! It has no multi-threaded runtime: a `System` runs in the main thread, and every `Arbiter` is a thread with a runtime
//! of its own. Each work is placed where actix does it fastest: a flood goes from one arbiter to another, and all else
//! stays on one, where a call never has to wake another thread.
//!
//! An actor is started with `start_in_arbiter`, which does not wait for it, and ended with `Context::stop`. There is
//! nothing to wait for an end, so the actor holds the end of a channel that closes when it is dropped.

use actix::{Actor, ActorContext, Addr, Arbiter, ArbiterHandle, Context, Handler, Message, System};
use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use super::goal::Goal;
use super::{Peer, drive};
use crate::works::{Mailbox, ROOM, Task};

pub struct Runner {
    goal: Goal,
    /// Dropped when the actor has stopped.
    _end: Option<oneshot::Sender<()>>,
}

impl Actor for Runner {
    type Context = Context<Self>;
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

struct Actix {
    /// Where its actors live.
    home: ArbiterHandle,
}

/// Runs the task on one arbiter; those who are flooded live on a second one.
pub fn on_arbiters(task: Task) -> Result<f64> {
    System::new().block_on(async move {
        let here = Arbiter::new();
        let there = matches!(task, Task::Cast { .. }).then(Arbiter::new);
        let home = there.as_ref().unwrap_or(&here).handle();
        let (tell, result) = oneshot::channel();
        here.spawn(async move { drop(tell.send(drive::drive(&Actix { home }, task).await)) });
        result.await.context("the race panicked")?
    })
}

impl Actix {
    fn begin(&self, mailbox: Mailbox, goal: Goal, end: Option<oneshot::Sender<()>>) -> Addr<Runner> {
        Runner::start_in_arbiter(&self.home, move |ctx| {
            if mailbox == Mailbox::Bounded {
                ctx.set_mailbox_capacity(ROOM);
            }
            Runner { goal, _end: end }
        })
    }
}

impl Peer for Actix {
    type Address = Addr<Runner>;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<Addr<Runner>> {
        Ok(self.begin(mailbox, goal, None))
    }

    async fn cast(actor: Addr<Runner>, _: Mailbox, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.do_send(Step(1));
        }
        Ok(())
    }

    async fn call(actor: &Addr<Runner>, count: u64) -> Result<()> {
        for _ in 0..count {
            actor.send(Left).await.context("the actor gave no answer")?;
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        for _ in 0..count {
            let (end, ended) = oneshot::channel();
            let actor = self.begin(Mailbox::Unbounded, Goal::none(), Some(end));
            actor.do_send(Stop);
            // Its sender is dropped with the actor; nothing is sent.
            let _ = ended.await;
        }
        Ok(())
    }
}
