//! The walker: goes through the folder and hands what it finds to the hashers, as they have room for it.
//!
//! What it has handed in is in the journal, and is not handed in again by the next one: the queue of the pool outlives them all.

use std::sync::Arc;

use perennial::prelude::*;
use tokio::sync::mpsc;

use super::collector;
use super::files::{Found, Scope};
use super::hasher::{Hashers, Job};
use super::journal::{Journal, Outcome, Record};
use super::trap::Rig;

pub const WALKER: Name<Msg> = Name::new("walker");

/// How many files are looked at between two looks at anything else.
const BATCH: usize = 256;

pub enum Msg {
    /// Go on a bit.
    Walk,
    /// The hashers have nothing left to do, because it is done or was dropped.
    Drained { dropped: u64 },
    /// Look whether there is a trap.
    Poke,
}

pub struct Args {
    pub scope: Scope,
    pub hashers: Hashers,
    pub journal: Arc<Journal>,
    pub rig: Arc<Rig>,
}

pub struct Walker {
    hashers: Hashers,
    journal: Arc<Journal>,
    rig: Arc<Rig>,
    batches: mpsc::Receiver<Vec<Found>>,
}

impl Actor for Walker {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (found, batches) = mpsc::channel(2);
        let scope = args.scope.clone();
        // Reading folders blocks. The thread ends with the walk, or when nobody listens to it any more.
        tokio::task::spawn_blocking(move || read(&scope, &found));
        ctx.continue_with(Msg::Walk);
        args.rig.rise(ctx.pid());
        let Args { hashers, journal, rig, .. } = args;
        Ok(Self { hashers: hashers.clone(), journal: journal.clone(), rig: rig.clone(), batches })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Walk => return self.walk(ctx).await,
            Msg::Drained { dropped: 0 } => self.journal.set_complete(),
            Msg::Drained { .. } => {}
            Msg::Poke => self.rig.step(ctx.pid())?,
        }
        Ok(())
    }
}

impl Walker {
    /// Hands one batch in.
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
        self.rig.step(ctx.pid())?;
        for found in batch {
            match found {
                Found::File(path) if !self.journal.is_handed_in(&path) => {
                    if self.hashers.submit(Job::File(path.clone())).detach().await.is_err() {
                        // There are no hashers any more, and will be none.
                        return Ok(());
                    }
                    // No await in between: a walker that is killed has handed it in and noted it, or neither.
                    self.journal.hand_in(path);
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
        // If nobody listens any more, the incarnation that wanted to know is gone.
        if batch.is_empty() || found.blocking_send(batch).is_err() {
            return;
        }
    }
}
