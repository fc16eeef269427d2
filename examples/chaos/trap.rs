//! How a fault gets inside a worker: somebody arms a trap, and the worker's own code steps into it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use perennial::{Context, ExitReason, Handle, Pid, Reply};
use tokio::sync::Notify;

use super::plan::Way;

/// What every worker of this demo understands, besides its work.
pub enum Common {
    /// Look whether there is a trap.
    Poke,
    /// Say which incarnation you are.
    Ping(Reply<u32>),
}

/// A crash that was caused on purpose.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Who, whichever incarnation lives by now.
    pub victim: Handle,
    pub pid: Pid,
    pub at: Instant,
}

/// The trap of one worker, for all its incarnations.
#[derive(Debug, Default)]
pub struct Trap {
    armed: AtomicU8,
    sprung: Mutex<Option<Crash>>,
    news: Notify,
}

const NOT_ARMED: u8 = 0;
const PANIC: u8 = 1;
const ERROR: u8 = 2;

/// The payload of a planned panic: it tells the panic hook to keep quiet.
#[derive(Debug)]
pub struct PlannedPanic;

#[derive(Debug, thiserror::Error)]
#[error("a planned failure")]
struct PlannedFailure;

impl Trap {
    /// Arms it. False if it is armed already, or if nobody can step into such a thing.
    pub fn arm(&self, way: Way) -> bool {
        let armed = match way {
            Way::Panic => PANIC,
            Way::Error => ERROR,
            Way::Kill => return false,
        };
        self.armed.compare_exchange(NOT_ARMED, armed, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes it away; false if somebody has stepped into it.
    pub fn disarm(&self) -> bool {
        self.armed.swap(NOT_ARMED, Ordering::AcqRel) != NOT_ARMED
    }

    /// Waits for the crash that it causes.
    pub async fn sprung(&self) -> Crash {
        loop {
            let crash = self.sprung.lock().unwrap_or_else(PoisonError::into_inner).take();
            match crash {
                Some(crash) => return crash,
                // Keeps the permit of a notification that came in between.
                None => self.news.notified().await,
            }
        }
    }

    /// Walks over it.
    pub fn step<A: perennial::Actor>(&self, ctx: &Context<A>) -> Result<(), ExitReason> {
        let armed = self.armed.swap(NOT_ARMED, Ordering::AcqRel);
        if armed == NOT_ARMED {
            return Ok(());
        }
        let crash = Crash { victim: ctx.address().handle(), pid: ctx.pid(), at: Instant::now() };
        *self.sprung.lock().unwrap_or_else(PoisonError::into_inner) = Some(crash);
        self.news.notify_one();
        if armed == PANIC {
            std::panic::panic_any(PlannedPanic);
        }
        Err(PlannedFailure.into())
    }

    /// Deals with what every worker understands.
    pub fn common<A: perennial::Actor>(&self, common: Common, ctx: &Context<A>) -> Result<(), ExitReason> {
        match common {
            Common::Poke => self.step(ctx),
            Common::Ping(reply) => {
                reply.send(ctx.pid().incarnation());
                Ok(())
            }
        }
    }
}
