//! An actor that runs the steps of its test, and records what it handles and when.

use std::any::Any;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Identity, Parent};
use perennial_actors::{
    Actor, Address, Context, Down, ExitReason, MailboxConfig, Reply, Signal, Spawn, System,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::parent::{Record, recorder};

/// The future of a step.
pub(crate) type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), ExitReason>> + Send + 'a>>;

/// A step of a scripted actor.
pub(crate) type Step =
    Box<dyn for<'a> FnOnce(&'a mut ScriptedActor, &'a mut Context<ScriptedActor>) -> Doing<'a> + Send>;

pub(crate) enum Msg {
    Note(&'static str),
    Do(Step),
}

/// Returns a message with a step that does not await.
pub(crate) fn deed(
    act: impl FnOnce(&mut ScriptedActor, &mut Context<ScriptedActor>) + Send + 'static,
) -> Msg {
    Msg::Do(Box::new(move |scripted, ctx| {
        act(scripted, ctx);
        Box::pin(ready(Ok(())))
    }))
}

/// Returns a message with a step that may await and fail.
pub(crate) fn long<F>(act: F) -> Msg
where
    F: for<'a> FnOnce(&'a mut ScriptedActor, &'a mut Context<ScriptedActor>) -> Doing<'a> + Send + 'static,
{
    Msg::Do(Box::new(act))
}

/// Returns a message whose step fails.
pub(crate) fn failing() -> Msg {
    long(|_, _| Box::pin(ready(Err(ExitReason::failed("on purpose")))))
}

/// Records lines: the milliseconds since the test began, and a word.
#[derive(Clone)]
pub(crate) struct Pen {
    lines: mpsc::UnboundedSender<String>,
    begun: Instant,
}

impl Pen {
    pub(crate) fn write(&self, line: impl std::fmt::Display) {
        // The test may have dropped the receiver.
        let _ = self.lines.send(format!("{} {line}", self.begun.elapsed().as_millis()));
    }
}

/// Runs in the init of every incarnation.
type Init = Box<dyn Fn(&mut ScriptedActor, &mut Context<ScriptedActor>) + Send + Sync>;

pub(crate) struct Script {
    pen: Pen,
    init: Init,
}

/// Runs the steps that it gets.
pub(crate) struct ScriptedActor {
    pub(crate) pen: Pen,
    pub(crate) kept: Vec<Reply<u32>>,
    /// Its debug state.
    pub(crate) number: u32,
    /// Runs in its terminate, after that is recorded.
    pub(crate) last: Option<Step>,
    /// Runs at its next signal, after that is recorded.
    pub(crate) when_told: Option<Step>,
}

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = Script;

    async fn init(script: &Script, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let pen = script.pen.clone();
        let mut scripted = Self { pen, kept: Vec::new(), number: 0, last: None, when_told: None };
        (script.init)(&mut scripted, ctx);
        Ok(scripted)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Note(line) => {
                self.pen.write(line);
                Ok(())
            }
            Msg::Do(step) => step(self, ctx).await,
        }
    }

    async fn signal(&mut self, signal: Signal, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match signal {
            Signal::Exit { reason, .. } => self.pen.write(format!("exit: {reason}")),
            Signal::Down { down: Down { reason, .. }, .. } => self.pen.write(format!("down: {reason}")),
            other => panic!("{other:?} is new"),
        }
        match self.when_told.take() {
            Some(step) => step(self, ctx).await,
            None => Ok(()),
        }
    }

    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        Some(&mut self.number)
    }

    async fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        self.pen.write(format!("terminate: {reason}"));
        if let Some(last) = self.last.take() {
            last(self, ctx).await.unwrap_or_default();
        }
    }
}

/// A test's access to a scripted actor.
pub(crate) struct TestProbe {
    pub(crate) address: Address<Msg>,
    lines: mpsc::UnboundedReceiver<String>,
}

fn script(init: Init) -> (Script, mpsc::UnboundedReceiver<String>) {
    let (pen, lines) = mpsc::unbounded_channel();
    (Script { pen: Pen { lines: pen, begun: Instant::now() }, init }, lines)
}

