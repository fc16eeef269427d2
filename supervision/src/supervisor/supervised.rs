//! What a child may know of its supervisor.

use perennial_actors::host::{Parent, parent_of};
use perennial_actors::{Actor, Context};

use super::dynamic::DynamicHandle;
use super::handle::SupervisorHandle;
use crate::driver::{SupervisorNode, supervisor_of};
use crate::task::TaskContext;

/// Leads a child to its supervisor, from its own [`Context`] or [`TaskContext`]: OTP's `parent`.
///
/// A supervisor keeps the `Args` of its children, so a handle of it in them would keep both for ever. A child needs none. What
/// is returned here is a full handle: in the state of an incarnation it goes with that; to put it where the supervisor keeps it,
/// [downgrade](SupervisorHandle::downgrade) it.
///
/// A supervisor answers requests when its children have started. An `init` that waits for such an answer waits for itself.
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_supervision::{Child, Supervised, Supervisor};
///
/// /// Starts a sibling when it is asked to.
/// struct Elder;
///
/// impl Actor for Elder {
///     type Msg = Reply<bool>;
///     type Args = ();
///     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Elder) }
///     async fn handle(&mut self, reply: Reply<bool>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
///         let supervisor = ctx.supervisor().ok_or(ExitReason::NoProcess)?;
///         let started = supervisor.start_child(Child::new::<Elder>("younger", ())).await;
///         Ok(reply.send(started.is_ok()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let elder = Child::new::<Elder>("elder", ());
/// let address = elder.address();
/// let app = Supervisor::new("family").child(elder).start(&System::new()).await?;
/// assert!(address.call(|reply| reply).await?);
/// assert!(app.tree().at(["younger"]).is_some());
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub trait Supervised {
    /// Returns the handle of its supervisor, or `None` outside a tree, or if that is a
    /// [dynamic](Self::dynamic_supervisor) one.
    fn supervisor(&self) -> Option<SupervisorHandle>;

    /// Returns the handle of its supervisor if that is a [`DynamicSupervisor`](crate::DynamicSupervisor).
    fn dynamic_supervisor(&self) -> Option<DynamicHandle>;
}

impl<A: Actor> Supervised for Context<A> {
    fn supervisor(&self) -> Option<SupervisorHandle> {
        of_ids(parent_of(self).map(AsRef::as_ref)).map(SupervisorHandle::new)
    }

    fn dynamic_supervisor(&self) -> Option<DynamicHandle> {
        of_pids(parent_of(self).map(AsRef::as_ref)).map(DynamicHandle::new)
    }
}

impl Supervised for TaskContext {
    fn supervisor(&self) -> Option<SupervisorHandle> {
        of_ids(self.parent()).map(SupervisorHandle::new)
    }

    fn dynamic_supervisor(&self) -> Option<DynamicHandle> {
        of_pids(self.parent()).map(DynamicHandle::new)
    }
}

fn of_ids(parent: Option<&dyn Parent>) -> Option<SupervisorNode> {
    supervisor_of(parent?).filter(|node| !node.is_dynamic())
}

fn of_pids(parent: Option<&dyn Parent>) -> Option<SupervisorNode> {
    supervisor_of(parent?).filter(SupervisorNode::is_dynamic)
}
