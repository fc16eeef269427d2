//! The walker: goes through the folder and offers what it finds to the dispatcher.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::prelude::*;
use tokio::sync::mpsc;

use super::collector;
use super::dispatcher::{self, DISPATCHER};
use super::files::{Found, Scope};
use super::journal::{Outcome, Record};
use super::trap::{Common, Trap};

pub const WALKER: Name<Msg> = Name::new("walker");

/// How many files are offered at once.
const BATCH: usize = 256;

pub enum Msg {
    /// Walk, if you are this incarnation: what one before it told itself is void.
    Walk(u32),
    Common(Common),
}

impl From<Common> for Msg {
    fn from(common: Common) -> Self {
        Self::Common(common)
    }
}

pub struct Args {
    pub scope: Scope,
    pub trap: Arc<Trap>,
}

pub struct Walker {
    scope: Scope,
    trap: Arc<Trap>,
}

/// A part of a walk.
#[derive(Default)]
struct Batch {
    files: Vec<PathBuf>,
    failed: Vec<Record>,
}

impl Actor for Walker {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.address().cast(Msg::Walk(ctx.pid().incarnation())).map_err(ExitReason::failed)?;
        Ok(Self { scope: args.scope.clone(), trap: args.trap.clone() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Walk(incarnation) if incarnation == ctx.pid().incarnation() => self.walk(ctx).await,
            Msg::Walk(_) => Ok(()),
            Msg::Common(common) => self.trap.common(common, ctx),
        }
    }
}

impl Walker {
    async fn walk(&self, ctx: &Context<Self>) -> Result<(), ExitReason> {
        let (found, mut batches) = mpsc::channel(2);
        let scope = self.scope.clone();
        // Reading folders blocks. The thread ends with the walk, or when nobody listens to it any more.
        tokio::task::spawn_blocking(move || read(&scope, &found));
        let dispatcher = ctx.system().whereis(DISPATCHER)?;
        while let Some(Batch { files, failed }) = batches.recv().await {
            self.trap.step(ctx)?;
            for record in failed {
                collector::store(ctx.system(), record).await?;
            }
            dispatcher.call(|reply| dispatcher::Msg::Offer(files, reply)).no_timeout().await?;
        }
        dispatcher.cast(dispatcher::Msg::NoMore)?;
        Ok(())
    }
}

fn read(scope: &Scope, found: &mpsc::Sender<Batch>) {
    let mut batch = Batch::default();
    for each in scope.walk() {
        match each {
            Found::File(path) => batch.files.push(path),
            Found::Failed(path, error) => batch.failed.push(Record { path, outcome: Outcome::Failed(error) }),
            Found::Special => {}
        }
        if batch.files.len() + batch.failed.len() >= BATCH
            && found.blocking_send(std::mem::take(&mut batch)).is_err()
        {
            return;
        }
    }
    // Nobody listens any more: the incarnation that wanted to know is gone.
    found.blocking_send(batch).ok();
}
