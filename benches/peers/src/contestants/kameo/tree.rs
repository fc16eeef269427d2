//! Supervisors of kameo, which are actors without messages, with the default mailboxes.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::message::{Context, Message};

use crate::work::{Life, TOLERATED, Tally, Tree, WITHIN};

#[derive(Actor)]
struct Parent;

pub(super) struct Runner(Life);

impl Actor for Runner {
    type Args = Arc<Tally>;
    type Error = Infallible;

    async fn on_start(tally: Arc<Tally>, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(Life::begin(tally)))
    }
}

struct Step;
struct Crash;

impl Message<Step> for Runner {
    type Reply = ();

    async fn handle(&mut self, _: Step, _: &mut Context<Self, ()>) {
        self.0.step();
    }
}

impl Message<Crash> for Runner {
    type Reply = Result<(), &'static str>;

    async fn handle(&mut self, _: Crash, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Err("on purpose")
    }
}

/// The supervisors.
pub(super) struct KameoTree {
    supervisors: Vec<ActorRef<Parent>>,
    tally: Arc<Tally>,
}

impl Tree for KameoTree {
    type Worker = ActorRef<Runner>;

    async fn start(supervisors: u64, tally: Arc<Tally>) -> Result<Self> {
        Ok(Self { supervisors: (0..supervisors).map(|_| Parent::spawn(Parent)).collect(), tally })
    }

    async fn start_workers(&self, supervisor: u64, count: u64) -> Result<Vec<ActorRef<Runner>>> {
        let parent = &self.supervisors[usize::try_from(supervisor)?];
        let mut started = Vec::with_capacity(usize::try_from(count)?);
        for _ in 0..count {
            let worker = Runner::supervise(parent, self.tally.clone()).restart_limit(TOLERATED, WITHIN);
            started.push(worker.spawn().await);
        }
        Ok(started)
    }

    fn cast<'a>(mut workers: impl Iterator<Item = &'a ActorRef<Runner>>) -> Result<()> {
        workers.try_for_each(|worker| worker.tell(Step).try_send().ok()).context("the actor is gone")
    }

    fn crash<'a>(mut workers: impl Iterator<Item = &'a ActorRef<Runner>>) -> Result<()> {
        workers.try_for_each(|worker| worker.tell(Crash).try_send().ok()).context("the actor is gone")
    }

    async fn stop(self, _: Vec<ActorRef<Runner>>) -> Result<()> {
        for supervisor in &self.supervisors {
            supervisor.stop_gracefully().await.ok().context("the supervisor is gone")?;
        }
        for supervisor in self.supervisors {
            supervisor.wait_for_shutdown().await;
        }
        Ok(())
    }
}
