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
    /// Go on a bit, if you are this incarnation: what one before it told itself is void.
    Walk(u32),
    /// There is room for more.
    Resume,
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
    trap: Arc<Trap>,
    batches: mpsc::Receiver<Batch>,
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
        let (found, batches) = mpsc::channel(2);
        let scope = args.scope.clone();
        // Reading folders blocks. The thread ends with the walk, or when nobody listens to it any more.
        tokio::task::spawn_blocking(move || read(&scope, &found));
        let walker = Self { trap: args.trap.clone(), batches };
        walker.go_on(ctx)?;
        Ok(walker)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Walk(incarnation) if incarnation == ctx.pid().incarnation() => self.walk(ctx).await,
            Msg::Walk(_) => Ok(()),
            Msg::Resume => self.go_on(ctx),
            Msg::Common(common) => self.trap.common(common, ctx),
        }
    }
}

impl Walker {
    fn go_on(&self, ctx: &Context<Self>) -> Result<(), ExitReason> {
        ctx.address().cast(Msg::Walk(ctx.pid().incarnation())).map_err(ExitReason::failed)
    }

    /// Passes one batch on. It goes on by itself as long as there is room; after that it is told when.
    async fn walk(&mut self, ctx: &Context<Self>) -> Result<(), ExitReason> {
        let dispatcher = ctx.system().whereis(DISPATCHER)?;
        let Some(Batch { files, failed }) = self.batches.recv().await else {
            return Ok(dispatcher.cast(dispatcher::Msg::NoMore)?);
        };
        self.trap.step(ctx)?;
        for record in failed {
            collector::store(ctx.system(), record).await?;
        }
        let offer = |reply| dispatcher::Msg::Offer(files, reply);
        if dispatcher.call(offer).no_timeout().await? { self.go_on(ctx) } else { Ok(()) }
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
