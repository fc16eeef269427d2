//! actix: `do_send` to a `SyncArbiter`, whose workers are threads of its own. The threads of the race are then the senders' only.

use std::sync::Arc;

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};
use anyhow::Result;

use super::Pool;
use super::tally::Tally;

pub struct Hand(Arc<Tally>);

impl Actor for Hand {
    type Context = SyncContext<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Job(u64);

impl Handler<Job> for Hand {
    type Result = ();

    fn handle(&mut self, Job(rounds): Job, _: &mut SyncContext<Self>) {
        self.0.work(rounds);
    }
}

pub struct SyncPool(Addr<Hand>);

impl Pool for SyncPool {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        Ok(Self(SyncArbiter::start(workers, move || Hand(tally.clone()))))
    }

    async fn submit(&self, rounds: u64, count: u64) -> Result<()> {
        for _ in 0..count {
            self.0.do_send(Job(rounds));
        }
        Ok(())
    }
}
