//! The dispatcher: holds the files that are to be hashed and hands them out, one at a time to each hasher.
//!
//! A file that a hasher has is *leased* to it. When that hasher asks for another one without having said that it has finished,
//! it has crashed over it, and the file goes back to the front of the line.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use perennial::prelude::*;

use super::collector::{self, COLLECTOR};
use super::hasher;
use super::journal::{Journal, Outcome, Record};
use super::trap::{Common, Trap};
use super::walker::{self, WALKER};

pub const DISPATCHER: Name<Msg> = Name::new("dispatcher");

/// How many files may wait before the walker has to.
const ENOUGH: usize = 4096;

pub enum Msg {
    /// Files that the walker has come across. The answer is whether there is room for more; if not, it is told when.
    Offer(Vec<PathBuf>, Reply<bool>),
    /// The walk is over.
    NoMore,
    /// A hasher wants a file; it is woken when there is one, if there is none now.
    Next {
        hasher: usize,
        reply: Reply<Option<PathBuf>>,
    },
    /// A hasher's file is in the journal.
    Finished {
        hasher: usize,
    },
    Common(Common),
}

impl From<Common> for Msg {
    fn from(common: Common) -> Self {
        Self::Common(common)
    }
}

pub struct Args {
    pub journal: Arc<Journal>,
    pub trap: Arc<Trap>,
    /// Sabotage: whether a file that a hasher has crashed over is booked as done.
    pub loses_work: bool,
}

pub struct Dispatcher {
    journal: Arc<Journal>,
    trap: Arc<Trap>,
    loses_work: bool,
    known: HashSet<PathBuf>,
    waiting: VecDeque<PathBuf>,
    leases: HashMap<usize, PathBuf>,
    idle: HashSet<usize>,
    walker_waits: bool,
    offered: u64,
    walk_is_over: bool,
}

impl Actor for Dispatcher {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        args.journal.set_complete(false);
        let known = ctx.system().whereis(COLLECTOR)?.call(collector::Msg::Known).no_timeout().await;
        Ok(Self {
            journal: args.journal.clone(),
            trap: args.trap.clone(),
            loses_work: args.loses_work,
            known: known?,
            waiting: VecDeque::new(),
            leases: HashMap::new(),
            idle: HashSet::new(),
            walker_waits: false,
            offered: 0,
            walk_is_over: false,
        })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Offer(files, reply) => self.offer(files, reply, ctx)?,
            Msg::NoMore => self.walk_is_over = true,
            Msg::Next { hasher, reply } => {
                self.trap.step(ctx)?;
                self.reclaim(hasher, ctx).await?;
                reply.send(self.next_for(hasher, ctx)?);
            }
            Msg::Finished { hasher } => drop(self.leases.remove(&hasher)),
            Msg::Common(common) => self.trap.common(common, ctx)?,
        }
        let complete = self.walk_is_over && self.waiting.is_empty() && self.leases.is_empty();
        if complete != self.journal.is_complete() {
            self.journal.set_complete(complete);
        }
        Ok(())
    }
}

impl Dispatcher {
    fn offer(
        &mut self,
        files: Vec<PathBuf>,
        reply: Reply<bool>,
        ctx: &Context<Self>,
    ) -> Result<(), ExitReason> {
        self.trap.step(ctx)?;
        self.offered += files.len() as u64;
        self.journal.set_found(self.offered);
        self.waiting.extend(files.into_iter().filter(|path| !self.known.contains(path)));
        for hasher in self.idle.drain() {
            // If its mailbox is full, it is not idle.
            ctx.system().whereis(hasher::name(hasher))?.cast(hasher::Msg::Wake).ok();
        }
        self.walker_waits = self.waiting.len() >= ENOUGH;
        reply.send(!self.walker_waits);
        Ok(())
    }

    /// Takes back what the incarnation of a hasher before this one has crashed over.
    async fn reclaim(&mut self, hasher: usize, ctx: &Context<Self>) -> Result<(), ExitReason> {
        let Some(path) = self.leases.remove(&hasher) else { return Ok(()) };
        if self.loses_work {
            return collector::store(ctx.system(), Record { path, outcome: Outcome::Lost }).await;
        }
        self.waiting.push_front(path);
        Ok(())
    }

    fn next_for(&mut self, hasher: usize, ctx: &Context<Self>) -> Result<Option<PathBuf>, ExitReason> {
        let path = self.waiting.pop_front();
        match &path {
            Some(path) => drop(self.leases.insert(hasher, path.clone())),
            None => {
                self.idle.insert(hasher);
            }
        }
        if self.walker_waits && self.waiting.len() < ENOUGH {
            self.walker_waits = false;
            ctx.system().whereis(WALKER)?.cast(walker::Msg::Resume)?;
        }
        Ok(path)
    }
}
