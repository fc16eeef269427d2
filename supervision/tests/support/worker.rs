//! A worker that does as it is told, and says what happens to it.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "it is a module of several test programs")]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{
    Actor, ActorHandle, Address, Context, ExitReason, Monitor, Pid, Reply, Subscription, System,
};
use perennial_supervision::{App, Child, ChildInfo, Supervisor, SupervisorHandle, SupervisorReport};
use tokio::sync::Semaphore;

/// So long that nobody waits for it by chance.
pub const HOUR: Duration = Duration::from_secs(3600);

/// The time that a call may be given here: each hour of it is a hundred thousand rings of an alarm.
pub const MINUTE: Duration = Duration::from_secs(60);

pub const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order, whoever did it.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
    }

    /// What happened since it was asked last.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

/// What keeps an init from returning, until it is opened.
pub type Gate = Arc<Semaphore>;

pub fn gate() -> Gate {
    Arc::new(Semaphore::new(0))
}

pub enum Msg {
    /// It ends for this reason.
    End(ExitReason),
    /// It ends for this reason after so long, and is told nothing meanwhile.
    EndLater(Duration, ExitReason),
    Incarnation(Reply<u32>),
    Pid(Reply<Pid>),
    /// It tells what it was started with.
    Id(Reply<String>),
    Link(ActorHandle, Reply<()>),
    Unlink(ActorHandle, Reply<()>),
}

/// How an init goes.
#[derive(Clone)]
pub enum Birth {
    Up,
    Fails,
    Panics,
    Declines,
    /// It is up once the gate lets it through.
    Waits(Gate),
}

/// How it stops when it is told to.
#[derive(Clone, Copy)]
pub enum Death {
    AtOnce,
    Lingers(Duration),
    Panics,
}

/// What a worker is to do besides what it is told.
#[derive(Clone)]
pub struct Script {
    id: String,
    log: Log,
    birth: Arc<dyn Fn(u32) -> Birth + Send + Sync>,
    death: Death,
}

impl Script {
    pub fn new(id: impl Into<String>, log: &Log) -> Self {
        Self { id: id.into(), log: log.clone(), birth: Arc::new(|_| Birth::Up), death: Death::AtOnce }
    }

    /// How the init of each incarnation goes.
    pub fn born(self, birth: impl Fn(u32) -> Birth + Send + Sync + 'static) -> Self {
        Self { birth: Arc::new(birth), ..self }
    }

    pub fn dies(self, death: Death) -> Self {
        Self { death, ..self }
    }

    pub fn lingers(self, time: Duration) -> Self {
        self.dies(Death::Lingers(time))
    }

    pub fn child(self) -> Child<Msg> {
        Child::new::<Worker>(self.id.clone(), self)
    }
}

pub fn worker(id: impl Into<String>, log: &Log) -> Child<Msg> {
    Script::new(id, log).child()
}

pub struct Worker(Script);

impl Actor for Worker {
    type Msg = Msg;
    type Args = Script;

    async fn init(script: &Script, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match (script.birth)(ctx.pid().incarnation()) {
            Birth::Up => {}
            Birth::Fails => return Err(ExitReason::failed("no such luck")),
            Birth::Panics => panic!("no such luck"),
            Birth::Declines => return Err(ExitReason::Ignore),
            Birth::Waits(gate) => gate.acquire().await?.forget(),
        }
        script.log.note(format!("start {}", script.id));
        Ok(Self(script.clone()))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::End(reason) => return Err(reason),
            Msg::EndLater(time, reason) => {
                tokio::time::sleep(time).await;
                return Err(reason);
            }
            Msg::Incarnation(reply) => reply.send(ctx.pid().incarnation()),
            Msg::Pid(reply) => reply.send(ctx.pid()),
            Msg::Id(reply) => reply.send(self.0.id.clone()),
            Msg::Link(other, reply) => reply.send(ctx.link(&other)?),
            Msg::Unlink(other, reply) => {
                ctx.unlink(&other);
                reply.send(());
            }
        }
        Ok(())
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        if let Death::Lingers(time) = self.0.death {
            tokio::time::sleep(time).await;
        }
        let id = &self.0.id;
        self.0.log.note(match reason {
            ExitReason::Shutdown(None) => format!("stop {id}"),
            reason => format!("stop {id}: {reason}"),
        });
        if matches!(self.0.death, Death::Panics) {
            panic!("no such luck");
        }
    }
}

pub async fn start(supervisor: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app)
}

/// A supervisor that so many restarts are never needed of.
pub fn tolerant(id: &'static str) -> Supervisor {
    Supervisor::new(id).intensity(1_000_000, SECOND)
}

pub async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Incarnation).await.expect("it answers")
}

pub async fn pid(address: &Address<Msg>) -> Pid {
    address.call(Msg::Pid).await.expect("it answers")
}

pub fn crash() -> Msg {
    Msg::End(ExitReason::failed("on purpose"))
}

/// Ends a worker and waits until that incarnation is gone; why it ended.
pub async fn end(address: &Address<Msg>, reason: ExitReason) -> String {
    let down = address.monitor();
    match reason {
        ExitReason::Killed => address.kill().expect("it lives"),
        reason => address.cast(Msg::End(reason)).expect("it is served"),
    }
    why(down).await
}

/// Why somebody ended, once it has. What never comes is a failure, and not a wait for ever.
pub async fn why(down: Monitor) -> String {
    soon(down).await.reason.to_string()
}

/// Why a tree ended, once it has.
pub async fn over<H>(app: &App<H>) -> String {
    soon(app.join()).await.to_string()
}

/// What comes of it, in less time than anybody here waits for anything.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(100 * HOUR, future).await.expect("it comes")
}

/// Until everybody has done what there was to do. Paused time passes only when nobody has anything to do, so this is no guess;
/// who waits for a time of its own waits on.
pub async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// What was reported since, of whom.
pub fn reported(reports: &mut Subscription<SupervisorReport>) -> Vec<SupervisorReport> {
    std::iter::from_fn(|| reports.try_next()).collect()
}

/// The ids and states of children, as they are listed.
pub fn shown(children: &[ChildInfo]) -> Vec<String> {
    children.iter().map(|child| format!("{} {}", child.id, child.state)).collect()
}

/// Why something is not so, in words: for errors that cannot be compared.
pub fn refused<T: fmt::Debug, E: fmt::Display>(result: Result<T, E>) -> String {
    result.expect_err("it is refused").to_string()
}
