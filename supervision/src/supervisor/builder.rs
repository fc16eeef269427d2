//! A supervisor with a fixed list of children.

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

/// The spec of a supervisor. It is the root of a tree or a child of another supervisor.
///
/// Defaults: [`Strategy::OneForOne`], 1 restart within 5 seconds, no automatic shutdown, and
/// `Permanent` as a child. As a child it always has an infinite shutdown timeout, because it waits
/// for its own children.
#[must_use = "a supervisor does nothing until it is started"]
pub struct Supervisor {
    node: SupervisorNode,
    spec: SupervisorSpec,
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    child_policy: ChildPolicy,
}

impl Supervisor {
    /// Creates a supervisor without children.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").start(&System::new()).await?;
assert!(app.tree().children.is_empty());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            node: SupervisorNode::new(id.into()),
            spec: SupervisorSpec::ordered(),
            strategy: Strategy::default(),
            auto_shutdown: AutoShutdown::default(),
            child_policy: supervisor_policy(),
        }
    }

    /// Sets which siblings are restarted together with a child.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").strategy(Strategy::OneForAll);
let app = tree.child(clock("a")).child(clock("b")).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Sets how many restarts within `period` are tolerated. When one more is needed, the
    /// supervisor stops its children and ends.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").intensity(3, Duration::from_secs(10)).child(clock("clock"));
let app = tree.start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.spec.intensity = RestartLimit::Fixed(Intensity { restarts, period });
        self
    }

    /// Makes the number of tolerated restarts grow with the number of children.
    pub(super) const fn intensity_per_children(mut self) -> Self {
        self.spec.intensity = RestartLimit::PerChildren;
        self
    }

    /// Sets whether the supervisor ends when its significant children end.
    ///
    #[doc = supervision_example!(
        r#"let job = Child::task("job", |_| async { Ok(()) }).restart(Restart::Transient).significant();
let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(job);
let app = tree.start(&System::new()).await?;
assert!(matches!(app.join().await, ExitReason::Shutdown(_)));"#
    )]
    pub const fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// Adds a child. It starts after the children that were added before it, and stops before them.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("a")).child(clock("b")).start(&System::new()).await?;
assert!(app.tree().at(["b"]).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn child(mut self, child: impl Into<ChildSpec>) -> Self {
        self.spec.children.push(child.into());
        self
    }

    /// Adds children in order: an array or an iterator of one type, or a tuple of any types. One
    /// tuple may hold actors, tasks, pools, ractor actors and supervisors.
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
    /// let worker = |n| Child::task(format!("worker {n}"), |_| std::future::pending());
    /// let workers = (0..4).map(worker);
    /// let tree = Supervisor::new("app").children((clock, sessions, storage)).children(workers);
    /// let app = tree.start(&System::new()).await?;
    /// assert_eq!(app.tree().children.len(), 7);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn children<L>(mut self, children: impl IntoChildren<L>) -> Self {
        children.add_to(&mut self.spec.children);
        self
    }

    /// Sets which of its own exits cause a restart when it is a child.
    ///
    /// A supervisor that exceeds its intensity exits with a clean reason. A transient one is
    /// therefore not restarted then, as in OTP.
    ///
    #[doc = supervision_example!(
        r#"let inner = Supervisor::new("inner").restart(Restart::Transient).child(clock("clock"));
let app = Supervisor::new("app").child(inner).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.child_policy.restart = restart;
        self
    }

    /// Makes its own exit count for the automatic shutdown of its supervisor. See [`AutoShutdown`].
    /// A permanent child cannot be significant.
    ///
    #[doc = supervision_example!(
        r#"let inner = Supervisor::new("inner").restart(Restart::Transient).significant();
let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(inner);
assert!(tree.check().is_ok());"#
    )]
    pub const fn significant(mut self) -> Self {
        self.child_policy.significant = true;
        self
    }

    /// Sets the delay before its own restarts when it is a child. The delay grows with each
    /// restart.
    ///
    #[doc = supervision_example!(
        r#"let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
let inner = Supervisor::new("inner").backoff(backoff).child(clock("clock"));
let app = Supervisor::new("app").child(inner).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.child_policy.backoff = Some(Arc::new(backoff));
        self
    }

    /// Sets how long a killed child may take to end before it is abandoned: its mailbox is then
    /// taken away from it. The default is 5 seconds.
    ///
    /// Code that never awaits cannot be killed. OTP needs no such limit.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").abandon_after(Duration::from_secs(1)).child(clock("clock"));
let app = tree.start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn abandon_after(mut self, kill_grace: Duration) -> Self {
        self.spec.kill_grace = kill_grace;
        self
    }

    /// Checks the spec of this supervisor and of every child below it. [`start`](Self::start)
    /// checks the same first. OTP's `check_childspecs`.
    ///
    /// # Errors
    ///
    /// The first error found.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").child(clock("same")).child(clock("same"));
assert!(matches!(tree.check(), Err(SpecError::DuplicateId { .. })));"#
    )]
    pub fn check(&self) -> Result<(), SpecError> {
        self.spec.check_as(self.kind(), self.node.id())
    }

    /// Returns the handle that inspects the supervisor and manages its children. It is valid before
    /// the start and through every restart.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").child(clock("clock"));
let supervisor = tree.handle();
let app = tree.start(&System::new()).await?;
assert_eq!(supervisor.count_children().await?.active, 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn handle(&self) -> SupervisorHandle {
        SupervisorHandle::new(self.node.clone())
    }

    /// Starts the tree. Resolves once all children have started, in order. If the tree starts and
    /// ends at once, this still succeeds, and [`App::join`] returns the exit reason.
    ///
    /// All addresses and names of the tree are valid from the first poll on, also those of children
    /// that have not started yet.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it resolves, the part that has started is stopped again.
    ///
    /// # Errors
    ///
    /// An invalid spec, a name that is taken, or a child that did not start, with its reason. Then
    /// no part of the tree runs.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").child(clock("clock"));
let app = tree.start(&System::new()).await?;
assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system).await?, handle))
    }

    /// Returns the node for a tree with this root, and its handle.
    pub(crate) fn into_root(self) -> (SupervisorNode, SupervisorHandle) {
        let handle = self.handle();
        (self.into_parts().0, handle)
    }

    const fn kind(&self) -> SupervisorKind {
        SupervisorKind::Static { strategy: self.strategy, auto_shutdown: self.auto_shutdown }
    }

    /// Returns the spec without the node and the policy as a child.
    pub(super) fn into_spec(self) -> SupervisorSpec {
        SupervisorSpec { kind: self.kind(), ..self.spec }
    }

    fn into_parts(self) -> (SupervisorNode, ChildPolicy) {
        let (node, child_policy) = (self.node.clone(), self.child_policy.clone());
        node.set_spec(self.into_spec());
        (node, child_policy)
    }
}

/// Returns the default policy of a supervisor as a child.
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
            .field("children", &self.spec.children)
            .finish_non_exhaustive()
    }
}
