//! Managing a supervisor by child ids: OTP's management API.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Address, Monitor, OwnedArgs};

use super::requests::{delete_child, query, restart_child, start_child, start_once, terminate_child};
use crate::driver::{Query, SupervisorNode, WeakSupervisorNode};
use crate::engine::Target;
use crate::error::{ChildError, StartChildError, StartOnceError};
use crate::node::ChildNode;
use crate::policy::ChildPolicy;
use crate::spec::{Child, ChildSpec};
use crate::tree::{ChildCounts, ChildInfo, ChildStart, Tree};

/// The handle of a supervisor, which inspects it and manages its children. It reaches the current
/// incarnation. Clones refer to the same supervisor.
///
/// Management requests do not count for the restart intensity. Queries are answered at once. While
/// the supervisor itself is being restarted, requests and queries wait for its next incarnation.
///
/// # Ordering
///
/// Requests for one child are executed in order of arrival. As in OTP, a request waits while its
/// child is being started, restarted or stopped. Requests for other children continue meanwhile,
/// unlike in OTP. While children start as a group, every request waits.
///
/// [`terminate_child`](Self::terminate_child) does not wait for an `init`: it cancels the running
/// one.
///
/// # Deadlocks
///
/// An `init` that waits for the answer to a request about its own child waits for itself, until its
/// start times out or a request terminates the child. Set a
/// [`start_timeout`](crate::Child::start_timeout). The same holds for any request in an `init` that
/// is part of a group start. OTP's supervisor waits for ever in these cases.
///
/// # Cancel safety
///
/// If the future of a request is dropped after its first poll, the request is executed all the
/// same.
#[derive(Clone)]
pub struct SupervisorHandle(pub(super) SupervisorNode);

/// A handle that does not keep the supervisor alive. The supervisor is dropped once its tree has
/// ended and no [`SupervisorHandle`] is left.
///
/// A supervisor keeps the `Args` of its children. A [`SupervisorHandle`] in them would keep the
/// supervisor, and so the `Args`, for ever. A weak handle does not. A child needs neither: see
/// [`Supervised`](crate::Supervised).
#[derive(Clone)]
pub struct WeakSupervisorHandle(WeakSupervisorNode);

impl WeakSupervisorHandle {
    /// Returns the handle, or `None` if the supervisor was dropped.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").child(clock("clock"));
let weak = tree.handle().downgrade();
let app = tree.start(&System::new()).await?;
assert!(weak.upgrade().is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn upgrade(&self) -> Option<SupervisorHandle> {
        self.0.upgrade().map(SupervisorHandle)
    }
}

impl SupervisorHandle {
    /// Adds to the number of jobs that pools in the tree of this supervisor have dropped.
    pub(crate) fn count_dropped_jobs(&self, jobs: usize) {
        self.0.drop_counters().add_jobs(jobs as u64);
    }
}

impl fmt::Debug for WeakSupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakSupervisorHandle").field(&self.upgrade()).finish()
    }
}

impl SupervisorHandle {
    pub(super) const fn new(node: SupervisorNode) -> Self {
        Self(node)
    }

    /// Returns a handle that does not keep the supervisor alive.
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app");
let weak = tree.handle().downgrade();
drop(tree);
assert!(weak.upgrade().is_none());"#
    )]
    #[must_use]
    pub fn downgrade(&self) -> WeakSupervisorHandle {
        WeakSupervisorHandle(self.0.downgrade())
    }

    /// Returns a snapshot of the tree below this supervisor.
    ///
    /// It is read without a request to any supervisor, so it does not wait, and it also shows a
    /// supervisor that is being restarted.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
assert_eq!(app.supervisor().tree().children.len(), 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.0.tree()
    }

    /// Returns the handle of the supervisor as an actor: for stopping, killing and monitoring it.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").start(&System::new()).await?;
app.supervisor().handle().kill()?;
assert!(matches!(app.join().await, ExitReason::Killed));"#
    )]
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.0.handle()
    }

    /// Returns the handle of the child with this id as an actor, whether it runs or not. It is read
    /// without a request, like [`tree`](Self::tree).
    ///
    /// The handle gives the [address](ActorHandle::address) of the child.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # use perennial_supervision::{Child, Supervisor};
    /// # struct ResultSink;
    /// # impl Actor for ResultSink {
    /// #     type Msg = u64;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// #     async fn handle(
    /// #         &mut self, _: u64, _: &mut Context<Self>,
    /// #     ) -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// let sink = Child::new::<ResultSink>("sink", ());
    /// let app = Supervisor::new("app").child(sink).start(&system).await?;
    /// let sink = app.supervisor().child("sink").and_then(|child| child.address::<u64>());
    /// sink.ok_or("it takes other messages")?.cast(1)?;
    /// # let _ = app.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn child(&self, id: &str) -> Option<ActorHandle> {
        self.0.child(id)
    }

    /// Returns a future that resolves to the exit reason of the current incarnation of the
    /// supervisor, once that has ended. See [`Monitor`].
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").start(&System::new()).await?;
let down = app.supervisor().monitor();
assert!(app.shutdown().await.is_clean());
assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));"#
    )]
    pub fn monitor(&self) -> Monitor {
        self.handle().monitor()
    }

    /// Adds a child at the end of the start order and starts it. Resolves once it has started.
    /// OTP's `start_child`.
    ///
    /// The child belongs to this incarnation of the supervisor. The next incarnation starts only
    /// the children of its spec.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The error gives the spec back,
    /// which can be started again as it is.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").start(&System::new()).await?;
