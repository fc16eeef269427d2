//! Managing a supervisor whose children have ids: OTP's management API.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Address, Monitor, OwnedArgs, Reply};
use tokio::runtime;

use crate::driver::{
    ChildRef, DriverMsg, ManagementRequest, SupervisorNode, SupervisorState, WeakSupervisorNode,
};
use crate::error::{ChildError, StartChildError, StartChildErrorKind, StartOnceError};
use crate::node::ChildNode;
use crate::policy::ChildPolicy;
use crate::spec::{Child, ChildSpec};
use crate::tree::{ChildCounts, ChildInfo, ChildStart, Tree};

/// The means to look at a supervisor and to manage its children, whichever incarnation of it lives. Clones are of the same.
///
/// What changes something counts for no intensity. A look is answered at once. While the supervisor
/// itself is being restarted, both wait for the next incarnation.
///
/// # Order
///
/// Requests for one child are done in the order of arrival, each when what goes on with the child
/// is over. A request that meets a child while it is being started, restarted or stopped waits, as
/// in OTP. Requests for other children go on meanwhile, which OTP's do not. While children are
/// started as a group, every request waits.
///
/// [`terminate_child`](Self::terminate_child) waits for no init: it cuts short the one that runs
/// when it comes.
///
/// # Deadlocks
///
/// An init that waits for the answer to a request about its own child waits for itself. It does so
/// until the start times out, or something terminates the child: set a
/// [`start_timeout`](crate::Child::start_timeout). The same holds for any request in an init that
/// is part of a group. OTP's supervisor waits for ever then.
///
/// # Cancel safety
///
/// If the future of a request is dropped once it was polled, what was asked is done all the same.
#[derive(Clone)]
pub struct SupervisorHandle(pub(super) SupervisorNode);

/// A handle that does not keep the supervisor: once its tree is over and no [`SupervisorHandle`] is left, it is gone.
///
/// A supervisor keeps the `Args` of its children. A [`SupervisorHandle`] in them would keep the supervisor, and with it the
/// `Args`, for ever; this does not. A child needs neither: see [`Supervised`](crate::Supervised).
#[derive(Clone)]
pub struct WeakSupervisorHandle(WeakSupervisorNode);

impl WeakSupervisorHandle {
    /// Returns the handle, or `None` if the supervisor is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<SupervisorHandle> {
        self.0.upgrade().map(SupervisorHandle)
    }
}

impl SupervisorHandle {
    /// Counts jobs that a pool has dropped in the tree of this supervisor.
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

    /// Returns a handle that does not keep the supervisor.
    #[must_use]
    pub fn downgrade(&self) -> WeakSupervisorHandle {
        WeakSupervisorHandle(self.0.downgrade())
    }

