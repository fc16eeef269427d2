//! Inspecting a supervisor and managing its children: OTP's management API.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Address, Monitor, OwnedArgs};

use super::group::{ChildGroup, Static};
use super::requests::{child_start, query, send};
use crate::driver::{Answer, Query, Specs, SupervisorNode, WeakSupervisorNode};
use crate::engine::Request;
use crate::error::{ChildError, StartChildError, StartChildErrorKind, StartOnceError};
use crate::node::ChildNode;
use crate::policy::ChildPolicy;
use crate::spec::{Child, ChildSpec};
use crate::tree::{ChildCounts, ChildInfo, ChildStart, Tree};

/// The handle of a supervisor, which inspects it and manages its children. It reaches the current
/// incarnation. Clones refer to the same supervisor.
///
/// `G` is the kind of its children: [`Static`] unless it is named.
/// [`DynamicHandle`](crate::DynamicHandle) and [`Partitions`](crate::Partitions) are the handles of
/// the other kinds. They add methods of their own.
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
pub struct SupervisorHandle<G = Static> {
    pub(super) node: SupervisorNode,
    pub(super) group: G,
}

/// A handle that does not keep the supervisor alive. The supervisor is dropped once its tree has
/// ended and no [`SupervisorHandle`] is left.
///
/// A supervisor keeps the `Args` of its children. A [`SupervisorHandle`] in them would keep the
/// supervisor, and so the `Args`, for ever. A weak handle does not. A child needs neither: see
/// [`Supervised`](crate::Supervised).
#[derive(Clone)]
pub struct WeakSupervisorHandle<G = Static> {
    node: WeakSupervisorNode,
    group: G,
}

impl<G: ChildGroup> WeakSupervisorHandle<G> {
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
    pub fn upgrade(&self) -> Option<SupervisorHandle<G>> {
        let node = self.node.upgrade()?;
        Some(SupervisorHandle::new(node, self.group.clone()))
    }
}

impl<G: ChildGroup> fmt::Debug for WeakSupervisorHandle<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakSupervisorHandle").field(&self.upgrade()).finish()
    }
}

impl<G: ChildGroup> SupervisorHandle<G> {
    pub(super) const fn new(node: SupervisorNode, group: G) -> Self {
        Self { node, group }
    }

    /// Adds to the number of jobs that pools in the tree of this supervisor have dropped.
    pub(crate) fn count_dropped_jobs(&self, jobs: usize) {
        self.node.drop_counters().add_jobs(jobs as u64);
    }

    /// Returns the id of the supervisor.
    pub(crate) fn id(&self) -> &Arc<str> {
        self.node.id()
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
    pub fn downgrade(&self) -> WeakSupervisorHandle<G> {
        WeakSupervisorHandle { node: self.node.downgrade(), group: self.group.clone() }
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
        self.node.tree()
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
        self.node.handle()
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

    /// Adds a child and starts it. Resolves once it has started. OTP's `start_child`.
    ///
    /// The child belongs to this incarnation of the supervisor. The next incarnation starts only
    /// the children of its spec.
    ///
    /// In a dynamic supervisor the id is informative and need not be unique. In every other
    /// supervisor the child is added at the end of the start order.
    ///
    /// If the maximum number of children is reached and some of them are being started or stopped,
    /// the request waits until these starts and stops are done, and for none that begins later.
    /// Waiting requests are executed in order of arrival.
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
        let child = child.into();
        let started = match self.node.check_child(child.share()) {
            Ok(sent) => {
                let (request, specs) = Specs::of_child(sent);
                let Answer { result, pid, .. } = send(&self.node.address(), request, specs).await;
                result.map(|_| child_start(pid)).map_err(|error| StartChildErrorKind::new(error, pid))
            }
            Err(error) => Err(StartChildErrorKind::Spec(error)),
        };
        started.map_err(|kind| StartChildError { kind, child })
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
        let (address, args) = (child.address(), child.args());
        match self.start_child(child).await {
            Ok(_) => Ok(address),
            Err(StartChildError { kind, child }) => {
                Err(StartOnceError { id: child.id, kind, args: args.take() })
            }
        }
    }

    /// Stops a child and closes its mailbox. A running `init` is cancelled, and so is a restart for
    /// which the child waits. OTP's `terminate_child`.
    ///
    /// A child is identified by its id, and in a dynamic supervisor by its pid. The pid may be that
    /// of any incarnation of the child, also of an ended one. The pid that
    /// [`start_child`](Self::start_child) returned therefore identifies the child for as long as it
    /// exists.
    ///
    /// A child of a dynamic supervisor and a temporary child are removed. The spec of any other
    /// child stays. If that child is already stopped, this has no effect.
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
    pub async fn terminate_child(&self, child: impl Into<G::ChildId>) -> Result<(), ChildError> {
        let request = Request::Terminate(child.into().into());
        Ok(send(&self.node.address(), request, Specs::None).await.result.map(drop)?)
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
        query(&self.node, Query::WhichChildren).await
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
        query(&self.node, Query::CountChildren).await
    }

    /// Returns the policy of a child, including all defaults. The child is identified as in
    /// [`terminate_child`](Self::terminate_child). OTP's `get_childspec`.
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
    pub async fn get_childspec(&self, child: impl Into<G::ChildId>) -> Result<ChildPolicy, ChildError> {
        let child = child.into().into();
        query(&self.node, |reply| Query::Policy(child, reply)).await?.ok_or(ChildError::NotFound)
    }
}

impl<G: fmt::Debug> fmt::Debug for SupervisorHandle<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle")
            .field("id", self.node.id())
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
