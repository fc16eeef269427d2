//! Supervisors whose children have unique ids and a start order.

use std::sync::Arc;

use perennial_actors::ActorHandle;

use super::builder::SupervisorBuilder;
use super::group::{ChildGroup, Static};
use super::handle::SupervisorHandle;
use super::requests::{child_start, query, send};
use crate::driver::{Answer, Query, Specs};
use crate::engine::{Request, Target};
use crate::error::{ChangeError, ChildError};
use crate::policy::{AutoShutdown, Strategy, SupervisorKind};
use crate::spec::{ChildSpec, IntoChildren, SupervisorSpec};
use crate::tree::{ChildInfo, ChildStart};

/// The spec of a supervisor of a list of children, which start in order and depend on each other.
///
/// Defaults: [`Strategy::OneForOne`], 1 restart within 5 seconds, no automatic shutdown, and
/// `Permanent` as a child. As a child it always has an infinite shutdown timeout, because it waits
/// for its own children.
pub type Supervisor = SupervisorBuilder<Static>;

impl Supervisor {
    /// Creates a supervisor without children.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").start(&System::new()).await?;
assert!(app.tree().children.is_empty());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self::with(id.into(), SupervisorSpec::ordered(), Static)
    }

    /// Sets whether the supervisor ends when its significant children end.
    ///
    #[doc = supervision_example!(
        r#"let job = Child::task("job", |_| async { Ok(()) }).restart(Restart::Transient).significant();
let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(job);
let app = tree.start(&System::new()).await?;
assert!(matches!(app.join().await, ExitReason::Shutdown(_)));"#
    )]
    pub const fn auto_shutdown(mut self, value: AutoShutdown) -> Self {
        if let SupervisorKind::Static { auto_shutdown, .. } = &mut self.spec.kind {
            *auto_shutdown = value;
        }
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
}

impl<G: ChildGroup<ChildId = Arc<str>>> SupervisorBuilder<G> {
    /// Sets which siblings are restarted together with a child. The default is
    /// [`Strategy::OneForOne`].
    ///
    #[doc = supervision_example!(
        r#"let tree = Supervisor::new("app").strategy(Strategy::OneForAll);
let app = tree.child(clock("a")).child(clock("b")).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub const fn strategy(mut self, value: Strategy) -> Self {
        if let SupervisorKind::Static { strategy, .. } = &mut self.spec.kind {
            *strategy = value;
        }
        self
    }
}

impl SupervisorHandle {
    /// Replaces the spec of the supervisor, for this incarnation and the following ones: OTP's
    /// `code_change`.
    ///
    /// - The settings of the supervisor apply at once.
    /// - A child whose id exists in both specs keeps running, with its mailbox. The policy of the
    ///   new spec applies to it from now on. Its code does not change: for that, delete it and
    ///   start it anew.
    /// - A child that is new is added and not started: see [`restart_child`](Self::restart_child).
    /// - A child that the new spec does not contain stays until the supervisor is restarted.
    /// - The id of the supervisor and its own policy as a child do not change.
    ///
    /// # Errors
    ///
    /// An invalid spec, also one that is invalid only for a child that keeps running: a handler
    /// deadline for a [task](crate::Child::task). Or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("a")).start(&System::new()).await?;
let supervisor = app.supervisor();
supervisor.change(Supervisor::new("app").child(clock("a")).child(clock("b"))).await?;
supervisor.restart_child("b").await?;
assert_eq!(supervisor.count_children().await?.active, 2);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn change(&self, supervisor: Supervisor) -> Result<(), ChangeError> {
        supervisor.spec.check(self.node.id()).map_err(ChangeError::Spec)?;
        let (request, specs) = Specs::of_supervisor(supervisor.spec);
        send(&self.node.address(), request, specs).await.result.map(drop).map_err(ChangeError::from)
    }
}

impl<G: ChildGroup<ChildId = Arc<str>>> SupervisorHandle<G> {
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
        self.node.child(id)
    }

    /// Starts a stopped child. The same mailbox opens again. A failed start is not retried. OTP's
    /// `restart_child`.
    ///
    /// # Errors
    ///
    /// There is no such child, it is not stopped, it did not start, its
    /// [start limit](crate::Child::start_limit) holds, or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
app.supervisor().terminate_child("clock").await?;
app.supervisor().restart_child("clock").await?;
assert_eq!(app.supervisor().count_children().await?.active, 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn restart_child(&self, id: impl Into<Arc<str>>) -> Result<ChildStart, ChildError> {
        let request = Request::Restart(Target::Id(id.into()));
        let Answer { result, pid, .. } = send(&self.node.address(), request, Specs::None).await;
        Ok(result.map(|_| child_start(pid))?)
    }

    /// Forgets the starts of a child that count for its [start limit](crate::Child::start_limit). A
    /// [failed](crate::ChildState::Failed) child is a stopped one then, and can be
    /// [started](Self::restart_child). A running child goes on. systemd's `reset-failed`.
    ///
    /// # Errors
    ///
    /// There is no such child, or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let limited = clock("clock").start_limit(1, Duration::from_secs(10));
let app = Supervisor::new("app").child(limited).start(&System::new()).await?;
let supervisor = app.supervisor();
supervisor.terminate_child("clock").await?;
assert_eq!(supervisor.restart_child("clock").await, Err(ChildError::StartLimitHit));
supervisor.reset_failed("clock").await?;
supervisor.restart_child("clock").await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn reset_failed(&self, id: impl Into<Arc<str>>) -> Result<(), ChildError> {
        let request = Request::ResetFailed(Target::Id(id.into()));
        Ok(send(&self.node.address(), request, Specs::None).await.result.map(drop)?)
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
        let request = Request::Delete(Target::Id(id.into()));
        let Answer { result, deleted, .. } = send(&self.node.address(), request, Specs::None).await;
        result.map_err(ChildError::from).and(deleted.ok_or(ChildError::NotFound))
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
        query(&self.node, |reply| Query::WhichChild(id, reply)).await?.ok_or(ChildError::NotFound)
    }
}
