//! A ractor actor that follows a script in its callbacks and records what happens to it.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{Address, ExitReason, Reply, System};
use perennial_supervision::{App, Child, ShutdownReport, Supervisor, SupervisorHandle};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc;

/// A step of a callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Nothing,
    Fail,
    Panic,
    /// Waits for ever.
    Hang,
    Stop(Option<&'static str>),
    Kill,
    Drain,
    /// Stops all that is linked to it.
    StopChildren,
}

pub(crate) enum Msg {
    Do(Step),
    /// Does so, in a message of its own that goes by its ractor reference; then notes the number.
    DoInOwnMessage(Step, u32),
    Note(u32),
    /// Replies with the numbers that this incarnation has noted.
    Notes(Reply<Vec<u32>>),
    Cell(Reply<ActorCell>),
    /// Spawns an actor below it; its cell.
    Spawn(Reply<ActorCell>),
    /// Sends itself the same again and again.
    Spin,
    /// Blocks its thread, once it has said so, until the channel says something.
    Block(std::sync::mpsc::Receiver<()>),
}

/// The script of an incarnation, and the probe to which it reports.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) pre_start: Step,
    pub(crate) post_start: Step,
    pub(crate) post_stop: Step,
    pub(crate) drop: Step,
    /// It takes a second to stop.
    pub(crate) stops_slowly: bool,
    /// From which incarnation on.
    pub(crate) first_incarnation: u32,
    probe: mpsc::UnboundedSender<String>,
    incarnations: Arc<AtomicU32>,
}

/// The receiver of the lines that a scripted actor reports.
pub(crate) struct TestProbe(mpsc::UnboundedReceiver<String>);

impl TestProbe {
    pub(crate) async fn next(&mut self) -> String {
        self.0.recv().await.expect("a sender is left")
    }

    /// Returns the lines since the last call.
    pub(crate) fn since(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

impl Script {
    pub(crate) fn note(&self, line: impl Into<String>) {
        // The test may have seen enough.
        let _ = self.probe.send(line.into());
    }
}

/// A scripted with nothing unusual about it but this.
pub(crate) fn scripted(id: &'static str, change: impl FnOnce(&mut Script)) -> (Child<Msg>, TestProbe) {
    let (probe, lines) = mpsc::unbounded_channel();
    let mut script = Script {
        pre_start: Step::Nothing,
        post_start: Step::Nothing,
        post_stop: Step::Nothing,
        drop: Step::Nothing,
        stops_slowly: false,
        first_incarnation: 1,
        probe,
        incarnations: Arc::default(),
    };
    change(&mut script);
    let child = Child::ractor(id, move || {
        let mut script = script.clone();
        if script.incarnations.fetch_add(1, Ordering::Relaxed) + 1 < script.first_incarnation {
            (script.pre_start, script.post_start) = (Step::Nothing, Step::Nothing);
            (script.post_stop, script.drop) = (Step::Nothing, Step::Nothing);
        }
        (ScriptedActor(script.clone()), script)
    });
    (child, TestProbe(lines))
}

/// A scripted actor that only reacts to messages.
pub(crate) fn plain(id: &'static str) -> Child<Msg> {
    scripted(id, |_| ()).0
}

pub(crate) struct ScriptedActor(Script);

pub(crate) struct State {
    script: Script,
    notes: Vec<u32>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.script.note("dropped");
        assert_ne!(self.script.drop, Step::Panic, "as it goes");
    }
}

async fn act(step: Step, myself: &ActorRef<Msg>) -> Result<(), ActorProcessingErr> {
    match step {
        Step::Nothing => {}
        Step::Fail => return Err(io::Error::other("disk full").into()),
        Step::Panic => panic!("a bug"),
        Step::Hang => pending().await,
        Step::Stop(text) => myself.stop(text.map(str::to_owned)),
        Step::Kill => {
            myself.kill();
            pending().await
        }
        Step::Drain => myself.drain()?,
        Step::StopChildren => myself.stop_children(None),
    }
    Ok(())
}

impl Actor for ScriptedActor {
    type Msg = Msg;
    type State = State;
    type Arguments = Script;

    async fn pre_start(&self, myself: ActorRef<Msg>, script: Script) -> Result<State, ActorProcessingErr> {
        script.note("pre_start");
        act(script.pre_start, &myself).await?;
        Ok(State { script, notes: Vec::new() })
    }

    async fn post_start(&self, myself: ActorRef<Msg>, _: &mut State) -> Result<(), ActorProcessingErr> {
        act(self.0.post_start, &myself).await
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        msg: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Do(step) => act(step, &myself).await?,
            Msg::DoInOwnMessage(step, number) => {
                myself.cast(Msg::Do(step))?;
                state.notes.push(number);
            }
            Msg::Note(number) => state.notes.push(number),
            Msg::Notes(reply) => reply.send(state.notes.clone()),
            Msg::Cell(reply) => reply.send(myself.get_cell()),
            Msg::Spawn(reply) => {
                let (below, _) =
                    Descendant::spawn_linked(None, Descendant, self.0.clone(), myself.get_cell()).await?;
                reply.send(below.get_cell());
            }
            Msg::Spin => myself.cast(Msg::Spin)?,
            Msg::Block(until) => {
                state.script.note("blocks");
                let _ = until.recv();
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.script.note(match event {
            SupervisionEvent::ActorStarted(_) => "below: started",
            SupervisionEvent::ActorTerminated(..) => "below: terminated",
            _ => "below: something else",
        });
        Ok(())
    }

    async fn post_stop(&self, myself: ActorRef<Msg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.script.note("post_stop");
        if self.0.stops_slowly {
            // Of paused time, as every test has it that lets a scripted actor linger.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        act(self.0.post_stop, &myself).await
    }
}

/// An actor below a scripted actor.
struct Descendant;

struct DescendantState(Script);

impl Drop for DescendantState {
    fn drop(&mut self) {
        self.0.note("below: dropped");
    }
}

impl Actor for Descendant {
    /// Blocks its thread until the channel says something.
    type Msg = std::sync::mpsc::Receiver<()>;
    type State = DescendantState;
    type Arguments = Script;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        script: Script,
    ) -> Result<DescendantState, ActorProcessingErr> {
        Ok(DescendantState(script))
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        until: Self::Msg,
        state: &mut DescendantState,
    ) -> Result<(), ActorProcessingErr> {
        state.0.note("below: blocks");
        let _ = until.recv();
        Ok(())
    }
}

pub(crate) async fn start(supervisor: Supervisor) -> App<SupervisorHandle> {
    supervisor.start(&System::new()).await.expect("it starts")
}

/// Returns the numbers that the current incarnation has noted.
pub(crate) async fn notes(address: &Address<Msg>) -> Vec<u32> {
    address.call(Msg::Notes).await.expect("it answers")
}

pub(crate) fn cast(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}

/// Returns the children that did not stop in time, and whether each was abandoned.
pub(crate) fn late(report: &ShutdownReport) -> Vec<(&str, bool)> {
    report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect()
}

/// The error behind a reason, if it is what a scripted actor fails with.
pub(crate) fn disk_full(reason: &ExitReason) -> bool {
    let error = reason.error().and_then(|error| error.downcast_ref::<io::Error>());
    error.is_some_and(|error| error.to_string() == "disk full")
}
