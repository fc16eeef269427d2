//! An actor that does in its handler whatever a test asks of it, and hands every signal that it is told on to the test.

#![allow(dead_code, reason = "each test uses its own part")]

use std::future::pending;
use std::time::Duration;

use perennial_actors::{
    Actor, ActorHandle, Address, Context, Down, ExitReason, Monitor, MonitorId, Pid, ProcessInfo, Signal,
    System,
};
use tokio::sync::mpsc;

/// What is done in a handler.
type Step = Box<dyn FnOnce(&mut Context<ScriptedActor>) -> Result<(), ExitReason> + Send>;

pub(crate) enum Msg {
    Do(Step),
    /// Waits for ever.
    Hang,
}

/// Which strings a scripted hangs on; the same for each of its incarnations.
pub(crate) struct Script {
    pub(crate) trapping: bool,
    told: mpsc::UnboundedSender<Signal>,
}

/// Does what it is asked to.
pub(crate) struct ScriptedActor(mpsc::UnboundedSender<Signal>);

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = Script;

    async fn init(strings: &Script, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        if strings.trapping {
            ctx.trap_exits(true);
        }
        Ok(Self(strings.told.clone()))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Do(deed) => deed(ctx),
            Msg::Hang => pending().await,
        }
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        // The test may have seen enough.
        let _ = self.0.send(signal);
        Ok(())
    }
}

/// What its scripted was told.
pub(crate) struct SignalLog(mpsc::UnboundedReceiver<Signal>);

/// The strings of a scripted, and what it is told.
pub(crate) fn strings(trapping: bool) -> (Script, SignalLog) {
    let (told, ear) = mpsc::unbounded_channel();
    (Script { trapping, told }, SignalLog(ear))
}

/// What a test knows of a scripted.
pub(crate) struct TestProbe {
    pub(crate) address: Address<Msg>,
    pub(crate) pid: Pid,
    ear: SignalLog,
}

/// A scripted that does not trap exits.
pub(crate) async fn scripted(system: &System) -> TestProbe {
    spawn(system, false).await
}

/// One that does.
pub(crate) async fn trapper(system: &System) -> TestProbe {
    spawn(system, true).await
}

async fn spawn(system: &System, trapping: bool) -> TestProbe {
    let (strings, ear) = strings(trapping);
    TestProbe::of(system.spawn::<ScriptedActor>(strings).await.expect("it starts"), ear)
}

/// Has the actor at an address do something in its handler; what came of it.
pub(crate) async fn ask<T: Send + 'static>(
    address: &Address<Msg>,
    deed: impl FnOnce(&mut Context<ScriptedActor>) -> T + Send + 'static,
) -> T {
    let doing = address.call(|reply| {
        Msg::Do(Box::new(move |ctx| {
            reply.send(deed(ctx));
            Ok(())
        }))
    });
    doing.await.expect("it does it and lives on")
}

/// Why it ended, when it does; an end that never comes fails the test, in paused time at once.
pub(crate) async fn why(down: Monitor) -> String {
    let down = tokio::time::timeout(Duration::from_secs(3600), down).await;
    down.expect("it was to end").reason.to_string()
}

impl TestProbe {
    pub(crate) fn of(address: Address<Msg>, ear: SignalLog) -> Self {
        let pid = address.pid().expect("it lives");
        Self { address, pid, ear }
    }

    pub(crate) fn handle(&self) -> ActorHandle {
        self.address.handle()
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        self.handle().info()
    }

    /// Has it do something in its handler; what came of it.
    pub(crate) async fn does<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Context<ScriptedActor>) -> T + Send + 'static,
    ) -> T {
        ask(&self.address, deed).await
    }

    /// Has it link itself to another.
    pub(crate) async fn links(&self, other: &Self) {
        let other = other.handle();
        self.does(move |ctx| ctx.link(&other)).await.expect("the other lives");
    }

    /// Has it take its link to another back.
    pub(crate) async fn unlinks(&self, other: &Self) {
        let other = other.handle();
        self.does(move |ctx| ctx.unlink(&other)).await;
    }

    /// Has it watch another.
    pub(crate) async fn monitors(&self, other: &Self) -> MonitorId {
        let other = other.handle();
        self.does(move |ctx| ctx.monitor(&other)).await
    }

    /// Has its handler return this, and waits until everybody was told.
    pub(crate) async fn ends(&self, reason: ExitReason) {
        let down = self.address.monitor();
        assert!(self.address.cast(Msg::Do(Box::new(move |_| Err(reason)))).is_ok(), "it lives");
        down.await;
    }

    /// Whether it lives, once it has acted upon all signals that are there.
    pub(crate) async fn lives(&self) -> bool {
        let asked = self.address.call(|reply| {
            Msg::Do(Box::new(move |_| {
                reply.send(());
                Ok(())
            }))
        });
        asked.await.is_ok()
    }

    /// What it was told since, once it has acted upon all signals that are there.
    pub(crate) async fn told(&mut self) -> Vec<Signal> {
        self.does(|_| ()).await;
        self.ear.since()
    }

    /// The same, when it was told of nothing but exits: from whom, and why.
    pub(crate) async fn exits(&mut self) -> Vec<(Option<Pid>, String)> {
        let exit = |signal| match signal {
            Signal::Exit { from, reason } => (from, reason.to_string()),
            other => panic!("not an exit: {other:?}"),
        };
        self.told().await.into_iter().map(exit).collect()
    }

    /// The same, when it was told by nothing but monitors: by which, whose end, and why.
    pub(crate) async fn downs(&mut self) -> Vec<(MonitorId, Option<Pid>, String)> {
        let down = |signal| match signal {
            Signal::Down { monitor, down: Down { pid, reason, .. } } => (monitor, pid, reason.to_string()),
            other => panic!("not of a monitor: {other:?}"),
        };
        self.told().await.into_iter().map(down).collect()
    }
}

impl SignalLog {
    /// What was told since.
    pub(crate) fn since(&mut self) -> Vec<Signal> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
