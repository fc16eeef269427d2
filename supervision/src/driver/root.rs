//! The parent of a root supervisor. It never restarts the root, and closes the tree when the root
//! exits.

use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::sync::{Mutex, OnceLock};
use perennial_actors::host::{IncarnationExit, Label, Parent, ignore_panic, require_timers, wake_safely};
use perennial_actors::{ExitReason, NoTimers, SpawnError, System};
use tokio::runtime;
use tokio::sync::watch;
use tokio::time::Instant;

use super::node::SupervisorNode;
use super::run::Tie;
use crate::dropped::Dropped;
use crate::error::StartError;
use crate::link::RactorLink;
use crate::nesting;
use crate::node::{ChildNode, StartParams};
use crate::tree::Tree;

/// The phase of a tree.
#[derive(Clone, Debug)]
enum Phase {
    Starting,
    Started,
    /// It has exited for this reason. The flag is set if it had started.
    Ended(ExitReason, bool),
}

/// A started tree.
pub(crate) struct Root {
    pub(crate) node: SupervisorNode,
    pub(crate) system: System,
    phase: watch::Sender<Phase>,
    /// The totals of the drop counters when the tree was told to stop.
    dropped_before: OnceLock<Dropped>,
    /// When a shutdown kills what has not stopped, once it has begun.
    deadline: OnceLock<Option<Instant>>,
}

impl Root {
    /// Waits for the exit of the tree and returns its reason.
    pub(crate) async fn ended(&self) -> ExitReason {
        let mut phase = self.phase.subscribe();
        match wake_safely(phase.wait_for(|phase| matches!(phase, Phase::Ended(..)))).await.as_deref() {
            Ok(Phase::Ended(reason, _)) => reason.clone(),
            // Unreachable: the sender lives as long as `self`.
            Ok(Phase::Starting | Phase::Started) | Err(_) => ExitReason::NoProcess,
        }
    }

    /// Shuts the tree down for good: children that are set to drain handle their queued messages.
    /// Returns when the first call, which may be this one, lets what has not stopped be killed.
    pub(crate) fn stop(&self, limit: Option<Duration>) -> Option<Instant> {
        // A limit that overflows never passes.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let deadline = *self.deadline.get_or_init(|| deadline);
        self.dropped_before.get_or_init(|| self.node.drop_counters().total());
        self.node.drain(ExitReason::shutdown());
        deadline
    }

    /// Returns a snapshot of the tree, with the time that is left to its shutdown.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = self.node.tree();
        if let Some(stop) = &mut tree.stop {
            let deadline = self.deadline.get().copied().flatten();
            stop.time_left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        }
        tree
    }

    /// Returns what was dropped since the tree was [told to stop](Self::stop).
    pub(crate) fn dropped(&self) -> Dropped {
        let total = self.node.drop_counters().total();
        total.since(self.dropped_before.get().copied().unwrap_or(total))
    }

    /// Sets the phase, and wakes the tasks that wait for it.
    fn enter(&self, phase: Phase) {
        ignore_panic(|| drop(self.phase.send_replace(phase)));
    }

    async fn started(&self) -> Result<(), ExitReason> {
        let mut phase = self.phase.subscribe();
        match wake_safely(phase.wait_for(|phase| !matches!(phase, Phase::Starting))).await.as_deref() {
            // A tree that started and has exited meanwhile counts as started: its exit is reported
            // like that of any tree.
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

    /// Closes all mailboxes before any waiter is notified of the exit.
    fn ended(&self, _: u64, end: IncarnationExit) {
        self.node.drop_counters().add_messages(nesting::close(&self.node, &end.reason));
        self.enter(Phase::Ended(end.reason, end.started));
    }
}

/// The roots of the trees of one system.
#[derive(Default)]
pub(super) struct Roots(Mutex<Vec<Weak<Root>>>);

impl Roots {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Adds a root, and removes those that are gone.
    fn add(&self, root: &Arc<Root>) {
        let mut roots = self.0.lock();
        roots.retain(|known| known.strong_count() > 0);
        roots.push(Arc::downgrade(root));
    }

    /// Returns the roots that are still referenced, in the order of their starts.
    pub(super) fn all(&self) -> Vec<Arc<Root>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

/// A tree that is starting. Dropping this shuts the tree down, unless it was
/// [finished](Self::finish).
struct Starting {
    root: Arc<Root>,
    keep: bool,
}

impl Starting {
    /// Begins the start of a tree.
    fn begin(node: SupervisorNode, system: &System, tie: Option<Tie>) -> Result<Self, StartError> {
        let checked = node.state().plan.check(node.id());
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
            deadline: OnceLock::new(),
        });
        Roots::of(system).add(&root);
        let params = StartParams { parent: root.clone(), run: 0, link: None };
        let begun = match nesting::open(&root.node, system, &label) {
            Ok(()) => root.node.begin(params, tie).map_err(|error| match error {
                SpawnError::Failed(reason) => StartError::Failed(reason),
                _ => StartError::NoRuntime,
            }),
            Err(error) => Err(StartError::Open(error)),
        };
        if let Err(error) = begun {
            nesting::close(&root.node, &ExitReason::NoProcess);
            return Err(error);
        }
        Ok(Self { root, keep: false })
    }

    /// Returns the tree, and keeps it running.
    fn finish(mut self) -> Arc<Root> {
        self.keep = true;
        self.root.clone()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.keep {
            // An error says that the tree has exited.
            let _ = self.root.node.handle().stop(ExitReason::shutdown());
        }
    }
}

/// Starts a tree. Resolves when all of it has started. Dropping the future shuts the tree down.
pub(crate) async fn start(node: SupervisorNode, system: &System) -> Result<Arc<Root>, StartError> {
    finish_start(Starting::begin(node, system, None)?).await
}

/// Starts a tree and passes its ractor actor to `tie`, which binds its lifetime to something else.
/// `tie` runs when all of the tree has started. If it returns `false`, the tree is shut down again
/// and counts as not started.
pub(crate) async fn start_tied(
    node: SupervisorNode,
    system: &System,
    tie: impl FnOnce(RactorLink) -> bool + Send + 'static,
) -> Result<Arc<Root>, StartError> {
    finish_start(Starting::begin(node, system, Some(Box::new(tie)))?).await
}

/// Resolves when all of the tree has started. Dropping the future shuts the tree down.
async fn finish_start(starting: Starting) -> Result<Arc<Root>, StartError> {
    starting.root.started().await.map_err(StartError::Failed)?;
    Ok(starting.finish())
}
