//! An actor that runs the steps of a test in its handler, and forwards every signal to the test.

use std::future::pending;
use std::time::Duration;

use perennial_actors::{
    Actor, ActorHandle, Address, Context, Down, ExitReason, Monitor, MonitorId, Pid, ProcessInfo, Signal,
    System,
};
use tokio::sync::mpsc;

/// A function that runs in the handler.
type Step = Box<dyn FnOnce(&mut Context<ScriptedActor>) -> Result<(), ExitReason> + Send>;

pub(crate) enum Msg {
    Do(Step),
    /// Never returns.
    Hang,
}

/// The arguments of a scripted actor, the same for each of its incarnations.
pub(crate) struct Script {
    pub(crate) trapping: bool,
    told: mpsc::UnboundedSender<Signal>,
}

/// Runs the steps that it gets.
pub(crate) struct ScriptedActor(mpsc::UnboundedSender<Signal>);

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = Script;

    async fn init(script: &Script, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        if script.trapping {
            ctx.trap_exits(true);
        }
        Ok(Self(script.told.clone()))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Do(step) => step(ctx),
            Msg::Hang => pending().await,
        }
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        // The test may have dropped the receiver.
        let _ = self.0.send(signal);
        Ok(())
    }
}

/// The signals that a scripted actor got.
pub(crate) struct SignalLog(mpsc::UnboundedReceiver<Signal>);

/// Returns the script of an actor, and the log of its signals.
pub(crate) fn strings(trapping: bool) -> (Script, SignalLog) {
    let (told, log) = mpsc::unbounded_channel();
    (Script { trapping, told }, SignalLog(log))
}

/// A test's access to a scripted actor.
pub(crate) struct TestProbe {
    pub(crate) address: Address<Msg>,
    pub(crate) pid: Pid,
    log: SignalLog,
}

/// Starts a scripted actor that does not trap exits.
pub(crate) async fn scripted(system: &System) -> TestProbe {
    spawn(system, false).await
}

/// Starts a scripted actor that traps exits.
pub(crate) async fn trapper(system: &System) -> TestProbe {
    spawn(system, true).await
}

async fn spawn(system: &System, trapping: bool) -> TestProbe {
    let (script, log) = strings(trapping);
    TestProbe::of(system.spawn::<ScriptedActor>(script).await.expect("it starts"), log)
}

/// Runs a step in the handler of the actor at an address. Returns its result.
pub(crate) async fn ask<T: Send + 'static>(
    address: &Address<Msg>,
    step: impl FnOnce(&mut Context<ScriptedActor>) -> T + Send + 'static,
) -> T {
    let doing = address.call(|reply| {
        Msg::Do(Box::new(move |ctx| {
            reply.send(step(ctx));
            Ok(())
        }))
    });
    doing.await.expect("it runs the step and keeps running")
}

/// Waits for the exit and returns its reason. Fails if there is none; in paused time at once.
pub(crate) async fn why(down: Monitor) -> String {
    let down = tokio::time::timeout(Duration::from_secs(3600), down).await;
    down.expect("it was to end").reason.to_string()
}

impl TestProbe {
    pub(crate) fn of(address: Address<Msg>, log: SignalLog) -> Self {
        let pid = address.pid().expect("it lives");
        Self { address, pid, log }
    }

    pub(crate) fn handle(&self) -> ActorHandle {
        self.address.handle()
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        self.handle().info()
    }

    /// Runs a step in its handler. Returns the result.
    pub(crate) async fn does<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Context<ScriptedActor>) -> T + Send + 'static,
    ) -> T {
        ask(&self.address, step).await
    }

    /// Links it to another actor.
    pub(crate) async fn links(&self, other: &Self) {
        let other = other.handle();
        self.does(move |ctx| ctx.link(&other)).await.expect("the other lives");
    }

    /// Removes its link to another actor.
    pub(crate) async fn unlinks(&self, other: &Self) {
        let other = other.handle();
        self.does(move |ctx| ctx.unlink(&other)).await;
    }

    /// Lets it monitor another actor.
    pub(crate) async fn monitors(&self, other: &Self) -> MonitorId {
        let other = other.handle();
        self.does(move |ctx| ctx.monitor(&other)).await
    }

    /// Lets its handler return `reason`, and waits until all watchers are notified.
    pub(crate) async fn ends(&self, reason: ExitReason) {
        let down = self.address.monitor();
        assert!(self.address.cast(Msg::Do(Box::new(move |_| Err(reason)))).is_ok(), "it lives");
        down.await;
    }

    /// Returns `true` if it still runs after it has processed all pending signals.
    pub(crate) async fn lives(&self) -> bool {
        let asked = self.address.call(|reply| {
            Msg::Do(Box::new(move |_| {
                reply.send(());
                Ok(())
            }))
        });
        asked.await.is_ok()
    }

    /// Returns the new signals, after it has processed all pending ones.
    pub(crate) async fn told(&mut self) -> Vec<Signal> {
        self.does(|_| ()).await;
        self.log.since()
    }

    /// The same if all are exit signals: the sender and the reason of each.
    pub(crate) async fn exits(&mut self) -> Vec<(Option<Pid>, String)> {
        let exit = |signal| match signal {
            Signal::Exit { from, reason } => (from, reason.to_string()),
            other => panic!("not an exit: {other:?}"),
        };
        self.told().await.into_iter().map(exit).collect()
    }

    /// The same if all are of monitors: the monitor, the ended incarnation and the reason of each.
    pub(crate) async fn downs(&mut self) -> Vec<(MonitorId, Option<Pid>, String)> {
        let down = |signal| match signal {
            Signal::Down { monitor, down: Down { pid, reason, .. } } => (monitor, pid, reason.to_string()),
            other => panic!("not a down signal: {other:?}"),
        };
        self.told().await.into_iter().map(down).collect()
    }
}

impl SignalLog {
    /// Returns the new signals.
    pub(crate) fn since(&mut self) -> Vec<Signal> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
