//! The contestants of the race, and the interface that each of them implements.

mod actix;
mod bare;
mod crash;
mod drive;
mod erlang;
mod goal;
mod kameo;
mod memory;
mod names;
mod perennial;
mod pools;
mod ractor;

use std::future::Future;

use anyhow::{Result, bail};

use crate::works::{Crash, Mailbox, Task, Threads};
use goal::Goal;

/// The contestants of the race.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Contestant {
    Perennial,
    Ractor,
    Kameo,
    Actix,
    Bare,
    Erlang,
}

impl Contestant {
    /// In the order in which they are shown: perennial first.
    pub const ALL: [Self; 6] =
        [Self::Perennial, Self::Ractor, Self::Kameo, Self::Actix, Self::Bare, Self::Erlang];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Perennial => "perennial",
            Self::Ractor => "ractor",
            Self::Kameo => "kameo",
            Self::Actix => "actix",
            Self::Bare => "bare",
            Self::Erlang => "erlang",
        }
    }

    /// Returns `true` if the contestant can do the task.
    pub const fn can(self, task: Task) -> bool {
        match task {
            // The schedulers of Erlang are not ours to choose.
            _ if matches!((self, task.threads()), (Self::Erlang, Threads::One)) => false,
            // The mailboxes of ractor and Erlang have no bounds.
            Task::Cast { mailbox: Mailbox::Bounded, .. } | Task::Call { mailbox: Mailbox::Bounded, .. }
                if matches!(self, Self::Ractor | Self::Erlang) =>
            {
                false
            }
            // In actix, only `Addr::send` waits for room, and it waits for the reply too.
            Task::Cast { mailbox: Mailbox::Bounded, .. } => !matches!(self, Self::Actix),
            // The supervisor of actix restarts an actor after a stop, but not after a panic.
            Task::Restart(Crash::Error) => !matches!(self, Self::Bare),
            Task::Restart(Crash::Panic) => !matches!(self, Self::Actix | Self::Bare),
            // The registry of actix has one actor per type, and no names.
            Task::Whereis | Task::NamedCast { .. } => !matches!(self, Self::Actix),
            // The workers of a pool of actix are threads.
            Task::EmptyJobs { threads: Threads::One } => !matches!(self, Self::Actix),
            _ => true,
        }
    }

    /// Returns why the contestant cannot race on this machine, or `None` if it can.
    pub fn absence(self) -> Option<&'static str> {
        (self == Self::Erlang && !erlang::is_on_path()).then_some("not on PATH")
    }

    /// Does the task once in this process. Returns the cost of each message, call, actor, restart
    /// or job.
    pub fn run(self, task: Task) -> Result<f64> {
        match self {
            Self::Perennial => drive::on_tokio(perennial::Perennial::new(), task),
            Self::Ractor => drive::on_tokio(ractor::Ractor, task),
            Self::Kameo => drive::on_tokio(kameo::Kameo, task),
            Self::Actix => actix::on_system(task),
            Self::Bare => drive::on_tokio(bare::Bare::default(), task),
            Self::Erlang => erlang::run(task),
        }
    }
}

/// The operations of a contestant in Rust.
///
/// Each contestant has its own loops, so that no shared code is in the measured path.
trait Peer: Send + Sync + 'static {
    /// The reference with which a sender reaches an actor.
    type Address: Clone + Send + Sync + 'static;
    /// The key with which an actor is looked up.
    type Name: From<String> + Send + Sync + 'static;
    /// The pool of workers.
    type Pool: pools::Pool;

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
