//! Who races, and what each of them has to be able to do.

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
            // The supervisor of actix starts an actor anew when it has stopped, and none that has panicked.
            Task::Restart(Crash::Error) => !matches!(self, Self::Bare),
            Task::Restart(Crash::Panic) => !matches!(self, Self::Actix | Self::Bare),
            // In actix, one finds the one actor of a type.
            Task::Whereis | Task::NamedCast { .. } => !matches!(self, Self::Actix),
            // The workers of a pool of actix are threads.
            Task::EmptyJobs { threads: Threads::One } => !matches!(self, Self::Actix),
            _ => true,
        }
    }

    /// Why it cannot race on this machine, if so.
    pub fn absence(self) -> Option<&'static str> {
        (self == Self::Erlang && !erlang::is_on_path()).then_some("not on PATH")
    }

    /// Does the task once, in this process, and says what each message, call, actor, restart or job has cost.
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

/// What a contestant in Rust can do, in its own words.
///
/// Each loop is the contestant's own, so that nothing stands between it and its messages.
trait Peer: Send + Sync + 'static {
    /// What one holds to reach an actor.
    type Address: Clone + Send + Sync + 'static;
    /// What one holds to look an actor up.
    type Name: From<String> + Send + Sync + 'static;
    /// What hands jobs to a pool of workers.
    type Pool: pools::Pool;

    /// Starts an actor that adds what it is sent to its way to the goal.
    fn start(&self, mailbox: Mailbox, goal: Goal) -> impl Future<Output = Result<Self::Address>> + Send;

    /// Sends `count` messages and waits for room only, where the mailbox is bounded.
    fn cast(
        actor: Self::Address,
        mailbox: Mailbox,
        count: u64,
    ) -> impl Future<Output = Result<()>> + Send + 'static;

    /// Asks `count` times, each time after the answer.
    fn call(actor: &Self::Address, count: u64) -> impl Future<Output = Result<()>> + Send;

    /// Starts `count` actors, then stops them all in good order, then waits for the end of all.
    fn spawn_stop(&self, count: u64) -> impl Future<Output = Result<()>> + Send;

    /// Starts an actor with an unbounded mailbox that is found by its name.
    fn enlist(&self, _: &Self::Name, _: Goal) -> impl Future<Output = Result<Self::Address>> + Send {
        async { bail!("it has no names") }
    }

    /// Looks each name up, for messages of the right type where it can tell, and drops what it finds.
    fn whereis<'a>(&self, _: impl Iterator<Item = &'a Self::Name>) -> Result<()> {
        bail!("it has no names")
    }

    /// Looks each name up and sends a message to the actor that it finds.
    fn cast_named<'a>(&self, _: impl Iterator<Item = &'a Self::Name>) -> Result<()> {
        bail!("it has no names")
    }

    /// Starts an actor that is started anew whenever it crashes.
    fn supervise(&self) -> impl Future<Output = Result<Self::Address>> + Send {
        async { bail!("it has no supervisors") }
    }

    /// Crashes it `count` times, each time until its next incarnation answers.
    fn restart(_: &Self::Address, _: Crash, _: u64) -> impl Future<Output = Result<()>> + Send {
        async { bail!("it has no supervisors") }
    }
}
