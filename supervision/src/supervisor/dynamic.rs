//! A supervisor of children that are started at run time: sessions, connections, jobs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;

use super::app::App;
use super::builder::supervisor_policy;
use super::dynamic_handle::DynamicHandle;
use crate::driver::{SupervisorNode, start};
use crate::error::StartError;
use crate::policy::{Backoff, ChildPolicy, Intensity, Restart, RestartLimit, SupervisorKind};
use crate::spec::{ChildSpec, SupervisorSpec};

/// The spec of a supervisor that has no children at first and gets them at run time: Elixir's
/// `DynamicSupervisor`, OTP's `simple_one_for_one`.
///
/// - Its children are independent. Each is restarted alone, by its own spec.
/// - Ids need not be unique.
/// - All children stop at once, each by its own shutdown policy.
/// - A child that ends and is not restarted is removed, and so is a child whose `init` returns
///   [`ExitReason::Ignore`](perennial_actors::ExitReason::Ignore).
/// - The cost per child does not depend on the number of children.
/// - After a restart of the supervisor, its children are not started again.
///
/// # Choosing restart types and intensity
///
/// | child | set | its end by itself | its crash |
/// |---|---|---|---|
/// | a session that may be begun anew | nothing: `Transient` | removed | restarted, counted |
/// | a session that owns a socket | [`Child::once`](crate::Child::once) | removed | removed |
/// | a job without a second attempt | `Temporary` | removed | removed |
/// | a service that never ends | `Permanent` | restarted, counted | restarted, counted |
/// | a supervisor or a pool | nothing: `Permanent` | restarted, counted | restarted, counted |
///
/// Within 5 seconds it tolerates 3 restarts, or one for every 10 children if that is more. One more
/// restart means that the fault is not limited to a few children: the supervisor stops them all and
/// ends, and its own supervisor decides.
///
/// | children | restarts within 5 s that are tolerated |
/// |---|---|
/// | 1 to 39 | 3 |
/// | 100 | 10 |
/// | 10,000 | 1,000 |
///
/// A few sessions that crash therefore do not affect other sessions. A fault that all sessions
/// have, such as a database that is down, escalates after a tenth of them has crashed. One child
/// that crashes repeatedly uses up the same number: give it a [`backoff`](crate::Child::backoff),
/// which spreads its restarts over time. A fault that causes fewer restarts in 5 seconds, because
/// every `init` takes a minute to fail, is retried without end, as in OTP.
/// [`intensity`](Self::intensity) sets a fixed number and period.
///
/// A [`Supervisor`](crate::Supervisor), whose children depend on each other, keeps OTP's defaults:
/// its children are permanent, and 1 restart within 5 seconds is tolerated. A
/// [`PartitionSupervisor`](crate::PartitionSupervisor) has permanent children and the intensity
/// above, for its maximum number of partitions.
///
/// # Examples
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_supervision::{Child, DynamicSupervisor};
///
/// struct Session(String);
///
/// impl Actor for Session {
///     type Msg = Reply<String>;
///     type Args = String;
///     async fn init(user: &String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Session(user.clone()))
///     }
///     async fn handle(
///         &mut self, reply: Reply<String>, _: &mut Context<Self>,
///     ) -> Result<(), ExitReason> {
///         Ok(reply.send(self.0.clone()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let app = DynamicSupervisor::new("sessions").max_children(1_000).start(&system).await?;
/// let sessions = app
///     .supervisor()
///     .template(|user: String| Child::new::<Session>("session", user));
///
/// let ada = sessions.start_child("ada".to_owned()).await?;
/// assert_eq!(ada.call(|reply| reply).await?, "ada");
/// assert_eq!(app.supervisor().count_children().await?.active, 1);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[must_use = "a supervisor does nothing until it is started"]
pub struct DynamicSupervisor {
    node: SupervisorNode,
    spec: SupervisorSpec,
    child_policy: ChildPolicy,
}

impl DynamicSupervisor {
    /// Creates a supervisor without children and without a limit on their number.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
app.supervisor().start_child(clock("session")).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            node: SupervisorNode::new(id.into()),
            spec: SupervisorSpec::dynamic(),
            child_policy: supervisor_policy(),
        }
    }

    /// Sets the maximum number of children. Children that are being restarted count.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").max_children(1).start(&System::new()).await?;
app.supervisor().start_child(clock("first")).await?;
let refused = app.supervisor().start_child(clock("second")).await;
assert!(matches!(refused, Err(error) if error.kind == StartChildErrorKind::MaxChildren));
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn max_children(mut self, max_children: usize) -> Self {
        self.spec.kind = SupervisorKind::Dynamic { max_children };
        self
    }

    /// Sets how many restarts within `period` are tolerated, of all children together. By default
    /// the number [grows with the children](Self#choosing-restart-types-and-intensity).
    ///
    #[doc = supervision_example!(
        r#"let sessions = DynamicSupervisor::new("sessions").intensity(100, Duration::from_secs(1));
let app = sessions.start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.spec.intensity = RestartLimit::Fixed(Intensity { restarts, period });
        self
    }

    /// Sets which of its own exits cause a restart when it is a child.
    ///
    #[doc = supervision_example!(
        r#"let sessions = DynamicSupervisor::new("sessions").restart(Restart::Transient);
let app = Supervisor::new("app").child(sessions).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.child_policy.restart = restart;
        self
    }

    /// Makes its own exit count for the automatic shutdown of its supervisor. A permanent child
    /// cannot be significant.
    ///
    #[doc = supervision_example!(
        r#"let sessions = DynamicSupervisor::new("sessions").restart(Restart::Transient).significant();
let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(sessions);
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
let sessions = DynamicSupervisor::new("sessions").backoff(backoff);
let app = Supervisor::new("app").child(sessions).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.child_policy.backoff = Some(Arc::new(backoff));
        self
    }

    /// Sets how long a killed child may take to end before it is abandoned: its mailbox is then
    /// taken away from it. The default is 5 seconds.
    ///
    #[doc = supervision_example!(
        r#"let sessions = DynamicSupervisor::new("sessions").abandon_after(Duration::from_secs(1));
let app = sessions.start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn abandon_after(mut self, kill_grace: Duration) -> Self {
        self.spec.kill_grace = kill_grace;
        self
    }

    /// Returns the handle that starts and manages the children. It is valid before the start and
    /// through every restart.
    ///
    #[doc = supervision_example!(
        r#"let supervisor = DynamicSupervisor::new("sessions");
let sessions = supervisor.handle();
let app = Supervisor::new("app").child(supervisor).start(&System::new()).await?;
sessions.start_child(clock("session")).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn handle(&self) -> DynamicHandle {
        DynamicHandle::new(self.node.clone())
    }

    /// Starts it as the root of a tree.
    ///
    /// # Errors
    ///
    /// An invalid spec, or no tokio runtime with timers.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn start(self, system: &System) -> Result<App<DynamicHandle>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system).await?, handle))
    }

    /// Returns the node for a tree with this root, and its handle.
    pub(crate) fn into_root(self) -> (SupervisorNode, DynamicHandle) {
        let handle = self.handle();
        self.node.set_spec(self.spec);
        (self.node, handle)
    }
}

impl From<DynamicSupervisor> for ChildSpec {
    fn from(supervisor: DynamicSupervisor) -> Self {
        let node = supervisor.node;
        let error = supervisor.spec.check(node.id()).err();
        node.set_spec(supervisor.spec);
        Self::of_supervisor(node.id().clone(), supervisor.child_policy, node, error)
    }
}

impl fmt::Debug for DynamicSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicSupervisor")
            .field("id", self.node.id())
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
