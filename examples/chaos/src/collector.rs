//! The collector: records every result once.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use perennial::prelude::*;

use super::fault_point::FaultPoint;
use super::journal::{Journal, Record};

pub const COLLECTOR: Name<Msg> = Name::new("collector");

/// How long a sender waits before it sends a result again.
const RETRY: Duration = Duration::from_millis(1);

pub enum Msg {
    /// Records a result. It is answered once the result is recorded; until then the sender may have
    /// to send it again.
    Store(Record, Reply<()>),
    /// Checks the fault point.
    Poke,
}

pub struct Args {
    pub journal: Arc<Journal>,
    pub fault_point: Arc<FaultPoint>,
    /// Sabotage: records a file again when its result comes again.
    pub accepts_duplicates: bool,
}

/// Holds nothing but what it reads from the journal when it starts.
pub struct Collector {
    recorded: HashSet<PathBuf>,
    journal: Arc<Journal>,
    fault_point: Arc<FaultPoint>,
    accepts_duplicates: bool,
}

impl Actor for Collector {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let collector = Self {
            recorded: args.journal.paths(),
            journal: args.journal.clone(),
            fault_point: args.fault_point.clone(),
            accepts_duplicates: args.accepts_duplicates,
        };
        args.fault_point.set_started(ctx.pid());
        Ok(collector)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.fault_point.check(ctx.pid())?;
        if let Msg::Store(record, reply) = msg {
            if self.recorded.insert(record.path.clone()) || self.accepts_duplicates {
                self.journal.append(record);
            }
            reply.send(());
        }
        Ok(())
    }
}

/// Has the collector record a result. Sends it again until it is recorded: a crash of the collector
/// may lose the message or the answer.
///
/// # Errors
///
/// The collector does not run and will not be restarted.
pub async fn store(system: &System, record: Record) -> Result<(), ExitReason> {
    loop {
        let collector = system.whereis(COLLECTOR)?;
        let sent = record.clone();
        match collector.call(|reply| Msg::Store(sent, reply)).no_timeout().await {
            Ok(()) => return Ok(()),
            Err(perennial::CallError::Closed(_)) => return Err(ExitReason::shutdown_with("no collector")),
            // A collector that starts only after this worker has ended refuses the call at once.
            // The await is where the worker is killed.
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}