/// Starts a scripted actor whose init runs `init`.
pub(crate) async fn begun_with(
    init: impl Fn(&mut ScriptedActor, &mut Context<ScriptedActor>) + Send + Sync + 'static,
) -> TestProbe {
    let (script, lines) = script(Box::new(init));
    TestProbe { address: System::new().spawn::<ScriptedActor>(script).await.expect("it starts"), lines }
}

/// Starts a scripted actor whose init does nothing.
pub(crate) async fn scripted() -> TestProbe {
    begun_with(|_, _| ()).await
}

/// Starts a scripted actor with the options that `set` sets.
pub(crate) async fn scripted_in(
    system: &System,
    set: impl FnOnce(Spawn<ScriptedActor>) -> Spawn<ScriptedActor>,
) -> TestProbe {
    let (script, lines) = script(Box::new(|_, _| ()));
    TestProbe { address: set(system.spawn::<ScriptedActor>(script)).await.expect("it starts"), lines }
}

/// Returns the spawn of a scripted actor whose init runs `init`. Its lines are discarded.
pub(crate) fn about_to_begin(
    system: &System,
    init: impl Fn(&mut ScriptedActor, &mut Context<ScriptedActor>) + Send + Sync + 'static,
) -> Spawn<ScriptedActor> {
    system.spawn(script(Box::new(init)).0)
}

/// A scripted actor whose test starts its incarnations.
pub(crate) struct ManagedActor {
    pub(crate) strings: TestProbe,
    pub(crate) system: System,
    pub(crate) identity: Arc<Identity<Msg>>,
    script: Arc<Script>,
    parent: Arc<dyn Parent>,
    pub(crate) record: Record,
    run: u64,
}

impl ManagedActor {
    /// Returns a scripted actor whose incarnations run `init` in their init.
    pub(crate) fn begun_with(
        init: impl Fn(&mut ScriptedActor, &mut Context<ScriptedActor>) + Send + Sync + 'static,
    ) -> Self {
        let (identity, (parent, record)) = (Arc::new(Identity::new(MailboxConfig::default())), recorder());
        let system = System::new();
        let (script, lines) = script(Box::new(init));
        identity.open(&system, || "scripted".into());
        let strings = TestProbe { address: identity.address(), lines };
        Self { strings, system, identity, script: Arc::new(script), parent, record, run: 0 }
    }

    pub(crate) async fn start(&mut self) {
        self.begin();
        self.started().await;
    }

    /// Begins a start, and does not wait for its result.
    pub(crate) fn begin(&mut self) {
        self.run += 1;
        let started =
            self.identity.start::<ScriptedActor>(self.script.clone(), self.parent.clone(), self.run);
        started.expect("it is open");
    }

    pub(crate) async fn started(&mut self) {
        self.record.started(self.run).await;
    }

    /// Lets the incarnation fail, and starts the next one.
    pub(crate) async fn restart(&mut self) {
        self.strings.cast(failing());
        self.ended().await;
        self.start().await;
    }

    pub(crate) async fn ended(&mut self) -> ExitReason {
        self.record.ended(self.run).await.reason
    }
}

impl TestProbe {
    pub(crate) fn cast(&self, msg: Msg) {
        self.address.cast(msg).expect("it is open and has room");
    }

    pub(crate) fn note(&self, line: &'static str) {
        self.cast(Msg::Note(line));
    }

    /// Runs a step and waits for its result.
    pub(crate) async fn have<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut ScriptedActor, &mut Context<ScriptedActor>) -> T + Send + 'static,
    ) -> T {
        let done = self.address.call(|reply| deed(move |scripted, ctx| reply.send(act(scripted, ctx))));
        done.await.expect("it runs the step")
    }

    /// Returns the new lines.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    /// Returns the new lines after a sleep of `millis`, in paused time.
    pub(crate) async fn after(&mut self, millis: u64) -> Vec<String> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        self.lines()
    }

    /// Waits for the next line.
    pub(crate) async fn line(&mut self) -> String {
        in_time(self.lines.recv()).await.expect("the actor lives")
    }

    /// Waits for its exit and returns the reason.
    pub(crate) async fn end(&self) -> String {
        in_time(self.address.monitor()).await.reason.to_string()
    }
}

/// Awaits a future. Fails after a time that is longer than any test.
async fn in_time<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), awaited).await.expect("it comes")
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
