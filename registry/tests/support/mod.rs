//! A scripted actor, which runs the steps of its test, and one whose incarnations the test starts.

use std::sync::Arc;

use perennial_actors::host::{Identity, IncarnationExit, Parent};
use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Pid, System};
use tokio::sync::mpsc;

/// A step that a scripted actor runs.
pub(crate) type Step = Box<dyn FnOnce(&mut ScriptedActor, &mut Context<ScriptedActor>) + Send>;

/// The code that each incarnation runs in its `init`.
pub(crate) type Init = Box<dyn Fn(&mut Context<ScriptedActor>) + Send + Sync>;

pub(crate) enum Msg {
    Do(Step),
    Number(u32),
    Crash,
}

impl From<u32> for Msg {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

/// An actor that runs steps and records the numbers that it receives.
pub(crate) struct ScriptedActor {
    pub(crate) received: Vec<u32>,
}

impl Actor for ScriptedActor {
    type Msg = Msg;
    type Args = Init;

    async fn init(init: &Init, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        init(ctx);
        Ok(Self { received: Vec::new() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Do(step) => step(self, ctx),
            Msg::Number(number) => self.received.push(number),
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
        }
        Ok(())
    }
}

/// Spawns a scripted actor.
pub(crate) async fn scripted_actor(system: &System) -> Address<Msg> {
    scripted_actor_with(system, MailboxConfig::default()).await
}

pub(crate) async fn scripted_actor_with(system: &System, mailbox: MailboxConfig) -> Address<Msg> {
    let init: Init = Box::new(|_| ());
    system.spawn::<ScriptedActor>(init).mailbox(mailbox).await.expect("the actor starts")
}

/// Runs a step in the actor and returns its result.
pub(crate) async fn run_step<T: Send + 'static>(
    actor: &Address<Msg>,
    act: impl FnOnce(&mut Context<ScriptedActor>) -> T + Send + 'static,
) -> T {
    let done = actor.call(|reply| Msg::Do(Box::new(move |_, ctx| reply.send(act(ctx)))));
    done.await.expect("the step runs")
}

/// Returns the numbers that the actor has received.
pub(crate) async fn received(actor: &Address<Msg>) -> Vec<u32> {
    let received = actor.call(|reply| Msg::Do(Box::new(move |actor, _| reply.send(actor.received.clone()))));
    received.await.expect("the step runs")
}

pub(crate) fn pid(actor: &Address<Msg>) -> Pid {
    actor.pid().expect("an incarnation runs")
}

/// Kills the actor and waits until it has ended.
pub(crate) async fn kill(actor: &Address<Msg>) {
    let down = actor.monitor();
    actor.kill().expect("an incarnation runs");
    down.await;
}

/// A scripted actor whose incarnations the test starts.
pub(crate) struct ManagedActor {
    pub(crate) identity: Arc<Identity<Msg>>,
    pub(crate) address: Address<Msg>,
    init: Arc<Init>,
    parent: Arc<Recorder>,
    events: mpsc::UnboundedReceiver<(u64, bool)>,
    run: u64,
}

pub(crate) struct Recorder(mpsc::UnboundedSender<(u64, bool)>);

impl Parent for Recorder {
    fn started(&self, run: u64) {
        // The test may have dropped the receiver.
        let _ = self.0.send((run, true));
    }

    fn ended(&self, run: u64, _: IncarnationExit) {
        let _ = self.0.send((run, false));
    }
}

impl ManagedActor {
    /// Starts the first incarnation. Each incarnation runs `init`.
    pub(crate) async fn start(
        system: &System,
        init: impl Fn(&mut Context<ScriptedActor>) + Send + Sync + 'static,
    ) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let identity = Arc::new(Identity::new(MailboxConfig::default()));
        identity.open(system, || "scripted actor".into());
        let (address, init): (_, Init) = (identity.address(), Box::new(init));
        let (init, parent) = (Arc::new(init), Arc::new(Recorder(sender)));
        let mut managed = Self { identity, address, init, parent, events, run: 0 };
        managed.start_next().await;
        managed
    }

    pub(crate) async fn start_next(&mut self) {
        self.run += 1;
        let started = self.identity.start::<ScriptedActor>(self.init.clone(), self.parent.clone(), self.run);
        started.expect("the mailbox is open");
        assert_eq!(self.events.recv().await, Some((self.run, true)));
    }

    /// Crashes the incarnation and waits for its end. The actor is pending afterwards.
    pub(crate) async fn crash(&mut self) {
        self.address.cast(Msg::Crash).expect("the mailbox is open");
        assert_eq!(self.events.recv().await, Some((self.run, false)));
    }

    pub(crate) async fn restart(&mut self) {
        self.crash().await;
        self.start_next().await;
    }
}
