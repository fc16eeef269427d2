//! The parent of a root: nobody restarts it, and when it ends the tree is closed.

use std::sync::{Arc, OnceLock};

use perennial_actors::host::{IncarnationExit, Label, Parent, ignore_panic, require_timers, wake_safely};
use perennial_actors::{ExitReason, NoTimers, SpawnError as NotStarted, System};
use tokio::runtime;
use tokio::sync::watch;

use super::node::SupervisorNode;
use super::run::Tie;
use crate::dropped::Dropped;
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
    /// What the tree had dropped before it was told to stop.
    dropped_before: OnceLock<Dropped>,
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

    /// Tells the tree to stop for good.
    pub(crate) fn stop(&self) {
        self.dropped_before.get_or_init(|| self.node.drop_counters().total());
        self.node.drain(ExitReason::shutdown());
    }

    /// Returns what was dropped since it was [told to stop](Self::stop).
    pub(crate) fn dropped(&self) -> Dropped {
        let total = self.node.drop_counters().total();
        total.since(self.dropped_before.get().copied().unwrap_or(total))
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
        self.node.drop_counters().add_messages(nesting::close(&self.node, &end.reason));
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
    fn begin(node: SupervisorNode, system: &System, tie: Option<Tie>) -> Result<Self, StartError> {
        let checked = node.book().plan.check(node.id());
        checked.map_err(StartError::Spec)?;
        if runtime::Handle::try_current().is_ok() {
            require_timers().map_err(|NoTimers| StartError::NoTimers)?;
        }
        let label = Label::root(node.id().clone());
        let root = Arc::new(Root {
            node,
            system: system.clone(),
            phase: watch::Sender::new(Phase::Starting),
            dropped_before: OnceLock::new(),
        });
        let birth = StartParams { parent: root.clone(), run: 0, link: None };
        let begun = match nesting::open(&root.node, system, &label) {
            Ok(()) => root.node.begin(birth, tie).map_err(|error| match error {
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
    up(Starting::begin(node, system, None)?).await
}

/// The same, and ties it to something that it is to end with, the moment that all of it is up. If
/// that has ended (`false`), the tree is stopped again and has not started.
pub(crate) async fn start_tied(
    node: SupervisorNode,
    system: &System,
    tie: impl FnOnce(RactorLink) -> bool + Send + 'static,
) -> Result<Arc<Root>, StartError> {
    up(Starting::begin(node, system, Some(Box::new(tie)))?).await
}

async fn up(starting: Starting) -> Result<Arc<Root>, StartError> {
    starting.root.started().await.map_err(StartError::Failed)?;
    Ok(starting.finish())
}
