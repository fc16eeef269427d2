//! A supervisor whose children are known beforehand, and what it does when one of them ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;

use super::app::App;
use super::handle::SupervisorHandle;
use crate::driver::{SupervisorNode, start};
use crate::error::StartError;
use crate::policy::{
    AutoShutdown, Backoff, ChildKind, ChildPolicy, Intensity, Restart, RestartLimit, Shutdown, Strategy,
    SupervisorKind,
};
use crate::spec::{ChildSpec, IntoChildren, SpecError, SupervisorSpec};

/// The spec of a supervisor, which may be the root of a tree or a child of another.
///
/// Unless set otherwise it restarts one for one, gives up at the second restart within 5 seconds, does not shut down by itself,
/// and is permanent as a child. As a child it is always given as long as it takes to stop: it has children of its own to wait
/// for.
#[must_use = "a supervisor does nothing until it is started"]
pub struct Supervisor {
    node: SupervisorNode,
    plan: SupervisorSpec,
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    as_child: ChildPolicy,
}

impl Supervisor {
    /// A supervisor without children.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            node: SupervisorNode::new(id.into()),
            plan: SupervisorSpec::ordered(),
            strategy: Strategy::default(),
            auto_shutdown: AutoShutdown::default(),
            as_child: supervisor_policy(),
        }
    }

    /// Sets who is restarted with a child that is.
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Sets how many restarts within how long it takes before it gives up.
    pub const fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.plan.intensity = RestartLimit::Fixed(Intensity { restarts, period });
        self
    }

    /// Lets the number of restarts that are tolerated grow with the number of children.
    pub(super) const fn intensity_per_children(mut self) -> Self {
        self.plan.intensity = RestartLimit::PerChildren;
        self
    }

    /// Sets whether it ends with its significant children.
    pub const fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// Adds a child, which is started after those before it and stopped before them.
    pub fn child(mut self, child: impl Into<ChildSpec>) -> Self {
        self.plan.children.push(child.into());
        self
    }

    /// Adds children in order: an array or an iterator of one type, or a tuple of any. Actors, tasks,
    /// pools, ractor actors and supervisors may stand in one tuple.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::System;
    /// use perennial_supervision::{Child, DynamicSupervisor, Supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = Child::task("clock", |_| std::future::pending());
    /// let sessions = DynamicSupervisor::new("sessions");
    /// let storage = Supervisor::new("storage");
    /// let workers = (0..4).map(|n| Child::task(format!("worker {n}"), |_| std::future::pending()));
    /// let tree = Supervisor::new("app").children((clock, sessions, storage)).children(workers);
    /// let app = tree.start(&System::new()).await?;
    /// assert_eq!(app.tree().children.len(), 7);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn children<L>(mut self, children: impl IntoChildren<L>) -> Self {
        children.add_to(&mut self.plan.children);
        self
    }

    /// Sets which of its own ends call for a restart, when it is a child. It ends with a clean reason when it gives up: a
    /// transient supervisor then stays down, as in OTP.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.as_child.restart = restart;
        self
    }

    /// Makes its own end count for that of the supervisor above: see [`AutoShutdown`]. Not if it is permanent.
    pub const fn significant(mut self) -> Self {
        self.as_child.significant = true;
        self
    }

    /// Makes it wait before it is restarted, longer each time.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.as_child.backoff = Some(Arc::new(backoff));
        self
    }

    /// Sets how long a child that was killed may take to die before its mailbox is taken away from it; 5 seconds
    /// unless set. Code that never awaits cannot be killed; OTP has no such thing.
    pub const fn abandon_after(mut self, patience: Duration) -> Self {
        self.plan.kill_grace = patience;
        self
    }

    /// Whether it could be started. Starting it checks the same, first. OTP's `check_childspecs`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, here or below.
    pub fn check(&self) -> Result<(), SpecError> {
        self.plan.check_as(self.kind(), self.node.id())
    }

    /// The means to look at it and to manage its children, good from now on and through every restart.
    #[must_use]
    pub fn handle(&self) -> SupervisorHandle {
        SupervisorHandle::new(self.node.clone())
    }

    /// Starts the tree; ready when every child of it is up, in order. A tree that was up and has
    /// ended by then has started all the same: its end is told by [`App::join`].
    ///
    /// From the moment this is first polled, all addresses and names of the tree are good, whether or not their turn has
    /// come.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, what has started is stopped again.
    ///
    /// # Errors
    ///
    /// A wrong spec, a name that is taken, or a child that does not start, with the reason of that
    /// child. Then nothing of the tree runs.
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system).await?, handle))
    }

    /// What it is when it is to be a root, and the means to manage it.
    pub(crate) fn into_root(self) -> (SupervisorNode, SupervisorHandle) {
        let handle = self.handle();
        (self.into_parts().0, handle)
    }

    const fn kind(&self) -> SupervisorKind {
        SupervisorKind::Static { strategy: self.strategy, auto_shutdown: self.auto_shutdown }
    }

    /// What it is to do, on its own.
    pub(super) fn into_plan(self) -> SupervisorSpec {
        SupervisorSpec { kind: self.kind(), ..self.plan }
    }

    fn into_parts(self) -> (SupervisorNode, ChildPolicy) {
        let (node, as_child) = (self.node.clone(), self.as_child.clone());
        node.set_spec(self.into_plan());
        (node, as_child)
    }
}

/// How a supervisor is treated as a child, unless set otherwise.
pub(super) fn supervisor_policy() -> ChildPolicy {
    ChildPolicy { kind: ChildKind::Supervisor, shutdown: Shutdown::Infinity, ..ChildPolicy::default() }
}

impl From<Supervisor> for ChildSpec {
    fn from(supervisor: Supervisor) -> Self {
        let error = supervisor.check().err();
        let (node, policy) = supervisor.into_parts();
        Self::of_supervisor(node.id().clone(), policy, node, error)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("id", self.node.id())
            .field("strategy", &self.strategy)
            .field("children", &self.plan.children)
            .finish_non_exhaustive()
    }
}
