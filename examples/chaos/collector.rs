//! The collector: takes every result once, and writes it down.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use perennial::prelude::*;

use super::journal::{Journal, Record};
use super::trap::Rig;

pub const COLLECTOR: Name<Msg> = Name::new("collector");

pub enum Msg {
    /// Take a result. Answered when it is written down; before that it may have to be sent again.
    Store(Record, Reply<()>),
    /// Look whether there is a trap.
    Poke,
}

pub struct Args {
    pub journal: Arc<Journal>,
    pub rig: Arc<Rig>,
    /// Sabotage: whether the same file may be written down again.
    pub trusts_everybody: bool,
}

/// What it knows is what the journal says: it can be read again at any time.
pub struct Collector {
    known: HashSet<PathBuf>,
    journal: Arc<Journal>,
    rig: Arc<Rig>,
    trusts_everybody: bool,
}

impl Actor for Collector {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let collector = Self {
            known: args.journal.paths(),
            journal: args.journal.clone(),
            rig: args.rig.clone(),
            trusts_everybody: args.trusts_everybody,
        };
        args.rig.rise(ctx.pid());
        Ok(collector)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.rig.step(ctx.pid())?;
        if let Msg::Store(record, reply) = msg {
            if self.known.insert(record.path.clone()) || self.trusts_everybody {
                self.journal.append(record);
            }
            reply.send(());
        }
        Ok(())
    }
}

/// Stores a result, as often as it takes: the answer to a store that a crash got in the way of never comes.
pub async fn store(system: &System, record: Record) -> Result<(), ExitReason> {
    loop {
        let collector = system.whereis(COLLECTOR)?;
        let sent = record.clone();
        match collector.call(|reply| Msg::Store(sent, reply)).no_timeout().await {
            Ok(()) => return Ok(()),
            Err(perennial::CallError::Closed(_)) => return Err(ExitReason::shutdown_with("no collector")),
            Err(_) => {}
        }
    }
}
