//! An actor that follows a script and logs its steps with their times.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use tokio::time::{Instant, sleep};

/// The logged steps with their times, in milliseconds since the log was created.
#[derive(Clone)]
pub(crate) struct Log(Arc<(Instant, Mutex<Vec<String>>)>);

impl Log {
    /// To be made within a runtime, whose time counts.
    pub(crate) fn new() -> Self {
        Self(Arc::new((Instant::now(), Mutex::default())))
    }

    fn note(&self, what: &str) {
        let (begun, lines) = &*self.0;
        let at = begun.elapsed().as_millis();
        lines.lock().expect("not poisoned").push(format!("{at} {what}"));
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.1.lock().expect("not poisoned"))
    }
}

/// A message to a scripted actor.
pub(crate) enum Msg {
    Incarnation(Reply<u32>),
    Ping(Reply<()>),
    Note(&'static str),
    /// Ends for this reason, after this time.
    End(Duration, ExitReason),
    /// Takes so long.
    Take(Duration),
    /// Never returns from an await.
    Hang,
    /// Blocks the thread until the other end says something or is gone.
    Block(mpsc::Receiver<()>),
    /// Keeps the thread busy for as long as this is so.
    Spin(Arc<AtomicBool>),
    /// Sends itself the message after this time.
    Later(Duration, Box<Self>),
    /// Says that it is ready.
    Ready,
    /// One thing after the other, in one handler.
    All(Vec<Self>),
}

impl Msg {
    pub(crate) fn crash() -> Self {
        Self::end(ExitReason::failed("on purpose"))
    }

    pub(crate) const fn end(reason: ExitReason) -> Self {
        Self::End(Duration::ZERO, reason)
    }
}

/// The init of an incarnation.
#[derive(Clone, Copy)]
pub(crate) enum InitStep {
    Succeed,
    /// Its init takes so long.
    SucceedAfter(Duration),
    /// Ready only on request.
    DeferReady,
    Fail,
    Hang,
    /// Its init blocks the thread until its [gate](Script::gated) opens.
    Block,
}

/// The script of an actor besides its messages.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) log: Log,
    /// The init of the n-th incarnation.
    pub(crate) init: fn(u32) -> InitStep,
    /// The duration of a stop.
    pub(crate) stop_delay: Duration,
    /// `true` if it keeps pings instead of answering them.
    pub(crate) keeps_pings: bool,
    gate: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

impl Script {
    pub(crate) fn plain(log: &Log) -> Self {
        Self {
            log: log.clone(),
            init: |_| InitStep::Succeed,
            stop_delay: Duration::ZERO,
            keeps_pings: false,
            gate: Arc::default(),
        }
    }

    pub(crate) const fn with_init(mut self, start: fn(u32) -> InitStep) -> Self {
        self.init = start;
        self
    }

    pub(crate) const fn with_slow_stop(mut self, time: Duration) -> Self {
        self.stop_delay = time;
        self
    }

    pub(crate) const fn keeping_pings(mut self) -> Self {
        self.keeps_pings = true;
        self
    }

    /// Sets the channel that blocks an init until its sender sends or is dropped.
    pub(crate) fn gated(mut self, gate: mpsc::Receiver<()>) -> Self {
        self.gate = Arc::new(Mutex::new(Some(gate)));
        self
    }

    pub(crate) fn child(self, id: &'static str) -> Child<Msg> {
        Child::new::<ScriptedActor>(id, (id, self))
    }
}

/// Returns a plain child with an unused log.
pub(crate) fn scripted(id: &'static str) -> Child<Msg> {
    Script::plain(&Log::new()).child(id)
}

pub(crate) struct ScriptedActor {
    id: &'static str,
    script: Script,
    kept: Vec<Reply<()>>,
}

impl ScriptedActor {
    fn note(&self, what: &str) {
        self.script.log.note(&format!("{} {what}", self.id));
    }

    async fn act(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Incarnation(reply) => reply.send(ctx.pid().incarnation()),
            Msg::Ping(reply) if self.script.keeps_pings => self.kept.push(reply),
            Msg::Ping(reply) => reply.send(()),
            Msg::Note(what) => self.note(what),
            Msg::End(time, reason) => {
                wait(time).await;
                return Err(reason);
            }
            Msg::Take(time) => wait(time).await,
            Msg::Hang => pending().await,
            // An error means that the sender was dropped, which also ends the wait.
            Msg::Block(until) => drop(until.recv()),
            Msg::Spin(on) => {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
            Msg::Later(time, msg) => drop(ctx.send_after(time, *msg)),
            Msg::Ready => ctx.ready(),
            Msg::All(all) => {
                for msg in all {
                    Box::pin(self.act(msg, ctx)).await?;
                }
            }
        }
        Ok(())
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = (&'static str, Script);

    async fn init((id, script): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match (script.init)(ctx.pid().incarnation()) {
            InitStep::Succeed => {}
            InitStep::SucceedAfter(time) => wait(time).await,
            InitStep::DeferReady => ctx.defer_ready(),
            InitStep::Fail => return Err(ExitReason::failed("no luck")),
            InitStep::Hang => pending().await,
            InitStep::Block => {
                let gate = script.gate.lock().expect("not poisoned").take();
                // An error means that the sender was dropped, which also ends the wait.
                let _ = gate.map(|gate| gate.recv());
            }
        }
        let subject = Self { id, script: script.clone(), kept: Vec::new() };
        subject.note("starts");
        Ok(subject)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.act(msg, ctx).await
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        wait(self.script.stop_delay).await;
        self.note("stops");
    }
}

pub(crate) async fn start(tree: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = tree.start(&system).await.expect("it starts");
    (system, app)
}

/// Returns the number of the current incarnation.
pub(crate) async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Incarnation).no_timeout().await.expect("it answers")
}

pub(crate) fn tell(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
