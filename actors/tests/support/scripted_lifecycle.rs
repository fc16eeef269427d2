//! An actor whose init, handler, terminate and drop fail, panic, hang or stop by plan, and that
//! records what it does.

use std::future::{Future, pending};
use std::sync::Arc;

use perennial_actors::{Actor, Address, Context, ExitReason, System};
use tokio::sync::mpsc;

/// A step of an init, a handler or a terminate.
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
    /// Records that it hangs, and never returns.
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

/// Follows its plan and records what it does.
pub(crate) struct LifecycleActor(Arc<Plan>);

impl Plan {
    fn write(&self, line: impl Into<String>) {
        // The test may have dropped the receiver.
        let _ = self.journal.send(line.into());
    }

    async fn carry_out(
        &self,
        step: Step,
        place: &str,
        ctx: &mut Context<LifecycleActor>,
    ) -> Result<(), ExitReason> {
        match step {
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
            Msg::Do(step) => self.0.carry_out(step, "handle", ctx).await?,
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

/// A test's access to an actor.
pub(crate) struct TestProbe {
    pub(crate) address: Address<Msg>,
    journal: mpsc::UnboundedReceiver<String>,
}

impl TestProbe {
    /// Ends the actor by `end`. Returns the reason and the recorded lines.
    pub(crate) async fn after(mut self, end: impl FnOnce(&Address<Msg>)) -> (String, Vec<String>) {
        let down = self.address.monitor();
        end(&self.address);
        let reason = down.await.reason.to_string();
        (reason, self.lines())
    }

    fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.journal.try_recv().ok()).collect()
    }

    /// Waits for the next line, which must be `line`.
    pub(crate) async fn until(&mut self, line: &str) {
        assert_eq!(self.journal.recv().await.as_deref(), Some(line));
    }
}

/// Returns the default plan, and the journal of the actor that follows it.
pub(crate) fn plan() -> (Plan, mpsc::UnboundedReceiver<String>) {
    let (journal, lines) = mpsc::unbounded_channel();
    (Plan { init: Step::Nothing, terminate: Step::Nothing, drop: Step::Nothing, journal }, lines)
}

/// Spawns an actor with the default plan and this change. It may not have started yet.
pub(crate) fn starting(system: &System, change: impl FnOnce(&mut Plan)) -> TestProbe {
    let (mut plan, journal) = plan();
    change(&mut plan);
    let address = system.spawn::<LifecycleActor>(Arc::new(plan)).detach().expect("there is a runtime");
    TestProbe { address, journal }
}

/// Starts an actor with the default plan and this change.
pub(crate) async fn started(system: &System, change: impl FnOnce(&mut Plan)) -> TestProbe {
    let (mut plan, journal) = plan();
    change(&mut plan);
    TestProbe { address: system.spawn::<LifecycleActor>(Arc::new(plan)).await.expect("it starts"), journal }
}

pub(crate) fn cast(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}
