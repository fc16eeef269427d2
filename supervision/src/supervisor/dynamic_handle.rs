//! Starting and managing the children of a dynamic supervisor.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Address, Monitor, OwnedArgs, Pid};

use super::requests::{query, start_child, start_once, terminate_child};
use crate::driver::{Query, SupervisorNode, WeakSupervisorNode};
use crate::engine::Target;
use crate::error::{ChildError, StartChildError, StartOnceError};
use crate::node::ChildNode;
use crate::policy::ChildPolicy;
use crate::spec::{Child, ChildSpec};
use crate::tree::{ChildCounts, ChildInfo, ChildStart, Tree};

/// The handle of a dynamic supervisor, which starts and manages its children. It reaches the
/// current incarnation.
///
/// # Cancel safety
///
/// If the future of a request is dropped after its first poll, the request is executed all the
/// same.
#[derive(Clone)]
pub struct DynamicHandle(SupervisorNode);

/// A handle that does not keep the supervisor alive: see
/// [`WeakSupervisorHandle`](crate::WeakSupervisorHandle).
#[derive(Clone)]
pub struct WeakDynamicHandle(WeakSupervisorNode);

impl WeakDynamicHandle {
    /// Returns the handle, or `None` if the supervisor was dropped.
    ///
    #[doc = supervision_example!(
        r#"let supervisor = DynamicSupervisor::new("sessions");
let weak = supervisor.handle().downgrade();
assert!(weak.upgrade().is_some());
drop(supervisor);
assert!(weak.upgrade().is_none());"#
    )]
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

    /// Returns a handle that does not keep the supervisor alive.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
let weak = app.supervisor().downgrade();
assert!(weak.upgrade().is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn downgrade(&self) -> WeakDynamicHandle {
        WeakDynamicHandle(self.0.downgrade())
    }

    /// Returns a snapshot of the tree below this supervisor, without a request to any supervisor.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
app.supervisor().start_child(clock("session")).await?;
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
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
app.supervisor().handle().kill()?;
assert!(matches!(app.join().await, ExitReason::Killed));"#
    )]
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.0.handle()
    }

    /// Returns a future that resolves to the exit reason of the current incarnation of the
    /// supervisor, once that has ended. See [`Monitor`].
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
let down = app.supervisor().monitor();
assert!(app.shutdown().await.is_clean());
assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));"#
    )]
    pub fn monitor(&self) -> Monitor {
        self.handle().monitor()
    }

    /// Adds a child and starts it. Resolves once it has started. The id is informative and need not
    /// be unique.
    ///
    /// If the maximum number of children is reached and some of them are being started or stopped,
    /// the request waits until these starts and stops are done, and for none that begins later.
    /// Waiting requests are executed in order of arrival.
    ///
    /// # Errors
    ///
    /// See [`StartChildErrorKind`](crate::StartChildErrorKind). The error gives the spec back.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
app.supervisor().start_child(clock("session")).await?;
assert_eq!(app.supervisor().count_children().await?.active, 1);
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
    /// # use perennial_supervision::{Child, DynamicSupervisor};
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
    /// let app = DynamicSupervisor::new("app").start(&System::new()).await?;
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

    /// Stops a child and removes it, also while it is being restarted.
    ///
    /// `pid` may be that of any incarnation of the child, also of an ended one. The pid that
    /// [`start_child`](Self::start_child) returned therefore identifies the child for as long as it
    /// exists.
    ///
    /// # Errors
    ///
    /// No child has this pid, or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
if let ChildStart::Started(pid) = app.supervisor().start_child(clock("session")).await? {
    app.supervisor().terminate_child(pid).await?;
}
assert_eq!(app.supervisor().count_children().await?.specs, 0);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), ChildError> {
        terminate_child(&self.0, Target::Pid(pid)).await
    }

    /// Returns the children, newest first.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
app.supervisor().start_child(clock("session")).await?;
assert_eq!(&*app.supervisor().which_children().await?[0].id, "session");
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, ChildError> {
        query(&self.0, Query::WhichChildren).await
    }

    /// Returns the numbers of children.
    ///
    /// # Errors
    ///
    /// [`ChildError::ShuttingDown`] if the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
assert_eq!(app.supervisor().count_children().await?.active, 0);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn count_children(&self) -> Result<ChildCounts, ChildError> {
        query(&self.0, Query::CountChildren).await
    }

    /// Returns the policy of a child, including all defaults.
    ///
    /// # Errors
    ///
    /// There is no such child, or the supervisor is gone.
    ///
    #[doc = supervision_example!(
        r#"let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
if let ChildStart::Started(pid) = app.supervisor().start_child(clock("session")).await? {
    assert_eq!(app.supervisor().get_childspec(pid).await?.restart, Restart::Transient);
}
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn get_childspec(&self, pid: Pid) -> Result<ChildPolicy, ChildError> {
        query(&self.0, |reply| Query::Policy(Target::Pid(pid), reply)).await?.ok_or(ChildError::NotFound)
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