    /// What the tree below it looks like at this moment. It is a look, not a request: it takes no time of any supervisor, and
    /// shows also one that is just being restarted.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.0.tree()
    }

    /// The means to stop, kill and watch it, as an actor.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.0.handle()
    }

    /// Returns the child with this id, running or not, as an actor. It is a look, not a request, as [`tree`](Self::tree) is.
    ///
    /// The handle leads to the child's [address](ActorHandle::address).
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
    /// #     async fn handle(&mut self, _: u64, _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// let app = Supervisor::new("app").child(Child::new::<ResultSink>("sink", ())).start(&system).await?;
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

    /// Returns a future that resolves when the incarnation of the supervisor that lives has ended, to the reason: see [`Monitor`].
    pub fn monitor(&self) -> Monitor {
        self.handle().monitor()
    }

    /// Takes in a child, as the last in the start order, and starts it; ready when it has started. OTP's `start_child`.
    ///
    /// The child stays with this incarnation of the supervisor: a next one begins with the children of its spec alone.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`]. The spec comes back; to start it again with the same error gone is all that is needed.
    pub async fn start_child(&self, child: impl Into<ChildSpec>) -> Result<ChildStart, StartChildError> {
        start_child(&self.0, child.into()).await
    }

    /// Takes in a child that is [started once](Child::once) and starts it. Returns its address when it
    /// has started. If it declined to start, that address is closed.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`]. The arguments come back, unless the init has taken them.
    pub async fn start_once<M: Send + 'static, T: Send + 'static>(
        &self,
        child: Child<M, OwnedArgs<T>>,
    ) -> Result<Address<M>, StartOnceError<T>> {
        start_once(&self.0, child).await
    }

    /// Stops a child, and leaves it down: its mailbox is closed. A temporary one is gone. Done already if it is down, and does
    /// away with a restart that it waits for. An init that runs when this comes is cut short. OTP's
    /// `terminate_child`.
    ///
    /// # Errors
    ///
    /// If there is no such child, or the supervisor is on its way out.
    pub async fn terminate_child(&self, id: impl Into<Arc<str>>) -> Result<(), ChildError> {
        let id = id.into();
        ask(&self.0, |reply| ManagementRequest::Terminate(ChildRef::Id(id), reply))
            .await
            .unwrap_or(Err(ChildError::ShuttingDown))
    }

    /// Starts a child that is down: the same mailbox opens again. It is not tried again if it fails. OTP's
    /// `restart_child`.
    ///
    /// # Errors
    ///
    /// If there is no such child, if it is not down, if it does not start, or the supervisor is on its way out.
    pub async fn restart_child(&self, id: impl Into<Arc<str>>) -> Result<ChildStart, ChildError> {
        let id = id.into();
        ask(&self.0, |reply| ManagementRequest::Restart(id, reply))
            .await
            .unwrap_or(Err(ChildError::ShuttingDown))
    }

    /// Gives a child back that is down: it is no child of this supervisor any more. OTP's
    /// `delete_child`.
    ///
    /// The spec that comes back is the only one of its child. Nothing that this supervisor does
    /// from then on concerns that child, wherever it is started. A child of the supervisor's own
    /// spec is started again by the next incarnation of the supervisor, as in OTP, if nothing else
    /// has its spec by then: so drop what comes back unless it is to be used.
    ///
    /// # Errors
    ///
    /// If there is no such child, if it is not down, or the supervisor is on its way out.
    pub async fn delete_child(&self, id: impl Into<Arc<str>>) -> Result<ChildSpec, ChildError> {
        let id = id.into();
        ask(&self.0, |reply| ManagementRequest::Delete(id, reply))
            .await
            .unwrap_or(Err(ChildError::ShuttingDown))
    }

    /// Its children, the newest first. OTP's `which_children`.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if it is gone.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, ChildError> {
        look(&self.0, SupervisorState::which_children).await
    }

    /// One of its children. OTP's `which_child`.
    ///
    /// # Errors
    ///
    /// If there is no such child, or the supervisor is gone.
    pub async fn which_child(&self, id: impl Into<Arc<str>>) -> Result<ChildInfo, ChildError> {
        let id = id.into();
        look(&self.0, move |book| book.which_child(&id)).await?.ok_or(ChildError::NotFound)
    }

    /// How many children it has. OTP's `count_children`.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if it is gone.
    pub async fn count_children(&self) -> Result<ChildCounts, ChildError> {
        look(&self.0, SupervisorState::count_children).await
    }

    /// How it treats a child, with every default filled in. OTP's `get_childspec`.
    ///
    /// # Errors
    ///
    /// If there is no such child, or the supervisor is gone.
    pub async fn get_childspec(&self, id: impl Into<Arc<str>>) -> Result<ChildPolicy, ChildError> {
        let id = id.into();
        look(&self.0, move |book| book.policy_of(&id)).await?.ok_or(ChildError::NotFound)
    }
}

impl fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").field("id", self.0.id()).finish_non_exhaustive()
    }
}

pub(super) async fn start_child(
    node: &SupervisorNode,
    child: ChildSpec,
) -> Result<ChildStart, StartChildError> {
    let mut sent = child.share();
    if node.is_dynamic() {
        sent.policy.restart = sent.restart_if_dynamic;
    }
    let started = ask(node, |reply| ManagementRequest::Start(sent, reply))
        .await
        .unwrap_or(Err(StartChildErrorKind::ShuttingDown));
    started.map_err(|why| StartChildError { kind: why, child })
}

/// Starts a child that is started once. The error gives its arguments back, unless they were taken.
pub(super) async fn start_once<M: Send + 'static, T: Send + 'static>(
    node: &SupervisorNode,
    child: Child<M, OwnedArgs<T>>,
) -> Result<Address<M>, StartOnceError<T>> {
    let (address, args) = (child.address(), child.args());
    let started = start_child(node, child.into()).await.map(drop);
    started.map(|()| address).map_err(|error| {
        let (id, kind) = (error.child.id().clone(), error.kind);
        StartOnceError { id, kind, args: args.take() }
    })
}

/// Asks a supervisor; nothing if it is gone, or goes without an answer.
pub(super) async fn ask<T: Send + 'static>(
    node: &SupervisorNode,
    request: impl FnOnce(Reply<T>) -> ManagementRequest + Send,
) -> Option<T> {
    let address = node.address();
    address.call(|reply| DriverMsg::Request(Box::new(request(reply)))).no_timeout().await.ok()
}

/// Looks something up in the book of a supervisor that is there.
pub(super) async fn look<T: Send + 'static>(
    node: &SupervisorNode,
    what: impl FnOnce(&SupervisorState) -> T + Send + 'static,
) -> Result<T, ChildError> {
    let look = |reply: Reply<T>| {
        ManagementRequest::Query(Box::new(move |book| {
            let answer = what(book);
            Box::new(move || reply.send(answer))
        }))
    };
    ask(node, look).await.ok_or(ChildError::ShuttingDown)
}

/// Makes a change to its end, also if nothing waits for that any more. `None` if the runtime ends
/// before.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    match runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn(change).await.ok(),
        Err(_) => Some(change.await),
    }
}
