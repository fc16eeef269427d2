//! A ractor actor that does in its callbacks what a test asks of it, and writes down what happens to it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{Address, ExitReason, Reply, System};
use perennial_supervision::{App, Child, ShutdownReport, Supervisor, SupervisorHandle};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc;

/// What is done in a callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
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
    Do(Deed),
    /// Does so, in a message of its own that goes by its ractor reference; then notes the number.
    DoLater(Deed, u32),
    Note(u32),
    /// What was noted, by this incarnation.
    Notes(Reply<Vec<u32>>),
    Cell(Reply<ActorCell>),
    /// Spawns an actor below it; its cell.
    Spawn(Reply<ActorCell>),
    /// Sends itself the same again and again.
    Spin,
    /// Blocks its thread, once it has said so, until the channel says something.
    Block(std::sync::mpsc::Receiver<()>),
}

/// What an incarnation of a puppet does without being asked, and where it writes down what happens.
#[derive(Clone)]
pub(crate) struct Strings {
    pub(crate) pre_start: Deed,
    pub(crate) post_start: Deed,
    pub(crate) post_stop: Deed,
    pub(crate) drop: Deed,
    /// It takes a second to stop.
    pub(crate) lingers: bool,
    /// From which incarnation on.
    pub(crate) from: u32,
    journal: mpsc::UnboundedSender<String>,
    born: Arc<AtomicU32>,
}

/// What happened.
pub(crate) struct Journal(mpsc::UnboundedReceiver<String>);

impl Journal {
    pub(crate) async fn next(&mut self) -> String {
        self.0.recv().await.expect("somebody may still say something")
    }

    /// What was written down since.
    pub(crate) fn since(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

impl Strings {
    pub(crate) fn note(&self, line: impl Into<String>) {
        // The test may have seen enough.
        let _ = self.journal.send(line.into());
    }
}

/// A puppet with nothing unusual about it but this.
pub(crate) fn puppet(id: &'static str, change: impl FnOnce(&mut Strings)) -> (Child<Msg>, Journal) {
    let (journal, lines) = mpsc::unbounded_channel();
    let mut strings = Strings {
        pre_start: Deed::Nothing,
        post_start: Deed::Nothing,
        post_stop: Deed::Nothing,
        drop: Deed::Nothing,
        lingers: false,
        from: 1,
        journal,
        born: Arc::default(),
    };
    change(&mut strings);
    let child = Child::ractor(id, move || {
        let mut strings = strings.clone();
        if strings.born.fetch_add(1, Ordering::Relaxed) + 1 < strings.from {
            (strings.pre_start, strings.post_start) = (Deed::Nothing, Deed::Nothing);
            (strings.post_stop, strings.drop) = (Deed::Nothing, Deed::Nothing);
        }
        (Puppet(strings.clone()), strings)
    });
    (child, Journal(lines))
}

/// One that does nothing but what it is told.
pub(crate) fn plain(id: &'static str) -> Child<Msg> {
    puppet(id, |_| ()).0
}

pub(crate) struct Puppet(Strings);

pub(crate) struct State {
    strings: Strings,
    notes: Vec<u32>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.strings.note("dropped");
        assert_ne!(self.strings.drop, Deed::Panic, "as it goes");
    }
}

async fn act(deed: Deed, myself: &ActorRef<Msg>) -> Result<(), ActorProcessingErr> {
    match deed {
        Deed::Nothing => {}
        Deed::Fail => return Err(io::Error::other("disk full").into()),
        Deed::Panic => panic!("a bug"),
        Deed::Hang => pending().await,
        Deed::Stop(text) => myself.stop(text.map(str::to_owned)),
        Deed::Kill => {
            myself.kill();
            pending().await
        }
        Deed::Drain => myself.drain()?,
        Deed::StopChildren => myself.stop_children(None),
    }
    Ok(())
}

impl Actor for Puppet {
    type Msg = Msg;
    type State = State;
    type Arguments = Strings;

    async fn pre_start(&self, myself: ActorRef<Msg>, strings: Strings) -> Result<State, ActorProcessingErr> {
        strings.note("pre_start");
        act(strings.pre_start, &myself).await?;
        Ok(State { strings, notes: Vec::new() })
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
            Msg::Do(deed) => act(deed, &myself).await?,
            Msg::DoLater(deed, number) => {
                myself.cast(Msg::Do(deed))?;
                state.notes.push(number);
            }
            Msg::Note(number) => state.notes.push(number),
            Msg::Notes(reply) => reply.send(state.notes.clone()),
            Msg::Cell(reply) => reply.send(myself.get_cell()),
            Msg::Spawn(reply) => {
                let (below, _) = Below::spawn_linked(None, Below, self.0.clone(), myself.get_cell()).await?;
                reply.send(below.get_cell());
            }
            Msg::Spin => myself.cast(Msg::Spin)?,
            Msg::Block(until) => {
                state.strings.note("blocks");
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
        state.strings.note(match event {
            SupervisionEvent::ActorStarted(_) => "below: started",
            SupervisionEvent::ActorTerminated(..) => "below: terminated",
            _ => "below: something else",
        });
        Ok(())
    }

    async fn post_stop(&self, myself: ActorRef<Msg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.strings.note("post_stop");
        if self.0.lingers {
            // Of paused time, as every test has it that lets a puppet linger.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        act(self.0.post_stop, &myself).await
    }
}

/// Somebody below a puppet.
struct Below;

struct BelowState(Strings);

impl Drop for BelowState {
    fn drop(&mut self) {
        self.0.note("below: dropped");
    }
}

impl Actor for Below {
    /// Blocks its thread until the channel says something.
    type Msg = std::sync::mpsc::Receiver<()>;
    type State = BelowState;
    type Arguments = Strings;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        strings: Strings,
    ) -> Result<BelowState, ActorProcessingErr> {
        Ok(BelowState(strings))
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        until: Self::Msg,
        state: &mut BelowState,
    ) -> Result<(), ActorProcessingErr> {
        state.0.note("below: blocks");
        let _ = until.recv();
        Ok(())
    }
}

pub(crate) async fn start(supervisor: Supervisor) -> App<SupervisorHandle> {
    supervisor.start(&System::new()).await.expect("it starts")
}

/// What a puppet has noted in this incarnation.
pub(crate) async fn notes(address: &Address<Msg>) -> Vec<u32> {
    address.call(Msg::Notes).await.expect("it answers")
}

pub(crate) fn cast(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}

/// Who did not stop in time, and whether it was abandoned.
pub(crate) fn late(report: &ShutdownReport) -> Vec<(&str, bool)> {
    report.unstopped.iter().map(|straggler| (&*straggler.path, straggler.abandoned)).collect()
}

/// The error behind a reason, if it is what a puppet fails with.
pub(crate) fn disk_full(reason: &ExitReason) -> bool {
    let error = reason.error().and_then(|error| error.downcast_ref::<io::Error>());
    error.is_some_and(|error| error.to_string() == "disk full")
}
