//! Tasks that own a `JoinSet` each. A worker that fails gives its channel back and is started
//! again.
//!
//! A worker ends when its last sender is dropped. There is no limit of restarts, and no panic is
//! survived.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::work::{Life, Tally, Tree};

pub(super) enum Msg {
    Step,
    Crash,
}

type Sender = mpsc::UnboundedSender<Msg>;
type Receiver = mpsc::UnboundedReceiver<Msg>;

/// Returns the channel if the worker failed, or `None` if all senders are gone.
async fn work(tally: Arc<Tally>, mut messages: Receiver) -> Option<Receiver> {
    let life = Life::begin(tally);
    loop {
        match messages.recv().await? {
            Msg::Step => life.step(),
            Msg::Crash => return Some(messages),
        }
    }
}

/// Starts workers and restarts those that fail, until no more are wanted and all have ended.
async fn supervise(mut starts: mpsc::UnboundedReceiver<oneshot::Sender<Sender>>, tally: Arc<Tally>) {
    let mut workers = JoinSet::new();
    let mut more = true;
    while more || !workers.is_empty() {
        tokio::select! {
            start = starts.recv(), if more => match start {
                Some(start) => {
                    let (sender, messages) = mpsc::unbounded_channel();
                    workers.spawn(work(tally.clone(), messages));
                    // The caller may have gone.
                    let _ = start.send(sender);
                }
                None => more = false,
            },
            Some(end) = workers.join_next() => {
                if let Ok(Some(messages)) = end {
                    workers.spawn(work(tally.clone(), messages));
                }
            }
        }
    }
}

/// The supervisors.
pub(super) struct BareTree(Vec<(mpsc::UnboundedSender<oneshot::Sender<Sender>>, JoinHandle<()>)>);

impl Tree for BareTree {
    type Worker = Sender;

    async fn start(supervisors: u64, tally: Arc<Tally>) -> Result<Self> {
        let supervisor = |_| {
            let (start, starts) = mpsc::unbounded_channel();
            (start, tokio::spawn(supervise(starts, tally.clone())))
        };
        Ok(Self((0..supervisors).map(supervisor).collect()))
    }

    async fn start_workers(&self, supervisor: u64, count: u64) -> Result<Vec<Sender>> {
        let (start, _) = &self.0[usize::try_from(supervisor)?];
        let mut started = Vec::with_capacity(usize::try_from(count)?);
        for _ in 0..count {
            let (reply, worker) = oneshot::channel();
            start.send(reply).ok().context("the supervisor is gone")?;
            started.push(worker.await.context("the supervisor is gone")?);
        }
        Ok(started)
    }

    fn cast<'a>(mut workers: impl Iterator<Item = &'a Sender>) -> Result<()> {
        workers.try_for_each(|worker| worker.send(Msg::Step).ok()).context("the task is gone")
    }

    fn crash<'a>(mut workers: impl Iterator<Item = &'a Sender>) -> Result<()> {
        workers.try_for_each(|worker| worker.send(Msg::Crash).ok()).context("the task is gone")
    }

    async fn stop(self, workers: Vec<Sender>) -> Result<()> {
        drop(workers);
        for (start, end) in self.0 {
            drop(start);
            end.await.context("the supervisor panicked")?;
        }
        Ok(())
    }
}
