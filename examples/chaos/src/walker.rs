//! The walker: walks the folder and submits each file to the hashers, as fast as they have room.
//!
//! The journal knows which files were submitted. A new incarnation walks the folder again and does
//! not submit those again: the queue of the pool survives every crash.

use std::sync::Arc;

use perennial::prelude::*;
use tokio::sync::mpsc;

use super::collector;
use super::fault_point::FaultPoint;
use super::files::{Found, Scope};
use super::hasher::{Hashers, Job};
use super::journal::{Journal, Outcome, Record};

pub const WALKER: Name<Msg> = Name::new("walker");

/// How many files are submitted in one message, and so how long another message may wait.
const BATCH: usize = 256;

pub enum Msg {
    /// Submits one batch.
    Walk,
    /// The pool is empty. `dropped` jobs were dropped and not done.
    Drained { dropped: u64 },
    /// Checks the fault point.
    Poke,
}

pub struct Args {
    pub scope: Scope,
    pub hashers: Hashers,
    pub journal: Arc<Journal>,
    pub fault_point: Arc<FaultPoint>,
}

pub struct Walker {
    hashers: Hashers,
    journal: Arc<Journal>,
    fault_point: Arc<FaultPoint>,
    batches: mpsc::Receiver<Vec<Found>>,
}

impl Actor for Walker {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (found, batches) = mpsc::channel(2);
        let scope = args.scope.clone();
        // Reading folders blocks. The thread ends with the walk, or with the receiver.
        tokio::task::spawn_blocking(move || read(&scope, &found));
        ctx.continue_with(Msg::Walk);
        args.fault_point.set_started(ctx.pid());
        let Args { hashers, journal, fault_point, .. } = args;
        Ok(Self {
            hashers: hashers.clone(),
            journal: journal.clone(),
            fault_point: fault_point.clone(),
            batches,
        })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Walk => return self.walk(ctx).await,
            Msg::Drained { dropped: 0 } => self.journal.set_complete(),
            Msg::Drained { .. } => {}
            Msg::Poke => self.fault_point.check(ctx.pid())?,
        }
        Ok(())
    }
}

impl Walker {
    /// Submits one batch.
    async fn walk(&mut self, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let Some(batch) = self.batches.recv().await else {
            let hashers = self.hashers.clone();
            let drained = async move {
                hashers.drain().await;
                hashers.stats().dropped
            };
            ctx.pipe_to_self(drained, |dropped| Msg::Drained { dropped });
            return Ok(());
        };
        self.fault_point.check(ctx.pid())?;
        for found in batch {
            match found {
                Found::File(path) if !self.journal.is_submitted(&path) => {
                    if self.hashers.submit(Job::File(path.clone())).detach().await.is_err() {
                        // The pool does not run and will not be restarted.
                        return Ok(());
                    }
                    // There is no await between the two: a kill comes before both or after both.
                    self.journal.set_submitted(path);
                }
                Found::Failed(path, error) => {
                    collector::store(ctx.system(), Record { path, outcome: Outcome::Failed(error) }).await?;
                }
                Found::File(_) | Found::Special => {}
            }
        }
        ctx.continue_with(Msg::Walk);
        Ok(())
    }
}

fn read(scope: &Scope, found: &mpsc::Sender<Vec<Found>>) {
    let mut walk = scope.walk();
    loop {
        let batch: Vec<Found> = walk.by_ref().take(BATCH).collect();
        // The send fails when the incarnation has ended.
        if batch.is_empty() || found.blocking_send(batch).is_err() {
            return;
        }
    }
}
