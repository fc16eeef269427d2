//! The workers as the injector sees them, whatever their messages: something to crash, and to ask whether it is back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial::{CallError, Handle, Name, Pid, Reply, System, Whereis};

use super::trap::{Common, Trap};

/// A worker that can be attacked. Reached by its name each time, as anybody would.
pub struct Target {
    pub name: String,
    pub trap: Arc<Trap>,
    /// Somebody waits for it to come back: let it.
    engaged: AtomicBool,
    reach: Box<dyn Reach>,
}

/// What the injector needs of an address.
trait Reach: Send + Sync {
    fn handle(&self) -> Option<Handle>;
    fn send(&self, common: Common);
    fn ask(&self) -> Answer<'_>;
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<u32, Gone>> + Send + 'a>>;

/// Why a worker cannot be asked.
#[derive(Debug)]
pub enum Gone {
    /// It crashed over the question: to be asked again.
    Crashed,
    /// Nobody is due to answer.
    ForGood(String),
}

impl Target {
    pub fn new<M: From<Common> + Send + 'static>(system: &System, name: Name<M>, trap: Arc<Trap>) -> Self {
        let text = name.to_string();
        Self {
            name: text,
            trap,
            engaged: AtomicBool::new(false),
            reach: Box::new(Named { system: system.clone(), name }),
        }
    }

    /// Claims it for one attack; false if another one is not over.
    pub fn engage(&self) -> bool {
        !self.engaged.swap(true, Ordering::AcqRel)
    }

    pub fn release(&self) {
        self.engaged.store(false, Ordering::Release);
    }

    /// Whether its name leads there.
    pub fn is(&self, handle: &Handle) -> bool {
        self.reach.handle().is_some_and(|found| found == *handle)
    }

    pub fn is_named(&self) -> bool {
        self.reach.handle().is_some()
    }

    pub fn pid(&self) -> Option<Pid> {
        self.reach.handle()?.pid()
    }

    /// Kills the incarnation that lives; false if there is none.
    pub fn kill(&self) -> bool {
        self.reach.handle().is_some_and(|handle| handle.kill().is_ok())
    }

    /// Has it look for a trap when it is idle.
    pub fn poke(&self) {
        self.reach.send(Common::Poke);
    }

    /// Asks until an incarnation after `crashed` answers.
    pub async fn back_after(&self, crashed: u32) -> Result<(), String> {
        loop {
            match self.reach.ask().await {
                Ok(incarnation) if incarnation > crashed => return Ok(()),
                Ok(_) | Err(Gone::Crashed) => tokio::task::yield_now().await,
                Err(Gone::ForGood(why)) => return Err(why),
            }
        }
    }
}

struct Named<M> {
    system: System,
    name: Name<M>,
}

impl<M: From<Common> + Send + 'static> Reach for Named<M> {
    fn handle(&self) -> Option<Handle> {
        self.system.whereis(&self.name).ok().map(|address| address.handle())
    }

    fn send(&self, common: Common) {
        // If it does not get there, the ping that follows says so.
        self.system.whereis(&self.name).ok().map(|address| address.cast(common.into()).is_ok());
    }

    fn ask(&self) -> Answer<'_> {
        Box::pin(async {
            let address =
                self.system.whereis(&self.name).map_err(|error| Gone::ForGood(error.to_string()))?;
            let ping = |reply: Reply<u32>| M::from(Common::Ping(reply));
            address.call(ping).no_timeout().await.map_err(|error| match error {
                CallError::Closed(_) => Gone::ForGood(error.to_string()),
                _ => Gone::Crashed,
            })
        })
    }
}
