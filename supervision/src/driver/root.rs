//! The parent of a root: nobody restarts it, and when it ends the tree is closed.

use std::sync::Arc;

use perennial_actors::host::{End, Parent};
use perennial_actors::{ExitReason, StartError as NotStarted, System};
use tokio::sync::watch;

use super::node::SupervisorNode;
use crate::error::StartError;
use crate::node::{Birth, Node};

/// Where a tree is in its life.
#[derive(Clone, Debug)]
enum Phase {
    Starting,
    Up,
    Over(ExitReason),
}

/// A tree that was started.
pub(crate) struct Root {
    pub(crate) node: SupervisorNode,
    phase: watch::Sender<Phase>,
}

impl Root {
    /// The reason of its end, when that has come.
    pub(crate) async fn over(&self) -> ExitReason {
        let mut phase = self.phase.subscribe();
        match phase.wait_for(|phase| matches!(phase, Phase::Over(_))).await.as_deref() {
            Ok(Phase::Over(reason)) => reason.clone(),
            // Not reached: the sender lives as long as this does.
            Ok(Phase::Starting | Phase::Up) | Err(_) => ExitReason::NoProcess,
        }
    }

    async fn up(&self) -> Result<(), ExitReason> {
        let mut phase = self.phase.subscribe();
        match phase.wait_for(|phase| !matches!(phase, Phase::Starting)).await.as_deref() {
            Ok(Phase::Up | Phase::Starting) => Ok(()),
            Ok(Phase::Over(reason)) => Err(reason.clone()),
            Err(_) => Err(ExitReason::NoProcess),
        }
    }
}

impl Parent for Root {
    fn started(&self, _: u64) {
        self.phase.send_replace(Phase::Up);
    }

    /// Everything is refused before anybody hears that it is over.
    fn ended(&self, _: u64, end: End) {
        self.node.close(&end.reason);
        self.phase.send_replace(Phase::Over(end.reason));
    }
}

/// Stops a tree whose start nobody waits for any more.
struct Cancel(Option<Arc<Root>>);

impl Drop for Cancel {
    fn drop(&mut self) {
        if let Some(root) = self.0.take() {
            let _ = root.node.handle().stop(ExitReason::shutdown());
        }
    }
}

/// Starts a tree and waits until all of it is up.
pub(crate) async fn start(node: SupervisorNode, system: &System) -> Result<Arc<Root>, StartError> {
    let checked = node.book().plan.check(node.id());
    checked.map_err(StartError::Spec)?;
    let label = node.id().clone();
    let root = Arc::new(Root { node, phase: watch::Sender::new(Phase::Starting) });
    let begun =
        match root.node.open(system, &label) {
            Ok(()) => root.node.start(Birth { parent: root.clone(), run: 0, link: None }).map(drop).map_err(
                |error| match error {
                    NotStarted::Failed(reason) => StartError::Failed(reason),
                    _ => StartError::NoRuntime,
                },
            ),
            Err(error) => Err(StartError::Open(error)),
        };
    if let Err(error) = begun {
        root.node.close(&ExitReason::NoProcess);
        return Err(error);
    }
    let mut cancel = Cancel(Some(root.clone()));
    let up = root.up().await;
    cancel.0 = None;
    up.map(|()| root).map_err(StartError::Failed)
}
