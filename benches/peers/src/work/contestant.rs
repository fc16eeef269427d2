//! A contestant of the race, and the interface that one in Rust implements.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::crash::Crash;
use super::goal::Goal;
use super::tally::Tally;
use super::task::{Mailbox, Task};

/// A contestant of the race.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    pub name: &'static str,
    /// Returns `true` if the contestant can do the task.
    pub can: fn(Task) -> bool,
    /// Returns why the contestant cannot race on this machine, or `None` if it can.
    pub absence: fn() -> Option<&'static str>,
    /// Does the task once in this process. Returns the cost of each message, call, actor, restart
    /// or job.
    pub run: fn(Task) -> Result<f64>,
}

/// The operations of a contestant in Rust.
///
/// Each contestant has its own loops, so that no shared code is in the measured path.
pub trait Peer: Send + Sync + 'static {
    /// The reference with which a sender reaches an actor.
    type Address: Clone + Send + Sync + 'static;
    /// The key with which an actor is looked up.
    type Name: From<String> + Send + Sync + 'static;
    /// The pool of workers.
    type Pool: Pool;

    /// Starts an actor that counts its messages towards the goal.
    fn start(&self, mailbox: Mailbox, goal: Goal) -> impl Future<Output = Result<Self::Address>> + Send;

    /// Sends `count` messages. Waits for room only if the mailbox is bounded.
    fn cast(
        actor: Self::Address,
        mailbox: Mailbox,
        count: u64,
    ) -> impl Future<Output = Result<()>> + Send + 'static;

    /// Makes `count` calls, each after the reply to the previous one.
    fn call(actor: &Self::Address, count: u64) -> impl Future<Output = Result<()>> + Send;

    /// Starts `count` actors, then stops them all, then waits for all exits.
    fn spawn_stop(&self, count: u64) -> impl Future<Output = Result<()>> + Send;

    /// Starts an actor with an unbounded mailbox and registers its name.
    fn enlist(&self, _: &Self::Name, _: Goal) -> impl Future<Output = Result<Self::Address>> + Send {
        async { bail!("it has no names") }
    }

    /// Looks each name up and drops the result. The lookup checks the message type if the library
    /// can do that.
    fn whereis<'a>(&self, _: impl Iterator<Item = &'a Self::Name>) -> Result<()> {
        bail!("it has no names")
    }

    /// Looks each name up and sends a message to the actor.
    fn cast_named<'a>(&self, _: impl Iterator<Item = &'a Self::Name>) -> Result<()> {
        bail!("it has no names")
    }

    /// Starts a supervised actor, which is restarted after each crash.
    fn supervise(&self) -> impl Future<Output = Result<Self::Address>> + Send {
        async { bail!("it has no supervisors") }
    }

    /// Crashes the actor `count` times. Waits each time until the next incarnation answers.
    fn restart(_: &Self::Address, _: Crash, _: u64) -> impl Future<Output = Result<()>> + Send {
        async { bail!("it has no supervisors") }
    }
}

/// The pool of one contestant.
pub trait Pool: Sized + Send + Sync {
    /// Starts a pool of `workers` workers with a shared tally.
    fn start(workers: usize, tally: Arc<Tally>) -> impl Future<Output = Result<Self>> + Send;

    /// Submits `count` jobs of `rounds` rounds. Waits for room only if the queue is bounded.
    fn submit(&self, rounds: u64, count: u64) -> impl Future<Output = Result<()>> + Send;
}
