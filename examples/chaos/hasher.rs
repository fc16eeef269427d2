//! A hasher: asks for a file, hashes it, hands the result in, asks for the next.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::prelude::*;
use tokio::task::spawn_blocking;

use super::collector;
use super::dispatcher::{self, DISPATCHER};
use super::files::{Hashing, Progress};
use super::journal::{Outcome, Record};
use super::trap::{Common, Trap};

/// Hashers are looked up by number.
pub fn name(number: usize) -> Name<Msg> {
    Name::from(format!("hasher/{number}"))
}

pub enum Msg {
    /// There is something to do.
    Wake,
    /// Do a bit of work, if you are this incarnation: what one before it told itself is void.
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
    job: Job,
}

/// How far it is. A file is hashed in strides, one to a message, so that it can be spoken to in between.
enum Job {
    /// Nothing to do: it waits to be woken.
    Idle,
    /// It is to ask for a file.
    Ready,
    /// It has begun a file.
    Begun(PathBuf, Hashing),
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
            job: Job::Idle,
        };
        hasher.go_on(Job::Ready, ctx)?;
        Ok(hasher)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Wake if !matches!(self.job, Job::Idle) => Ok(()),
            Msg::Wake => self.go_on(Job::Ready, ctx),
            Msg::Work(incarnation) if incarnation == ctx.pid().incarnation() => self.work(ctx).await,
            Msg::Work(_) => Ok(()),
            Msg::Common(common) => self.trap.common(common, ctx),
        }
    }
}

impl Hasher {
    fn go_on(&mut self, job: Job, ctx: &Context<Self>) -> Result<(), ExitReason> {
        self.job = job;
        ctx.address().cast(Msg::Work(ctx.pid().incarnation())).map_err(ExitReason::failed)
    }

    async fn work(&mut self, ctx: &Context<Self>) -> Result<(), ExitReason> {
        let (path, stride) = match std::mem::replace(&mut self.job, Job::Idle) {
            Job::Begun(path, hashing) => (path, spawn_blocking(move || hashing.go_on())),
            Job::Idle | Job::Ready => {
                let Some(path) = self.ask(ctx).await? else { return Ok(()) };
                let begin = path.clone();
                (path, spawn_blocking(move || Hashing::open(&begin)?.go_on()))
            }
        };
        let progress = stride.await?;
        self.next_file.step(ctx)?;
        self.trap.step(ctx)?;
        let outcome = match progress {
            Ok(Progress::More(more)) => return self.go_on(Job::Begun(path, more), ctx),
            Ok(Progress::Done(digest)) => Outcome::Hashed(digest),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        self.hand_in(Record { path, outcome }, ctx).await?;
        self.go_on(Job::Ready, ctx)
    }

    async fn hand_in(&self, record: Record, ctx: &Context<Self>) -> Result<(), ExitReason> {
        if self.repeats_itself {
            collector::store(ctx.system(), record.clone()).await?;
        }
        collector::store(ctx.system(), record).await?;
        let finished = dispatcher::Msg::Finished { hasher: self.number };
        Ok(ctx.system().whereis(DISPATCHER)?.send(finished).await?)
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
}
