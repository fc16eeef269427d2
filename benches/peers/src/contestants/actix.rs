//! actix: `do_send`, which knows no bounds, and `send`, which waits for room and for the reply.
//!
//! It has no multi-threaded runtime: a `System`, and every `Arbiter`, is a thread with a runtime of its own. Here all is on
//! the thread of the system, as `#[actix::main]` has it: with the senders on one arbiter and the actor on another, a call
//! has to wake a thread and takes twenty times as long, and a flood takes longer too as soon as both have a core.
//!
//! An actor is started with `create`, which does not wait for its `started`, and ended with `Context::stop`. There is
//! nothing to wait for an end, so the actor holds the end of a channel that closes when it is dropped.

use actix::{Actor, ActorContext, Addr, Context, Handler, Message, System};
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

struct Actix;

/// Runs the task as one of a system, where it is woken faster than as the future that the system blocks on.
pub fn on_system(task: Task) -> Result<f64> {
    System::new().block_on(async move {
        actix::spawn(async move { drive::drive(&Actix, task).await }).await.context("the race panicked")?
    })
}

fn create(mailbox: Mailbox, goal: Goal, end: Option<oneshot::Sender<()>>) -> Addr<Runner> {
    Runner::create(|ctx| {
        if mailbox == Mailbox::Bounded {
            ctx.set_mailbox_capacity(ROOM);
        }
        Runner { goal, _end: end }
    })
}

impl Peer for Actix {
    type Address = Addr<Runner>;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<Addr<Runner>> {
        Ok(create(mailbox, goal, None))
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
            let actor = create(Mailbox::Unbounded, Goal::none(), Some(end));
            actor.do_send(Stop);
            // Its sender is dropped with the actor; nothing is sent.
            let _ = ended.await;
        }
        Ok(())
    }
}
