//! actix: `do_send` to a `SyncArbiter`, whose workers are its own threads. Only the senders run on
//! the threads of the race.

use std::sync::Arc;

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};
use anyhow::Result;

use super::Pool;
use super::tally::Tally;

pub struct TallyWorker(Arc<Tally>);

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

pub struct SyncPool(Addr<TallyWorker>);

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
