//! An actor that follows a script and logs its steps.
#![expect(unreachable_pub, reason = "it is a module of several test programs")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_supervision::{
    App, Child, ChildFailedError, ChildInfo, ChildState, StartError, Supervisor, SupervisorHandle,
};

/// The steps of all actors, in order: `start a` after a successful init, `fail a` after a failed
/// one, `stop a: reason` when an incarnation has ended, and `told a` when one that stops slowly was
/// asked to stop.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: String) {
        self.0.lock().expect("not poisoned").push(what);
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

pub enum Msg {
    End(ExitReason),
    Panic,
    Incarnation(Reply<u32>),
}

/// The init of an incarnation.
#[derive(Clone, Copy)]
pub enum InitStep {
    Succeed,
    Fail,
    Panic,
    Ignore,
    /// It takes so long, and then fails.
    FailAfter(Duration),
    /// It takes so long, and then goes well.
    SucceedAfter(Duration),
}

/// The script of an actor.
#[derive(Clone)]
pub struct Script {
    id: String,
    log: Log,
    init: fn(u32) -> InitStep,
    linger: Option<Duration>,
    /// Something to tell by whether these arguments are still kept.
    kept: Option<Arc<()>>,
}

impl Script {
    pub fn new(id: impl Into<String>, log: &Log) -> Self {
        Self { id: id.into(), log: log.clone(), init: |_| InitStep::Succeed, linger: None, kept: None }
    }

    /// Sets the init of each incarnation, counted from 1.
    pub fn with_init(self, begin: fn(u32) -> InitStep) -> Self {
        Self { init: begin, ..self }
    }

    /// Sets the duration of a stop.
    pub fn with_slow_stop(self, time: Duration) -> Self {
        Self { linger: Some(time), ..self }
    }

    pub fn keeping(self, held: &Arc<()>) -> Self {
        Self { kept: Some(held.clone()), ..self }
    }

    pub fn child(self) -> Child<Msg> {
        Child::new::<ScriptedActor>(self.id.clone(), self)
    }

    fn note(&self, what: &str) {
        self.log.note(format!("{what} {}", self.id));
    }
}

pub struct ScriptedActor {
    script: Script,
    /// The stop reason. A kill gives none.
    reason: ExitReason,
}

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = Script;

    async fn init(life: &Script, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let begin = (life.init)(ctx.pid().incarnation());
        if let InitStep::SucceedAfter(time) | InitStep::FailAfter(time) = begin {
            // Of paused time, as every test of this crate has it.
            tokio::time::sleep(time).await;
        }
        match begin {
            InitStep::Succeed | InitStep::SucceedAfter(_) => {
                life.note("start");
                Ok(Self { script: life.clone(), reason: ExitReason::Killed })
            }
            InitStep::Fail | InitStep::FailAfter(_) => {
                life.note("fail");
                Err(ExitReason::failed("no such luck"))
            }
            InitStep::Panic => panic!("no luck at all"),
            InitStep::Ignore => Err(ExitReason::Ignore),
        }
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::End(reason) => return Err(reason),
            Msg::Panic => panic!("on purpose"),
            Msg::Incarnation(reply) => reply.send(ctx.pid().incarnation()),
        }
        Ok(())
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        if let Some(time) = self.script.linger {
            self.script.note("told");
            tokio::time::sleep(time).await;
        }
        self.reason = reason.clone();
    }
}

impl Drop for ScriptedActor {
    fn drop(&mut self) {
        self.script.log.note(format!("stop {}: {}", self.script.id, self.reason));
    }
}

pub fn scripted(id: &str, log: &Log) -> Child<Msg> {
    Script::new(id, log).child()
}

/// A unit, the init of whose incarnations goes so.
pub fn scripted_with(id: &str, log: &Log, begin: fn(u32) -> InitStep) -> Child<Msg> {
    Script::new(id, log).with_init(begin).child()
}

/// Starts well once, and never again.
pub fn only_once(incarnation: u32) -> InitStep {
    if incarnation == 1 { InitStep::Succeed } else { InitStep::Fail }
}

pub fn crash() -> ExitReason {
    ExitReason::failed("on purpose")
}

/// A reason for every kind of end that is not abnormal.
pub fn clean() -> [ExitReason; 3] {
    [ExitReason::Normal, ExitReason::shutdown(), ExitReason::shutdown_with("a note")]
}

/// Five seconds, the period that a supervisor has unless it is set.
pub const PERIOD: Duration = Duration::from_secs(5);

pub async fn start(supervisor: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app)
}

/// The child that kept a tree from starting, and why.
pub fn failed_child(error: &StartError) -> (&str, &ExitReason) {
    let StartError::Failed(reason) = error else { panic!("a child failed: {error}") };
    let failed = reason.error().and_then(|error| error.downcast_ref::<ChildFailedError>());
    let failed = failed.expect("the child is named");
    (&failed.child, &failed.reason)
}

/// Waits until everything has happened that needs no time: paused time advances only when every
/// task is idle.
pub async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Ends an incarnation for this reason, and lets everything happen that comes of it.
pub async fn end(address: &Address<Msg>, reason: ExitReason) {
    match reason {
        ExitReason::Killed => address.kill().expect("it lives"),
        reason => address.cast(Msg::End(reason)).expect("it is served"),
    }
    quiet().await;
}

/// Waits for an end that is due. Without it the test fails in paused time, instead of hanging.
pub async fn soon<T>(end: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), end).await.expect("it ends")
}

pub async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Incarnation).await.expect("it answers")
}

/// Returns the children in start order, each with the number of its incarnation, or else its state.
pub async fn shape(supervisor: &SupervisorHandle) -> Vec<String> {
    drawn(supervisor.which_children().await.expect("it lives"))
}

pub fn drawn(newest_first: Vec<ChildInfo>) -> Vec<String> {
    let draw = |child: ChildInfo| match (child.state, child.pid) {
        (ChildState::Running, Some(pid)) => format!("{} {}", child.id, pid.incarnation()),
        (state, _) => format!("{} {state}", child.id),
    };
    newest_first.into_iter().rev().map(draw).collect()
}

/// The ids of a supervisor's children, as it lists them.
pub async fn ids(supervisor: &SupervisorHandle) -> Vec<String> {
    let children = supervisor.which_children().await.expect("it lives");
    children.into_iter().map(|child| child.id.to_string()).collect()
}
