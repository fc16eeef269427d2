//! The builder of every supervisor: what does not depend on the kind of its children.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ExitReason, System};

use super::app::App;
use super::group::{ChildGroup, Static};
use super::handle::SupervisorHandle;
use crate::driver::{SupervisorNode, start};
use crate::error::StartError;
use crate::policy::{Backoff, ChildKind, ChildPolicy, Intensity, Restart, RestartLimit, Shutdown};
use crate::spec::{ChildSpec, SpecError, SupervisorSpec};

/// The spec of a supervisor. It is the root of a tree or a child of another supervisor.
///
/// `G` is the kind of its children. The three kinds have the names
/// [`Supervisor`](crate::Supervisor), [`DynamicSupervisor`](crate::DynamicSupervisor) and
/// [`PartitionSupervisor`](crate::PartitionSupervisor): create one with `new` of such a name.
///
/// As a child it is `Permanent` by default. Its shutdown timeout is always infinite, because it
/// waits for its own children.
#[must_use = "a supervisor does nothing until it is started"]
pub struct SupervisorBuilder<G = Static> {
    node: SupervisorNode,
    pub(super) spec: SupervisorSpec,
    child_policy: ChildPolicy,
    group: G,
}

impl<G: ChildGroup> SupervisorBuilder<G> {
    pub(super) fn with(id: Arc<str>, spec: SupervisorSpec, group: G) -> Self {
        let child_policy = ChildPolicy {
            kind: ChildKind::Supervisor,
            shutdown: Shutdown::Infinity,
            ..ChildPolicy::default()
        };
        Self { node: SupervisorNode::new(id), spec, child_policy, group }
    }

    /// Sets how many restarts within `period` are tolerated, of all children together. When one
    /// more is needed, the supervisor stops its children and ends.
    ///
    /// The default of a [`Supervisor`](crate::Supervisor) is 1 restart within 5 seconds. The
    /// default of the other supervisors [grows with the
    /// children](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
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

    /// Tolerates any number of restarts: systemd's manager, which never gives up because a service
    /// fails. This is [`Intensity::UNLIMITED`].
    ///
    /// # Danger
    ///
    /// The intensity is what turns a fault that no restart cures into one that a higher supervisor
    /// sees. Without it, a child that fails at once is restarted as fast as the machine can,
    /// forever, and only the reports and the restart counts show it. So give each child of such a
    /// supervisor a [backoff](crate::Child::backoff), a [start limit](crate::Child::start_limit),
    /// or both: the backoff bounds the load, and the limit ends the child as
    /// [failed](crate::ChildState::Failed).
    ///
    #[doc = supervision_example!(
        r#"let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
let clock = clock("clock").backoff(backoff).start_limit(5, Duration::from_secs(10));
let app = Supervisor::new("app").never_give_up().child(clock).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn never_give_up(self) -> Self {
        let Intensity { restarts, period } = Intensity::UNLIMITED;
        self.intensity(restarts, period)
    }

    /// Sets which of its own exits cause a restart when it is a child. This replaces a
    /// [condition](Self::restart_if).
    ///
    /// A supervisor that exceeds its intensity exits with a clean reason. A transient one is
    /// therefore not restarted then, as in OTP.
    ///
    #[doc = supervision_example!(
        r#"let inner = Supervisor::new("inner").restart(Restart::Transient).child(clock("clock"));
let app = Supervisor::new("app").child(inner).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.child_policy.set_restart(restart);
        self
    }

    /// Restarts it, when it is a child, if `condition` returns `true` for its own exit reason. See
    /// [`Child::restart_if`](crate::Child::restart_if).
    ///
    /// The reason is the end of the supervisor, never that of a child of it. A supervisor that
    /// exceeds its intensity exits with [`ExitReason::Shutdown`], and systemd's
    /// `Restart=on-failure` therefore does not restart it.
    ///
    #[doc = supervision_example!(
        r#"let inner = Supervisor::new("inner").restart_if(Restart::on_abnormal).child(clock("clock"));
let app = Supervisor::new("app").child(inner).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn restart_if(mut self, condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) -> Self {
        self.child_policy.set_condition(condition);
        self
    }

    /// Allows `burst` starts of it within `interval` when it is a child. If one more is needed, it
    /// ends as [failed](crate::ChildState::Failed), with its children, and its siblings go on. See
    /// [`Child::start_limit`](crate::Child::start_limit).
    ///
    /// Its own restarts then do not count for the intensity of its supervisor. Restarts of its
    /// children count for its own, as before.
    ///
    #[doc = supervision_example!(
        r#"let inner = Supervisor::new("inner").start_limit(5, Duration::from_secs(10));
let app = Supervisor::new("app").child(inner.child(clock("clock"))).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn start_limit(mut self, burst: u32, interval: Duration) -> Self {
        self.child_policy.set_start_limit(burst, interval);
        self
    }

    /// Tries its own first start again while it fails, after these delays, when it is a child. It
    /// fails if one of its children does not start: those that have started are stopped before the
    /// next attempt. See [`Child::retry_start`](crate::Child::retry_start).
    ///
    #[doc = supervision_example!(
        r#"let delays = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
let broken = Child::<Infallible>::task("broken", |_| async { Err("no disk".into()) });
let inner = Supervisor::new("inner").retry_start(delays).child(broken);
let app = Supervisor::new("app").child(inner).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn retry_start(mut self, delays: Backoff) -> Self {
        self.child_policy.set_retry_start(delays);
        self
    }

    /// Makes its own exit count for the automatic shutdown of its supervisor. See
    /// [`AutoShutdown`](crate::AutoShutdown). A permanent child cannot be significant.
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
        self.spec.check(self.node.id())
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
    pub fn handle(&self) -> SupervisorHandle<G> {
        SupervisorHandle::new(self.node.clone(), self.group.clone())
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
    /// An invalid spec, a name that is taken, no tokio runtime with timers, or a child that did not
    /// start, with its reason. Then no part of the tree runs.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").child(clock("clock"));
let app = tree.start(&System::new()).await?;
assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle<G>>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system).await?, handle))
    }

    /// Returns the node for a tree with this root, and its handle.
    pub(crate) fn into_root(self) -> (SupervisorNode, SupervisorHandle<G>) {
        self.node.set_spec(self.spec);
        (self.node.clone(), SupervisorHandle::new(self.node, self.group))
    }
}

impl<G: ChildGroup> From<SupervisorBuilder<G>> for ChildSpec {
    fn from(supervisor: SupervisorBuilder<G>) -> Self {
        let error = supervisor.check().err();
        let SupervisorBuilder { node, spec, child_policy, .. } = supervisor;
        node.set_spec(spec);
        Self::of_supervisor(node.id().clone(), child_policy, node, error)
    }
}

impl<G: fmt::Debug> fmt::Debug for SupervisorBuilder<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorBuilder")
            .field("id", self.node.id())
            .field("group", &self.group)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
