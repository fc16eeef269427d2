//! The check: reads a tree and asks its supervisors.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{LifecycleState, System};
use perennial_supervision::pool::PoolInfo;
use perennial_supervision::{App, Tree};

use super::decision::{Observation, Phase};
use super::gate::Gates;
use super::types::Health;
use crate::figures::TreeNode;

/// The time that supervisors have to answer unless another is set. It is the default timeout of
/// Kubernetes' probes, less the time for the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(750);

/// Checks the health of one tree, as often as it is asked.
///
/// # What matters
///
/// The tree is ready while each of these runs and its start is complete:
///
/// - permanent and transient children, and [significant](perennial_supervision::Child::significant)
///   ones. A transient child that has ended for good has done its work. A temporary child does not
///   matter, and neither does all below it.
/// - pools. A pool is ready while one of its workers is, or while it wants none.
/// - dynamic supervisors, but not their children.
///
/// An actor that [defers its start](perennial_actors::Context::defer_ready) is not up until it is
/// ready. A [`ReadinessGate`](super::ReadinessGate) is for all else. [`ignoring`](Self::ignoring)
/// names children that do not matter in spite of their restart type.
#[derive(Clone)]
pub struct HealthCheck {
    system: System,
    root: Root,
    ignored: BTreeSet<Arc<str>>,
    timeout: Duration,
}

/// The root of the tree that is checked.
#[derive(Clone)]
enum Root {
    /// The id, and the number of its identity.
    Known(Arc<str>, u64),
    /// The id.
    Named(Arc<str>),
}

impl Health {
    /// Checks a tree: see [`HealthCheck`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn of<H>(app: &App<H>) -> Self {
        HealthCheck::of(app).check().await
    }
}

impl HealthCheck {
    /// Returns the check of a tree.
    #[must_use]
    pub fn of<H>(app: &App<H>) -> Self {
        let tree = app.tree();
        Self::with(app.system(), Root::Known(tree.id.clone(), tree.handle.identity()))
    }

    /// Returns the check of the tree whose root has this id, for a child of that tree: it runs
    /// before there is an [`App`]. If there are several, it is that of the last one that started.
    #[must_use]
    pub fn of_tree(system: &System, id: impl Into<Arc<str>>) -> Self {
        Self::with(system, Root::Named(id.into()))
    }

    fn with(system: &System, root: Root) -> Self {
        Self { system: system.clone(), root, ignored: BTreeSet::new(), timeout: ANSWER_TIMEOUT }
    }

    /// Ignores the child with this path and all below it. The path begins with the id of the root:
    /// `app/cache`.
    #[must_use]
    pub fn ignoring(mut self, path: impl Into<Arc<str>>) -> Self {
        self.ignored.insert(path.into());
        self
    }

    /// Sets the time in which each supervisor has to answer. The default is 750 milliseconds.
    #[must_use]
    pub const fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Checks the tree now. Resolves when all of its supervisors have answered, or after the
    /// timeout.
    ///
    /// If all threads of the runtime are blocked, this does not resolve either: a probe gets no
    /// answer then, and a watchdog no message.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn check(&self) -> Health {
        let tree = self.tree();
        let unresponsive = match &tree {
            Some(tree) => tree.unresponsive_supervisors(self.timeout).await,
            None => Vec::new(),
        };
        // Read again: the answers may have taken a while.
        let tree = self.tree();
        let nodes = tree.iter().flat_map(Tree::levels).map(|(level, node)| TreeNode::of(level, node));
        let pools = PoolInfo::all(&self.system).into_iter();
        let observation = Observation {
            tree: self.id().clone(),
            phase: self.phase(tree.as_ref()),
            nodes: nodes.collect(),
            pools: pools.map(|pool| (pool.status.supervisor.identity(), pool.stats.workers)).collect(),
            unresponsive,
            closed_gates: Gates::of(&self.system).closed(),
            ignored: self.ignored.clone(),
        };
        observation.decide()
    }

    fn tree(&self) -> Option<Tree> {
        let is_it = |tree: &Tree| match &self.root {
            Root::Known(_, identity) => tree.handle.identity() == *identity,
            Root::Named(id) => tree.id == *id,
        };
        Tree::all(&self.system).into_iter().rfind(is_it)
    }

    fn phase(&self, tree: Option<&Tree>) -> Phase {
        match (tree.map(|tree| tree.handle.info().lifecycle), &self.root) {
            (Some(LifecycleState::Started(_)), _) => Phase::Started,
            (Some(LifecycleState::Ended(_) | LifecycleState::Closed(_)), _) => Phase::Ended,
            // A tree that has ended is gone with its `App`.
            (None, Root::Known(..)) => Phase::Ended,
            _ => Phase::Starting,
        }
    }

    const fn id(&self) -> &Arc<str> {
        match &self.root {
            Root::Known(id, _) | Root::Named(id) => id,
        }
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck")
            .field("tree", self.id())
            .field("ignored", &self.ignored)
            .field("answer_timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
