//! A unit of a tree that does as it is told and says what happens to it.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(unreachable_pub, reason = "it is a module of several test programs")]

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{App, SupervisorHandle};
use tokio::sync::Notify;

/// What happened, in order, whoever did it.
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
    /// Says that it has begun, then blocks its thread, without ever awaiting, until the channel says something.
    Hang(Arc<Notify>, mpsc::Receiver<()>),
}

/// How a unit behaves besides what it is told.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Habit {
    #[default]
    Plain,
    /// Its init fails from this incarnation on.
    FailsFrom(u32),
    /// Its init never returns from this incarnation on.
    HangsFrom(u32),
    /// It takes so long to stop.
    Lingers(Duration),
    /// Its `terminate` never returns, and sets no timer.
    NeverStops,
}

pub struct Unit(Args);

#[derive(Clone)]
pub struct Args {
    pub id: &'static str,
    pub log: Log,
    pub habit: Habit,
}

impl Actor for Unit {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match args.habit {
            Habit::FailsFrom(first) if ctx.pid().incarnation() >= first => {
                Err(ExitReason::failed("no such luck"))
            }
            Habit::HangsFrom(first) if ctx.pid().incarnation() >= first => std::future::pending().await,
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
        if let Habit::Lingers(time) = self.0.habit {
            // Of paused time, as every test has it that lets a unit linger.
            tokio::time::sleep(time).await;
        }
        if self.0.habit == Habit::NeverStops {
            std::future::pending::<()>().await;
        }
        self.0.log.note(format!("stop {}", self.0.id));
    }
}

pub fn unit_that(id: &'static str, log: &Log, habit: Habit) -> Child<Msg> {
    Child::new::<Unit>(id, Args { id, log: log.clone(), habit })
}

pub fn unit(id: &'static str, log: &Log) -> Child<Msg> {
    unit_that(id, log, Habit::Plain)
}

pub async fn start(supervisor: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app)
}

pub async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Pid).await.expect("it answers")
}

pub fn crash() -> Msg {
    Msg::End(ExitReason::failed("on purpose"))
}
