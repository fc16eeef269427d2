//! An actor that follows a script and logs its steps.
#![allow(unreachable_pub, reason = "it is a module of several test programs")]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{
    Actor, ActorHandle, Address, Context, ExitReason, Monitor, Pid, Reply, Subscription, System,
};
use perennial_supervision::{App, Child, ChildInfo, Supervisor, SupervisorHandle, SupervisorReport};
use tokio::sync::Semaphore;

/// A time that no test exceeds by chance.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A timeout for calls. It is short because each hour of paused time costs a hundred thousand ticks
/// of the timer wheel.
pub const MINUTE: Duration = Duration::from_secs(60);

pub const SECOND: Duration = Duration::from_secs(1);

/// The steps of all workers, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
    }

    /// Returns the steps since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

/// Blocks an init until it is opened.
pub type Gate = Arc<Semaphore>;

pub fn gate() -> Gate {
    Arc::new(Semaphore::new(0))
}

pub enum Msg {
    /// Ends for this reason.
    End(ExitReason),
    /// Ends for this reason after this time, and handles no message meanwhile.
    EndLater(Duration, ExitReason),
    Incarnation(Reply<u32>),
    Pid(Reply<Pid>),
    /// Replies with its id.
    Id(Reply<String>),
    Link(ActorHandle, Reply<()>),
    Unlink(ActorHandle, Reply<()>),
}

/// The init of an incarnation.
#[derive(Clone)]
pub enum InitStep {
    Succeed,
    Fail,
    Panic,
    Ignore,
    /// Succeeds once the gate is open.
    WaitFor(Gate),
}

/// The stop of an incarnation.
#[derive(Clone, Copy)]
pub enum StopStep {
    Succeed,
    SucceedAfter(Duration),
    Panic,
}

/// The script of a worker besides its messages.
#[derive(Clone)]
pub struct Script {
    id: String,
    log: Log,
    init: Arc<dyn Fn(u32) -> InitStep + Send + Sync>,
    stop: StopStep,
}

impl Script {
    pub fn new(id: impl Into<String>, log: &Log) -> Self {
        Self {
            id: id.into(),
            log: log.clone(),
            init: Arc::new(|_| InitStep::Succeed),
            stop: StopStep::Succeed,
        }
    }

    /// Sets the init of each incarnation.
    pub fn with_init(self, init: impl Fn(u32) -> InitStep + Send + Sync + 'static) -> Self {
        Self { init: Arc::new(init), ..self }
    }

    pub fn with_stop(self, stop: StopStep) -> Self {
        Self { stop, ..self }
    }

    pub fn with_slow_stop(self, time: Duration) -> Self {
        self.with_stop(StopStep::SucceedAfter(time))
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
        match (script.init)(ctx.pid().incarnation()) {
            InitStep::Succeed => {}
            InitStep::Fail => return Err(ExitReason::failed("no such luck")),
            InitStep::Panic => panic!("no such luck"),
            InitStep::Ignore => return Err(ExitReason::Ignore),
            InitStep::WaitFor(gate) => gate.acquire().await?.forget(),
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
        if let StopStep::SucceedAfter(time) = self.0.stop {
            tokio::time::sleep(time).await;
        }
        let id = &self.0.id;
        self.0.log.note(match reason {
            ExitReason::Shutdown(None) => format!("stop {id}"),
            reason => format!("stop {id}: {reason}"),
        });
        if matches!(self.0.stop, StopStep::Panic) {
            panic!("no such luck");
        }
    }
}

pub async fn start(supervisor: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app)
}

/// Returns a supervisor whose restart intensity no test exceeds.
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

/// Ends a worker and waits for the exit of this incarnation. Returns its exit reason.
pub async fn end(address: &Address<Msg>, reason: ExitReason) -> String {
    let down = address.monitor();
    match reason {
        ExitReason::Killed => address.kill().expect("it lives"),
        reason => address.cast(Msg::End(reason)).expect("it is served"),
    }
    exit_of(down).await
}

/// Returns the exit reason once the monitored actor has ended. Without an end the test fails
/// instead of hanging.
pub async fn exit_of(down: Monitor) -> String {
    soon(down).await.reason.to_string()
}

/// Waits for the exit of a tree. Returns its exit reason.
pub async fn tree_exit<H>(app: &App<H>) -> String {
    soon(app.join()).await.to_string()
}

/// Returns the output. The limit exceeds every other wait of these tests.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(100 * HOUR, future).await.expect("it comes")
}

/// Waits until every task is idle. Paused time advances only then, so this is no guess. Tasks that
/// wait for a time keep waiting.
pub async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Returns the reports since the last call.
pub fn reported(reports: &mut Subscription<SupervisorReport>) -> Vec<SupervisorReport> {
    std::iter::from_fn(|| reports.try_next()).collect()
}

/// Returns the ids and states of children, in their order.
pub fn shown(children: &[ChildInfo]) -> Vec<String> {
    children.iter().map(|child| format!("{} {}", child.id, child.state)).collect()
}

/// Returns the text of an error, for errors that cannot be compared.
pub fn refused<T: fmt::Debug, E: fmt::Display>(result: Result<T, E>) -> String {
    result.expect_err("it is refused").to_string()
}
