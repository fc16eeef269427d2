//! Access of a child to its supervisor.

use perennial_actors::host::{Parent, parent_of};
use perennial_actors::{Actor, Context};

use super::dynamic::DynamicHandle;
use super::group::{Dynamic, Static};
use super::handle::SupervisorHandle;
use crate::driver::{SupervisorNode, supervisor_of};
use crate::task::TaskContext;

/// Returns a child's supervisor from its own [`Context`] or [`TaskContext`]: OTP's `parent`.
///
/// A child needs no handle of its supervisor in its `Args`. The supervisor keeps the `Args` of its
/// children, so such a handle would keep both alive for ever. The handles that these methods return
/// keep the supervisor too. Held in the state of an incarnation, they are dropped with it. To store
/// one in the `Args`, [downgrade](SupervisorHandle::downgrade) it.
///
/// # Deadlocks
///
/// A supervisor answers requests after its children have started. An `init` that waits for such an
/// answer waits for itself.
///
/// # Examples
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_supervision::{Child, Supervised, Supervisor};
///
/// /// Starts a sibling on request.
/// struct Elder;
///
/// impl Actor for Elder {
///     type Msg = Reply<bool>;
///     type Args = ();
///     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Elder) }
///     async fn handle(
///         &mut self, reply: Reply<bool>, ctx: &mut Context<Self>,
///     ) -> Result<(), ExitReason> {
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
    /// Returns the handle of the supervisor. Returns `None` outside a tree and below a
    /// [dynamic](Self::dynamic_supervisor) supervisor.
    fn supervisor(&self) -> Option<SupervisorHandle>;

    /// Returns the handle of the supervisor if it is a
    /// [`DynamicSupervisor`](crate::DynamicSupervisor).
    fn dynamic_supervisor(&self) -> Option<DynamicHandle>;
}

impl<A: Actor> Supervised for Context<A> {
    fn supervisor(&self) -> Option<SupervisorHandle> {
        static_supervisor(parent_of(self).map(AsRef::as_ref))
    }

    fn dynamic_supervisor(&self) -> Option<DynamicHandle> {
        dynamic_supervisor(parent_of(self).map(AsRef::as_ref))
    }
}

impl Supervised for TaskContext {
    fn supervisor(&self) -> Option<SupervisorHandle> {
        static_supervisor(self.parent())
    }

    fn dynamic_supervisor(&self) -> Option<DynamicHandle> {
        dynamic_supervisor(self.parent())
    }
}

fn static_supervisor(parent: Option<&dyn Parent>) -> Option<SupervisorHandle> {
    let node = supervisor_of(parent?).filter(|node| !node.is_dynamic())?;
    Some(SupervisorHandle::new(node, Static))
}

fn dynamic_supervisor(parent: Option<&dyn Parent>) -> Option<DynamicHandle> {
    let node = supervisor_of(parent?).filter(SupervisorNode::is_dynamic)?;
    Some(SupervisorHandle::new(node, Dynamic))
}
