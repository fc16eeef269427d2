//! A supervisor of children that come and go: sessions, connections, jobs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ActorHandle, Address, Monitor, OwnedArgs, Pid, System};

use super::app::App;
use super::builder::supervisor_policy;
use super::handle::{ask, look, start_child, start_once};
use crate::driver::{
    ChildRef, ManagementRequest, SupervisorNode, SupervisorState, WeakSupervisorNode, start,
};
use crate::error::{ChildError, StartChildError, StartError, StartOnceError};
use crate::node::ChildNode;
use crate::policy::{Backoff, ChildPolicy, Intensity, Restart, RestartLimit, SupervisorKind};
use crate::spec::{Child, ChildSpec, SupervisorSpec};
use crate::tree::{ChildCounts, ChildInfo, ChildStart, Tree};

/// The spec of a supervisor that begins without children, and is given them while it runs: Elixir's `DynamicSupervisor`, OTP's
/// `simple_one_for_one`.
///
/// Its children have nothing to do with each other. Each is restarted alone, by its own spec; they need no ids of their own; they
/// stop all at once, each in its own way. One that ends for good, or declines to start, is gone. A hundred thousand cost each what a
/// hundred do. Its own restart does not bring them back.
///
/// # Choosing restart types and intensity
///
/// | child | set | its end by itself | its crash |
/// |---|---|---|---|
/// | a session that may be begun anew | nothing: `Transient` | it is gone | restarted, counted |
/// | a session that owns a socket | [`Child::once`] | it is gone | it is gone |
/// | a job that is not worth a second try | `Temporary` | it is gone | it is gone |
/// | a service that is never to end | `Permanent` | restarted, counted | restarted, counted |
/// | a supervisor or a pool | nothing: `Permanent` | restarted, counted | restarted, counted |
///
/// Within 5 seconds it tolerates 3 restarts, or one for every 10 children if that is more. One more
/// means that the fault is not that of a few children: it stops them all and ends, for its own
/// supervisor to decide.
///
/// | children | restarts within 5 s that are tolerated |
/// |---|---|
/// | 1 to 39 | 3 |
/// | 100 | 10 |
/// | 10,000 | 1,000 |
///
/// So a few sessions that crash disturb no other, and a fault that all of them have, such as a
/// database that is down, ends in an escalation after a tenth of them. One child that crashes again
/// and again uses up the same number: give it a [`backoff`](Child::backoff), which spreads its
/// restarts over time. A fault that needs fewer restarts in 5 seconds, because every init takes a
/// minute to fail, is tried again without end, as in OTP. [`intensity`](Self::intensity) sets a fixed
/// number and period.
///
/// A [`Supervisor`](crate::Supervisor), whose children depend on each other, keeps OTP's defaults:
/// they are permanent, and 1 restart within 5 seconds is tolerated. A
/// [`PartitionSupervisor`](crate::PartitionSupervisor) has permanent children and the intensity
/// above, for the largest number of partitions that it may have.
///
/// # Examples
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_supervision::{Child, DynamicSupervisor};
///
/// struct QueueGuard(String);
///
/// impl Actor for QueueGuard {
///     type Msg = Reply<String>;
///     type Args = String;
///     async fn init(user: &String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(QueueGuard(user.clone()))
///     }
///     async fn handle(&mut self, who: Reply<String>, _: &mut Context<Self>) -> Result<(), ExitReason> {
///         Ok(who.send(self.0.clone()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let app = DynamicSupervisor::new("sessions").max_children(1_000).start(&system).await?;
/// let sessions = app
///     .supervisor()
///     .template(|user: String| Child::new::<QueueGuard>("session", user));
///
/// let ada = sessions.start_child("ada".to_owned()).await?;
/// assert_eq!(ada.call(|who| who).await?, "ada");
/// assert_eq!(app.supervisor().count_children().await?.active, 1);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[must_use = "a supervisor does nothing until it is started"]
pub struct DynamicSupervisor {
    node: SupervisorNode,
    plan: SupervisorSpec,
    as_child: ChildPolicy,
}

impl DynamicSupervisor {
    /// A supervisor for as many children as there may be.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            node: SupervisorNode::new(id.into()),
            plan: SupervisorSpec::dynamic(),
            as_child: supervisor_policy(),
        }
    }

    /// Sets how many children it may have. Those that are being restarted count.
    pub const fn max_children(mut self, max_children: usize) -> Self {
        self.plan.kind = SupervisorKind::Dynamic { max_children };
        self
    }

    /// Sets how many restarts within how long it takes before it gives up; of all children together.
    /// Unless set, the number [grows with the children](Self#choosing-restart-types-and-intensity).
    pub const fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.plan.intensity = RestartLimit::Fixed(Intensity { restarts, period });
        self
    }

    /// Sets which of its own ends call for a restart, when it is a child.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.as_child.restart = restart;
        self
    }

    /// Makes its own end count for that of the supervisor above. Not if it is permanent.
    pub const fn significant(mut self) -> Self {
        self.as_child.significant = true;
        self
    }

    /// Makes it wait before it is restarted, longer each time.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.as_child.backoff = Some(Arc::new(backoff));
        self
    }

    /// Sets how long a child that was killed may take to die before its mailbox is taken away from it; 5 seconds unless set.
    pub const fn abandon_after(mut self, patience: Duration) -> Self {
        self.plan.kill_grace = patience;
        self
    }

    /// The means to start children and to manage them, good from now on and through every restart.
    #[must_use]
    pub fn handle(&self) -> DynamicHandle {
        DynamicHandle(self.node.clone())
    }

    /// Starts it as the root of a tree.
    ///
    /// # Errors
    ///
    /// If the spec is wrong, or there is no runtime.
    pub async fn start(self, system: &System) -> Result<App<DynamicHandle>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system).await?, handle))
    }

    /// What it is when it is to be a root, and the means to manage it.
    pub(crate) fn into_root(self) -> (SupervisorNode, DynamicHandle) {
        let handle = self.handle();
        self.node.set_spec(self.plan);
        (self.node, handle)
    }
}

