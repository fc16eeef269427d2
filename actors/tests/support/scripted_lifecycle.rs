//! An actor whose every part can be told to fail, to panic, to hang or to stop, and that writes down what it does.

#![allow(dead_code, reason = "each test uses its own part")]

use std::future::{Future, pending};
use std::sync::Arc;

use perennial_actors::{Actor, Address, Context, ExitReason, System};
use tokio::sync::mpsc;

/// What is done, in an init, in a handler or in a terminate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Step {
    #[default]
    Nothing,
    Fail,
    /// Returns `Normal` as an error.
    EndNormally,
    /// Returns `Ignore` as an error.
    Ignore,
    Panic,
    /// Panics before there is a future.
    PanicAtOnce,
    /// Writes it down, and waits for ever.
    Hang,
    /// `ctx.stop`, cleanly or not.
    Stop(&'static str),
    StopAbnormally,
    /// Kills itself, and returns.
    Kill,
}

pub(crate) struct Plan {
    pub(crate) init: Step,
    pub(crate) terminate: Step,
    pub(crate) drop: Step,
    journal: mpsc::UnboundedSender<String>,
}

pub(crate) enum Msg {
    Note(u32),
    Do(Step),
}

/// Writes down what it does.
pub(crate) struct LifecycleActor(Arc<Plan>);

impl Plan {
    fn write(&self, line: impl Into<String>) {
        // The test may have seen enough.
        let _ = self.journal.send(line.into());
    }

    async fn carry_out(
        &self,
        deed: Step,
        place: &str,
        ctx: &mut Context<LifecycleActor>,
    ) -> Result<(), ExitReason> {
        match deed {
            Step::Nothing | Step::PanicAtOnce => {}
            Step::Fail => drop("seven".parse::<u32>()?),
            Step::EndNormally => return Err(ExitReason::Normal),
            Step::Ignore => return Err(ExitReason::Ignore),
            Step::Panic => panic!("in {place}"),
            Step::Hang => {
                self.write(format!("{place} hangs"));
                pending::<()>().await;
            }
            Step::Stop(note) => ctx.stop(ExitReason::shutdown_with(note)),
            Step::StopAbnormally => ctx.stop(ExitReason::failed("enough")),
            Step::Kill => ctx.address().kill().expect("it lives"),
        }
        Ok(())
    }
}

impl Actor for LifecycleActor {
    type Msg = Msg;
    type Args = Arc<Plan>;

    fn init(
        plan: &Arc<Plan>,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send {
        assert!(plan.init != Step::PanicAtOnce, "before init");
        async {
            plan.carry_out(plan.init, "init", ctx).await?;
            Ok(Self(plan.clone()))
        }
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Note(n) => self.0.write(format!("note {n}")),
            Msg::Do(deed) => self.0.carry_out(deed, "handle", ctx).await?,
        }
        Ok(())
    }

    fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        self.0.write(format!("terminate: {reason}"));
        assert!(self.0.terminate != Step::PanicAtOnce, "before terminate");
        async { self.0.carry_out(self.0.terminate, "terminate", ctx).await.unwrap_or_default() }
    }
}

impl Drop for LifecycleActor {
    fn drop(&mut self) {
        assert!(self.0.drop != Step::Panic, "in drop");
    }
}

/// What a test knows of an actor.
pub(crate) struct TestProbe {
    pub(crate) address: Address<Msg>,
    journal: mpsc::UnboundedReceiver<String>,
}

impl TestProbe {
    /// Ends as `end` has it; the reason, and what it wrote down.
    pub(crate) async fn after(mut self, end: impl FnOnce(&Address<Msg>)) -> (String, Vec<String>) {
        let down = self.address.monitor();
        end(&self.address);
        let reason = down.await.reason.to_string();
        (reason, self.lines())
    }

    fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.journal.try_recv().ok()).collect()
    }

    /// Waits until this is written down.
    pub(crate) async fn until(&mut self, line: &str) {
        assert_eq!(self.journal.recv().await.as_deref(), Some(line));
    }
}

/// A plan to do nothing special, and the journal of whoever follows it.
pub(crate) fn plan() -> (Plan, mpsc::UnboundedReceiver<String>) {
    let (journal, lines) = mpsc::unbounded_channel();
    (Plan { init: Step::Nothing, terminate: Step::Nothing, drop: Step::Nothing, journal }, lines)
}

/// An actor that follows the usual plan but for this change, and that may not have started yet.
pub(crate) fn starting(system: &System, change: impl FnOnce(&mut Plan)) -> TestProbe {
    let (mut plan, journal) = plan();
    change(&mut plan);
    let address = system.spawn::<LifecycleActor>(Arc::new(plan)).detach().expect("there is a runtime");
    TestProbe { address, journal }
}

/// An actor that follows the usual plan but for this change, and has started.
pub(crate) async fn started(system: &System, change: impl FnOnce(&mut Plan)) -> TestProbe {
    let (mut plan, journal) = plan();
    change(&mut plan);
    TestProbe { address: system.spawn::<LifecycleActor>(Arc::new(plan)).await.expect("it starts"), journal }
}

pub(crate) fn cast(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}
