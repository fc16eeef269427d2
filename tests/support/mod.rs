//! A scripted actor for trees, which records its starts and stops.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(unreachable_pub, reason = "it is a module of several test programs")]

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{App, SupervisorHandle};
use tokio::sync::Notify;

/// The recorded events of all actors, in order.
#[derive(Clone, Default)]
pub struct Log(pub Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

pub enum Msg {
    End(ExitReason),
    Pid(Reply<u32>),
    /// Notifies that it has begun, then blocks its thread, without an await, until the channel
    /// receives.
    Hang(Arc<Notify>, mpsc::Receiver<()>),
}

/// The behavior of a scripted actor besides its messages.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Behavior {
    #[default]
    Plain,
    /// Its `init` fails from this incarnation on.
    FailsFrom(u32),
    /// Its `init` never returns from this incarnation on.
    HangsFrom(u32),
    /// Its `terminate` takes this long.
    Lingers(Duration),
    /// Its `terminate` never returns and sets no timer.
    NeverStops,
}

pub struct ScriptedActor(Args);

#[derive(Clone)]
pub struct Args {
    pub id: &'static str,
    pub log: Log,
    pub behavior: Behavior,
}

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match args.behavior {
            Behavior::FailsFrom(first) if ctx.pid().incarnation() >= first => {
                Err(ExitReason::failed("on purpose"))
            }
            Behavior::HangsFrom(first) if ctx.pid().incarnation() >= first => std::future::pending().await,
            _ => {
                args.log.note(format!("start {}", args.id));
                Ok(Self(args.clone()))
            }
        }
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::End(reason) => return Err(reason),
            Msg::Pid(reply) => reply.send(ctx.pid().incarnation()),
            Msg::Hang(begun, until) => {
                begun.notify_one();
                let _ = until.recv();
            }
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if let Behavior::Lingers(time) = self.0.behavior {
            // Paused time: every test with this behavior pauses it.
            tokio::time::sleep(time).await;
        }
        if self.0.behavior == Behavior::NeverStops {
            std::future::pending::<()>().await;
        }
        self.0.log.note(format!("stop {}", self.0.id));
    }
}

pub fn scripted_with(id: &'static str, log: &Log, behavior: Behavior) -> Child<Msg> {
    Child::new::<ScriptedActor>(id, Args { id, log: log.clone(), behavior })
}

pub fn scripted(id: &'static str, log: &Log) -> Child<Msg> {
    scripted_with(id, log, Behavior::Plain)
}

pub async fn start(supervisor: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("the tree starts");
    (system, app)
}

pub async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Pid).await.expect("the actor replies")
}

pub fn crash() -> Msg {
    Msg::End(ExitReason::failed("on purpose"))
}
