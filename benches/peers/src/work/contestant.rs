//! A contestant of the race, and the interface that one in Rust implements.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Result, bail};
use tokio::sync::Notify;

use super::crash::Crash;
use super::goal::Goal;
use super::task::{Mailbox, Task};
use crate::shared::Tally;

/// A contestant of the race.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    pub name: &'static str,
    /// Returns `true` if the contestant can do the task.
    pub can: fn(Task) -> bool,
    /// Returns why the contestant cannot race on this machine, or `None` if it can.
    pub absence: fn() -> Option<&'static str>,
    /// Does the task once in this process. Returns the results of its work, such as the cost of
    /// each message, call, actor, restart or job.
    pub run: fn(Task) -> Result<Vec<f64>>,
}

/// Sends a number around a ring.
pub type Begin = Box<dyn Fn(u64) -> Result<()> + Send + Sync>;

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
    /// The supervision tree.
    type Tree: Tree;

    /// Starts an actor that counts its messages towards the goal.
    fn start(&self, mailbox: Mailbox, goal: Goal) -> impl Future<Output = Result<Self::Address>> + Send;

    /// Sends `count` messages. Waits for room only if the mailbox is bounded.
    fn cast(
        actor: Self::Address,
        mailbox: Mailbox,
        count: u64,
    ) -> impl Future<Output = Result<()>> + Send + 'static;

    /// Sends a message to each of the actors in turn, `rounds` times. Their mailboxes are
    /// unbounded.
    fn cast_each(actors: &[Self::Address], rounds: u64) -> Result<()>;

    /// Starts `actors` actors, each of which hands a number that it receives on to the next one,
    /// less one. Zero is not handed on but notifies `reached`. Returns a function that sends a
    /// number to the first.
    fn ring(&self, actors: u64, reached: Arc<Notify>) -> impl Future<Output = Result<Begin>> + Send;

    /// Makes `count` calls, each after the reply to the previous one.
    fn call(actor: &Self::Address, count: u64) -> impl Future<Output = Result<()>> + Send;

    /// Makes `count` calls like [`call`](Self::call), each of which ends at its timeout.
    fn call_in_time(_: &Self::Address, _: u64) -> impl Future<Output = Result<()>> + Send {
        async { bail!("it has no timeouts") }
    }

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

/// The supervision tree of one contestant: dynamic supervisors below one that does not restart
/// them, or a number of them without a common one.
///
/// A worker holds a [`Life`], and counts down the tally at each message that is no crash.
pub trait Tree: Sized + Send + Sync + 'static {
    /// The reference with which a sender reaches a worker.
    type Worker: Send + Sync + 'static;

    /// Starts a tree of `supervisors` without workers.
    fn start(supervisors: u64, tally: Arc<Tally>) -> impl Future<Output = Result<Self>> + Send;

    /// Starts `count` workers of one supervisor, one after the other.
    fn start_workers(
        &self,
        supervisor: u64,
        count: u64,
    ) -> impl Future<Output = Result<Vec<Self::Worker>>> + Send;

    /// Sends a message to each of the workers.
    fn cast<'a>(workers: impl Iterator<Item = &'a Self::Worker>) -> Result<()>;

    /// Has the handler of each of the workers return an error, after which it is restarted.
    fn crash<'a>(workers: impl Iterator<Item = &'a Self::Worker>) -> Result<()>;

    /// Stops the supervisors and their workers, and waits for the end of the supervisors.
    fn stop(self, workers: Vec<Self::Worker>) -> impl Future<Output = Result<()>> + Send;
}

/// The state of a supervised worker. Its start and its end each count down the tally.
#[derive(Debug)]
pub struct Life(Arc<Tally>);

impl Life {
    /// Begins the life of an incarnation.
    pub fn begin(tally: Arc<Tally>) -> Self {
        tally.step();
        Self(tally)
    }

    /// Counts a message.
    pub fn step(&self) {
        self.0.step();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.step();
    }
}

/// The tree of a contestant without one.
#[derive(Debug)]
pub enum NoTree {}

impl Tree for NoTree {
    type Worker = ();

    async fn start(_: u64, _: Arc<Tally>) -> Result<Self> {
        bail!("it has no dynamic supervisors")
    }

    async fn start_workers(&self, _: u64, _: u64) -> Result<Vec<()>> {
        match *self {}
    }

    fn cast<'a>(_: impl Iterator<Item = &'a ()>) -> Result<()> {
        Ok(())
    }

    fn crash<'a>(_: impl Iterator<Item = &'a ()>) -> Result<()> {
        Ok(())
    }

    async fn stop(self, _: Vec<()>) -> Result<()> {
        match self {}
    }
}
