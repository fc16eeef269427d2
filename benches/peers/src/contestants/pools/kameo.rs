//! kameo: `tell(Dispatch(..)).try_send()` to the `ActorPool` of kameo_actors, which gives each job
//! to the worker with the fewest.
//!
//! All mailboxes are unbounded: the default mailboxes of 64 messages take half as long again on two
//! threads.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox::unbounded;
use kameo::message::{Context, Message};
use kameo_actors::pool::{ActorPool, Dispatch};

use super::Pool;
use super::tally::Tally;

#[derive(Actor)]
struct TallyWorker(Arc<Tally>);

struct Job(u64);

impl Message<Job> for TallyWorker {
    type Reply = ();

    async fn handle(&mut self, Job(rounds): Job, _: &mut Context<Self, ()>) {
        self.0.work(rounds);
    }
}

pub struct Workers(ActorRef<ActorPool<TallyWorker>>);

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
