//! The collector: takes every result once, and writes it down.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use perennial::prelude::*;

use super::journal::{Journal, Record};
use super::trap::{Common, Trap};

pub const COLLECTOR: Name<Msg> = Name::new("collector");

pub enum Msg {
    /// Take a result. Answered when it is written down; before that it may have to be sent again.
    Store(Record, Reply<()>),
    /// Which files something came of.
    Known(Reply<HashSet<PathBuf>>),
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
    /// Sabotage: whether the same file may be written down again.
    pub trusts_everybody: bool,
}

/// What it knows is what the journal says: it can be read again at any time.
pub struct Collector {
    known: HashSet<PathBuf>,
    journal: Arc<Journal>,
    trap: Arc<Trap>,
    trusts_everybody: bool,
}

impl Actor for Collector {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self {
            known: args.journal.paths(),
            journal: args.journal.clone(),
            trap: args.trap.clone(),
            trusts_everybody: args.trusts_everybody,
        })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Store(record, reply) => {
                self.trap.step(ctx)?;
                if self.known.insert(record.path.clone()) || self.trusts_everybody {
                    self.journal.append(record);
                }
                reply.send(());
                Ok(())
            }
            Msg::Known(reply) => {
                reply.send(self.known.clone());
                Ok(())
            }
            Msg::Common(common) => self.trap.common(common, ctx),
        }
    }
}

/// Stores a result, as often as it takes: the answer to a store that a crash got in the way of never comes.
pub async fn store(system: &System, record: Record) -> Result<(), ExitReason> {
    loop {
        let collector = system.whereis(COLLECTOR)?;
        let sent = record.clone();
        match collector.call(|reply| Msg::Store(sent, reply)).no_timeout().await {
            Ok(()) => return Ok(()),
            Err(perennial::CallError::Closed(_)) => return Err(ExitReason::shutdown_because("no collector")),
            Err(_) => {}
        }
    }
}