impl From<DynamicSupervisor> for ChildSpec {
    fn from(supervisor: DynamicSupervisor) -> Self {
        let node = supervisor.node;
        let error = supervisor.plan.check(node.id()).err();
        node.set_spec(supervisor.plan);
        Self::of_supervisor(node.id().clone(), supervisor.as_child, node, error)
    }
}

impl fmt::Debug for DynamicSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicSupervisor")
            .field("id", self.node.id())
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

/// The means to start children of a dynamic supervisor and to manage them, whichever incarnation of it lives.
///
/// # Cancel safety
///
/// If the future of a request is dropped once it was polled, what was asked is done all the same.
#[derive(Clone)]
pub struct DynamicHandle(SupervisorNode);

/// A handle that does not keep the supervisor: see [`WeakSupervisorHandle`](crate::WeakSupervisorHandle).
#[derive(Clone)]
pub struct WeakDynamicHandle(WeakSupervisorNode);

impl WeakDynamicHandle {
    /// Returns the handle, or `None` if the supervisor is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<DynamicHandle> {
        self.0.upgrade().map(DynamicHandle)
    }
}

impl fmt::Debug for WeakDynamicHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakDynamicHandle").field(&self.upgrade()).finish()
    }
}

impl DynamicHandle {
    pub(super) const fn new(node: SupervisorNode) -> Self {
        Self(node)
    }

    /// Returns a handle that does not keep the supervisor.
    #[must_use]
    pub fn downgrade(&self) -> WeakDynamicHandle {
        WeakDynamicHandle(self.0.downgrade())
    }

    /// What the tree below it looks like at this moment.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.0.tree()
    }

    /// The means to stop, kill and watch it, as an actor.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.0.handle()
    }

    /// Returns a future that resolves when the incarnation of the supervisor that lives has ended, to the reason: see [`Monitor`].
    pub fn monitor(&self) -> Monitor {
        self.handle().monitor()
    }

    /// Takes in a child and starts it; ready when it has started. Its id is for people, and need not be its own.
    ///
    /// If there are as many children as there may be, and some of them are just being started or
    /// stopped, it waits for what comes of that, and for nothing that begins later. Those that wait
    /// are started in the order of arrival.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The spec comes back.
    pub async fn start_child(&self, child: impl Into<ChildSpec>) -> Result<ChildStart, StartChildError> {
        start_child(&self.0, child.into()).await
    }

    /// Takes in a child that is [started once](Child::once) and starts it. Returns its address when it
    /// has started. If it declined to start, that address is closed.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The arguments come back, unless the init has taken them.
    pub async fn start_once<M: Send + 'static, T: Send + 'static>(
        &self,
        child: Child<M, OwnedArgs<T>>,
    ) -> Result<Address<M>, StartOnceError<T>> {
        start_once(&self.0, child).await
    }

    /// Children that differ in one thing only: what they are started with, which their restarts start with again.
    pub fn template<T, M: Send + 'static>(
        &self,
        child: impl Fn(T) -> Child<M> + Send + Sync + 'static,
    ) -> ChildFactory<T, M> {
        ChildFactory { supervisor: self.clone(), child: Arc::new(child) }
    }

    /// Stops a child, which then is gone; also one that is being restarted. The pid of any of its incarnations tells which, also of one that
    /// has ended: so what [`start_child`](Self::start_child) told once is good for as long as the child is.
    ///
    /// # Errors
    ///
    /// If this is an incarnation of no child, or the supervisor is on its way out.
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), ChildError> {
        let done = ask(&self.0, |reply| ManagementRequest::Terminate(ChildRef::Pid(pid), reply)).await;
        done.unwrap_or(Err(ChildError::ShuttingDown))
    }

    /// Its children, the newest first.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if it is gone.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, ChildError> {
        look(&self.0, SupervisorState::which_children).await
    }

    /// How many children it has.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if it is gone.
    pub async fn count_children(&self) -> Result<ChildCounts, ChildError> {
        look(&self.0, SupervisorState::count_children).await
    }

    /// How it treats a child, with every default filled in.
    ///
    /// # Errors
    ///
    /// If there is no such child, or the supervisor is gone.
    pub async fn get_childspec(&self, pid: Pid) -> Result<ChildPolicy, ChildError> {
        look(&self.0, move |book| book.policy_at(pid)).await?.ok_or(ChildError::NotFound)
    }
}

impl fmt::Debug for DynamicHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicHandle").field("id", self.0.id()).finish_non_exhaustive()
    }
}

/// Starts children of one kind, each with its own arguments. See [`DynamicHandle::template`].
pub struct ChildFactory<T, M: Send + 'static> {
    supervisor: DynamicHandle,
    child: Arc<dyn Fn(T) -> Child<M> + Send + Sync>,
}

impl<T, M: Send + 'static> ChildFactory<T, M> {
    /// Starts a child with these arguments; its address, when it has started. If it declined to start, that address is closed.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The spec comes back, with the arguments in it.
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
        f.debug_struct("Template").field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}
