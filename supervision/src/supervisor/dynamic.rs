//! A supervisor of children that are started at run time: sessions, connections, jobs.

use std::fmt;
use std::sync::Arc;

use perennial_actors::Address;

use super::builder::SupervisorBuilder;
use super::group::Dynamic;
use super::handle::{SupervisorHandle, WeakSupervisorHandle};
use crate::error::StartChildError;
use crate::policy::SupervisorKind;
use crate::spec::{Child, SupervisorSpec};
use crate::tree::ChildStart;

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
pub type DynamicSupervisor = SupervisorBuilder<Dynamic>;

/// The handle of a dynamic supervisor. Its requests identify a child by its pid.
///
#[doc = supervision_example!(
    r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
if let ChildStart::Started(pid) = app.supervisor().start_child(clock("session")).await? {
    assert_eq!(app.supervisor().get_childspec(pid).await?.restart, Restart::Transient);
    app.supervisor().terminate_child(pid).await?;
}
assert_eq!(app.supervisor().count_children().await?.specs, 0);
# assert!(app.shutdown().await.is_clean());"#
)]
pub type DynamicHandle = SupervisorHandle<Dynamic>;

/// A handle that does not keep a dynamic supervisor alive.
pub type WeakDynamicHandle = WeakSupervisorHandle<Dynamic>;

impl DynamicSupervisor {
    /// Creates a supervisor without children and without a limit on their number.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
app.supervisor().start_child(clock("session")).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self::with(id.into(), SupervisorSpec::dynamic(), Dynamic)
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
}

impl DynamicHandle {
    /// Returns a factory of children that differ only in their arguments. A restart uses the
    /// arguments of the start again.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("clocks").start(&System::new()).await?;
let clocks = app.supervisor().template(|id: &'static str| clock(id));
clocks.start_child("utc").await?;
assert!(app.tree().at(["utc"]).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn template<T, M: Send + 'static>(
        &self,
        child: impl Fn(T) -> Child<M> + Send + Sync + 'static,
    ) -> ChildFactory<T, M> {
        ChildFactory { supervisor: self.clone(), child: Arc::new(child) }
    }
}

/// Starts children of one kind, each with its own arguments. See [`DynamicHandle::template`].
pub struct ChildFactory<T, M: Send + 'static> {
    supervisor: DynamicHandle,
    child: Arc<dyn Fn(T) -> Child<M> + Send + Sync>,
}

impl<T, M: Send + 'static> ChildFactory<T, M> {
    /// Starts a child with these arguments. Returns its address once it has started. If its `init`
    /// returned [`ExitReason::Ignore`](perennial_actors::ExitReason::Ignore), that address is
    /// closed.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The error gives the spec back, with
    /// the arguments in it.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("clocks").start(&System::new()).await?;
let clocks = app.supervisor().template(|id: &'static str| clock(id));
let utc = clocks.start_child("utc").await?;
assert!(utc.pid().is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn start_child(&self, args: T) -> Result<Address<M>, StartChildError> {
        let child = (self.child)(args);
        let address = child.address();
        match self.supervisor.start_child(child).await? {
            ChildStart::Started(_) | ChildStart::Ignored => Ok(address),
        }
    }
}

impl<T, M: Send + 'static> Clone for ChildFactory<T, M> {
    fn clone(&self) -> Self {
        Self { supervisor: self.supervisor.clone(), child: self.child.clone() }
    }
}

impl<T, M: Send + 'static> fmt::Debug for ChildFactory<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildFactory").field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}