app.supervisor().start_child(clock("clock")).await?;
assert!(app.tree().at(["clock"]).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn start_child(&self, child: impl Into<ChildSpec>) -> Result<ChildStart, StartChildError> {
        start_child(&self.0, child.into()).await
    }

    /// Adds a child that is [started once](Child::once) and starts it. Returns its address once it
    /// has started. If its `init` returned
    /// [`ExitReason::Ignore`](perennial_actors::ExitReason::Ignore), that address is closed.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The error gives the arguments back,
    /// unless the `init` has taken them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{ActorOnce, Context, ExitReason, Reply, System};
    /// # use perennial_supervision::{Child, Supervisor};
    /// # struct Greeter(String);
    /// # impl ActorOnce for Greeter {
    /// #     type Msg = Reply<String>;
    /// #     type Args = String;
    /// #     async fn init(name: String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
    /// #         Ok(Self(name))
    /// #     }
    /// #     async fn handle(&mut self, reply: Reply<String>, _: &mut Context<Self>)
    /// #     -> Result<(), ExitReason> {
    /// #         Ok(reply.send(self.0.clone()))
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = Supervisor::new("app").start(&System::new()).await?;
    /// let child = Child::once::<Greeter>("greeter", "Ann".to_owned());
    /// let greeter = app.supervisor().start_once(child).await?;
    /// assert_eq!(greeter.call(|reply| reply).await?, "Ann");
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_once<M: Send + 'static, T: Send + 'static>(
        &self,
        child: Child<M, OwnedArgs<T>>,
    ) -> Result<Address<M>, StartOnceError<T>> {
        start_once(&self.0, child).await
    }

    /// Stops a child and closes its mailbox. Its spec stays, unless the child is temporary: that is
    /// removed. If the child waits for a restart, that restart is cancelled. A running `init` is
    /// cancelled. If the child is already stopped, this has no effect. OTP's `terminate_child`.
    ///
    /// # Errors
    ///
    /// There is no such child, or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
app.supervisor().terminate_child("clock").await?;
assert_eq!(app.supervisor().count_children().await?.active, 0);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn terminate_child(&self, id: impl Into<Arc<str>>) -> Result<(), ChildError> {
        terminate_child(&self.0, Target::Id(id.into())).await
    }

    /// Starts a stopped child. The same mailbox opens again. A failed start is not retried. OTP's
    /// `restart_child`.
    ///
    /// # Errors
    ///
    /// There is no such child, it is not stopped, it did not start, or the supervisor is gone or
    /// shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
app.supervisor().terminate_child("clock").await?;
app.supervisor().restart_child("clock").await?;
assert_eq!(app.supervisor().count_children().await?.active, 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn restart_child(&self, id: impl Into<Arc<str>>) -> Result<ChildStart, ChildError> {
        restart_child(&self.0, id.into()).await
    }

    /// Removes a stopped child from this supervisor and returns its spec. OTP's `delete_child`.
    ///
    /// The returned spec is the only one of the child. From now on no action of this supervisor
    /// affects the child, wherever it is started. A child of the supervisor's own spec is started
    /// again by the supervisor's next incarnation, as in OTP, unless its spec is still held
    /// elsewhere. So drop the returned spec if it is not needed.
    ///
    /// # Errors
    ///
    /// There is no such child, it is not stopped, or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
let supervisor = app.supervisor();
supervisor.terminate_child("clock").await?;
let spec = supervisor.delete_child("clock").await?;
assert_eq!(supervisor.count_children().await?.specs, 0);
supervisor.start_child(spec).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn delete_child(&self, id: impl Into<Arc<str>>) -> Result<ChildSpec, ChildError> {
        delete_child(&self.0, id.into()).await
    }

    /// Returns the children, newest first. OTP's `which_children`.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("a")).child(clock("b")).start(&System::new()).await?;
let children = app.supervisor().which_children().await?;
assert_eq!(&*children[0].id, "b");
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, ChildError> {
        query(&self.0, Query::WhichChildren).await
    }

    /// Returns one child. OTP's `which_child`.
    ///
    /// # Errors
    ///
    /// There is no such child, or the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
assert_eq!(app.supervisor().which_child("clock").await?.state, ChildState::Running);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn which_child(&self, id: impl Into<Arc<str>>) -> Result<ChildInfo, ChildError> {
        let id = id.into();
        query(&self.0, |reply| Query::WhichChild(id, reply)).await?.ok_or(ChildError::NotFound)
    }

    /// Returns the numbers of children. OTP's `count_children`.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
assert_eq!(app.supervisor().count_children().await?.workers, 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn count_children(&self) -> Result<ChildCounts, ChildError> {
        query(&self.0, Query::CountChildren).await
    }

    /// Returns the policy of a child, including all defaults. OTP's `get_childspec`.
    ///
    /// # Errors
    ///
    /// There is no such child, or the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
assert_eq!(app.supervisor().get_childspec("clock").await?.restart, Restart::Permanent);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn get_childspec(&self, id: impl Into<Arc<str>>) -> Result<ChildPolicy, ChildError> {
        let id = id.into();
        query(&self.0, |reply| Query::Policy(Target::Id(id), reply)).await?.ok_or(ChildError::NotFound)
    }
}

impl fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").field("id", self.0.id()).finish_non_exhaustive()
    }
}
