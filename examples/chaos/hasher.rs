//! A hasher: asks for a file, hashes it, hands the result in, asks for the next.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use perennial::prelude::*;

use super::collector;
use super::dispatcher::{self, DISPATCHER};
use super::files::{Digest, Hashing, Progress};
use super::journal::{Outcome, Record};
use super::trap::{Common, Trap};

/// Hashers are looked up by number.
pub fn name(number: usize) -> Name<Msg> {
    Name::from(format!("hasher/{number}"))
}

pub enum Msg {
    /// There is something to do.
    Wake,
    /// Do the next file, if you are this incarnation: what one before it told itself is void.
    Work(u32),
    Common(Common),
}

impl From<Common> for Msg {
    fn from(common: Common) -> Self {
        Self::Common(common)
    }
}

pub struct Args {
    pub number: usize,
    pub trap: Arc<Trap>,
    /// A trap that all hashers share: whoever takes the next file steps into it.
    pub next_file: Arc<Trap>,
    /// Sabotage: whether every result is handed in twice.
    pub repeats_itself: bool,
}

pub struct Hasher {
    number: usize,
    trap: Arc<Trap>,
    next_file: Arc<Trap>,
    repeats_itself: bool,
    busy: bool,
}

impl Actor for Hasher {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let mut hasher = Self {
            number: args.number,
            trap: args.trap.clone(),
            next_file: args.next_file.clone(),
            repeats_itself: args.repeats_itself,
            busy: false,
        };
        hasher.go_on(ctx)?;
        Ok(hasher)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Wake if self.busy => Ok(()),
            Msg::Wake => self.go_on(ctx),
            Msg::Work(incarnation) if incarnation == ctx.pid().incarnation() => self.work(ctx).await,
            Msg::Work(_) => Ok(()),
            Msg::Common(common) => self.trap.common(common, ctx),
        }
    }
}

impl Hasher {
    fn go_on(&mut self, ctx: &Context<Self>) -> Result<(), ExitReason> {
        self.busy = true;
        ctx.address().cast(Msg::Work(ctx.pid().incarnation())).map_err(ExitReason::failed)
    }

    async fn work(&mut self, ctx: &Context<Self>) -> Result<(), ExitReason> {
        self.busy = false;
        let Some(path) = self.ask(ctx).await? else { return Ok(()) };
        let outcome = match self.hash(path.clone(), ctx).await? {
            Ok(digest) => Outcome::Hashed(digest),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        for _ in 0..if self.repeats_itself { 2 } else { 1 } {
            let record = Record { path: path.clone(), outcome: outcome.clone() };
            collector::store(ctx.system(), record).await?;
        }
        ctx.system().whereis(DISPATCHER)?.send(dispatcher::Msg::Finished { hasher: self.number }).await?;
        self.go_on(ctx)
    }

    /// The next file. Asked again if the dispatcher crashes over the question.
    async fn ask(&self, ctx: &Context<Self>) -> Result<Option<PathBuf>, ExitReason> {
        loop {
            let hasher = self.number;
            let dispatcher = ctx.system().whereis(DISPATCHER)?;
            match dispatcher.call(|reply| dispatcher::Msg::Next { hasher, reply }).no_timeout().await {
                Ok(file) => return Ok(file),
                Err(perennial::CallError::Closed(_)) => {
                    return Err(ExitReason::shutdown_because("no dispatcher"));
                }
                Err(_) => {}
            }
        }
    }

    /// Streams a file. Reading blocks and so does hashing: each stride is done elsewhere, and between two of them there is
    /// time to be killed, or to step into a trap.
    async fn hash(&self, path: PathBuf, ctx: &Context<Self>) -> Result<io::Result<Digest>, ExitReason> {
        let mut stride = tokio::task::spawn_blocking(move || Hashing::open(&path)?.go_on());
        loop {
            let progress = stride.await?;
            self.next_file.step(ctx)?;
            self.trap.step(ctx)?;
            match progress {
                Ok(Progress::More(more)) => stride = tokio::task::spawn_blocking(move || more.go_on()),
                Ok(Progress::Done(digest)) => return Ok(Ok(digest)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
}
