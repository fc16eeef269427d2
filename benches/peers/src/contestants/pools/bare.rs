//! A baseline without a library: tokio tasks that read one channel of async-channel, because a
//! channel of tokio has only one reader.
//!
//! The channel is bounded, and a submission waits for room.

use std::sync::Arc;

use anyhow::{Context, Result};
use async_channel::{Sender, bounded};

use super::Pool;
use super::tally::Tally;
use crate::works::ROOM;

pub struct Tasks(Sender<u64>);

impl Pool for Tasks {
    async fn start(workers: usize, tally: Arc<Tally>) -> Result<Self> {
        let (sender, jobs) = bounded(ROOM);
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
