//! The parent of a root: nobody restarts it, and when it ends the tree is closed.

use std::sync::Arc;

use perennial_actors::host::{IncarnationExit, Label, Parent, ignore_panic, require_timers, wake_safely};
use perennial_actors::{ExitReason, NoTimers, SpawnError as NotStarted, System};
use tokio::runtime;
use tokio::sync::{oneshot, watch};

use super::host::LinkSender;
use super::node::SupervisorNode;
use crate::error::StartError;
use crate::link::RactorLink;
use crate::nesting;
use crate::node::{ChildNode, StartParams};

/// Where a tree is in its life.
#[derive(Clone, Debug)]
enum Phase {
    Starting,
    Started,
    /// It has ended, and was up before or not.
    Ended(ExitReason, bool),
}

/// A tree that was started.
pub(crate) struct Root {
    pub(crate) node: SupervisorNode,
    pub(crate) system: System,
    phase: watch::Sender<Phase>,
}

impl Root {
    /// The reason of its end, when that has come.
    pub(crate) async fn ended(&self) -> ExitReason {
        let mut phase = self.phase.subscribe();
        match wake_safely(phase.wait_for(|phase| matches!(phase, Phase::Ended(..)))).await.as_deref() {
            Ok(Phase::Ended(reason, _)) => reason.clone(),
            // Not reached: the sender lives as long as this does.
            Ok(Phase::Starting | Phase::Started) | Err(_) => ExitReason::NoProcess,
        }
    }

    /// Enters another phase, and wakes the tasks that wait for that.
    fn enter(&self, phase: Phase) {
        ignore_panic(|| drop(self.phase.send_replace(phase)));
    }

    async fn started(&self) -> Result<(), ExitReason> {
        let mut phase = self.phase.subscribe();
        match wake_safely(phase.wait_for(|phase| !matches!(phase, Phase::Starting))).await.as_deref() {
            // One that was up and has ended since has started: its end is told as the end of any
            // tree.
            Ok(Phase::Started | Phase::Starting | Phase::Ended(_, true)) => Ok(()),
            Ok(Phase::Ended(reason, false)) => Err(reason.clone()),
            Err(_) => Err(ExitReason::NoProcess),
        }
    }
}

impl Parent for Root {
    fn started(&self, _: u64) {
        self.enter(Phase::Started);
    }

    /// Everything is refused before anybody hears that it is over.
    fn ended(&self, _: u64, end: IncarnationExit) {
        nesting::close(&self.node, &end.reason);
        self.enter(Phase::Ended(end.reason, end.started));
    }
}

/// A tree that is about to be up. It is stopped if nobody waits for that any more.
struct Starting {
    root: Arc<Root>,
    wanted: bool,
}

impl Starting {
    /// Begins to start a tree.
    fn begin(
        node: SupervisorNode,
        system: &System,
        link_sender: Option<LinkSender>,
    ) -> Result<Self, StartError> {
        let checked = node.state().plan.check(node.id());
        checked.map_err(StartError::Spec)?;
        if runtime::Handle::try_current().is_ok() {
            require_timers().map_err(|NoTimers| StartError::NoTimers)?;
        }
        let label = Label::root(node.id().clone());
        let root =
            Arc::new(Root { node, system: system.clone(), phase: watch::Sender::new(Phase::Starting) });
        let params = StartParams { parent: root.clone(), run: 0, link: None };
        let begun = match nesting::open(&root.node, system, &label) {
            Ok(()) => root.node.begin(params, link_sender).map_err(|error| match error {
                NotStarted::Failed(reason) => StartError::Failed(reason),
                _ => StartError::NoRuntime,
            }),
            Err(error) => Err(StartError::Open(error)),
        };
        if let Err(error) = begun {
            nesting::close(&root.node, &ExitReason::NoProcess);
            return Err(error);
        }
        Ok(Self { root, wanted: false })
    }

    /// The tree, which goes on by itself.
    fn finish(mut self) -> Arc<Root> {
        self.wanted = true;
        self.root.clone()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.wanted {
            // If it has ended, there is nobody to tell.
            let _ = self.root.node.handle().stop(ExitReason::shutdown());
        }
    }
}

/// Starts a tree and waits until all of it is up.
pub(crate) async fn start(node: SupervisorNode, system: &System) -> Result<Arc<Root>, StartError> {
    let starting = Starting::begin(node, system, None)?;
    starting.root.started().await.map_err(StartError::Failed)?;
    Ok(starting.finish())
}

/// The same, and ties it to something that it is to end with; if that cannot be done any more, it is stopped again.
pub(crate) async fn start_tied(
    node: SupervisorNode,
    system: &System,
    tie: impl FnOnce(RactorLink) -> bool,
) -> Result<Arc<Root>, StartError> {
    let (link_sender, link) = oneshot::channel();
    let starting = Starting::begin(node, system, Some(link_sender))?;
    starting.root.started().await.map_err(StartError::Failed)?;
    if link.await.is_ok_and(tie) {
        return Ok(starting.finish());
    }
    let root = starting.root.clone();
    drop(starting);
    Err(StartError::Failed(root.ended().await))
}
