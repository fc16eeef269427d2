//! Children that are started once, because their only incarnation consumes their arguments.

use std::sync::Arc;

use perennial_actors::host::{Identity, owned_args};
use perennial_actors::{ActorOnce, ExitReason, OwnedArgs, SpawnError};

use super::child::Child;
use crate::node::StartParams;
use crate::policy::{ChildPolicy, Restart};

/// The spec of a child that is an actor `A` and is started once: see [`Child::once`].
pub type ChildOnce<A> = Child<<A as ActorOnce>::Msg, OwnedArgs<<A as ActorOnce>::Args>>;

impl<M: Send + 'static, T: Send + 'static> Child<M, OwnedArgs<T>> {
    /// Creates a child that is an actor `A` and is started once, from arguments that it owns, such
    /// as a session from its socket.
    ///
    /// The child is [temporary](Restart::Temporary). Neither its builder nor
    /// [`change`](crate::SupervisorHandle::change) can set another restart type. If a supervisor
    /// with the child in its spec is restarted, the child declines to start again.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{ActorOnce, Context, ExitReason, Reply, System};
    /// use perennial_supervision::{Child, DynamicSupervisor};
    /// use tokio::sync::mpsc;
    ///
    /// /// A session. A channel stands for its socket here.
    /// struct Session { lines: mpsc::Receiver<String> }
    ///
    /// impl ActorOnce for Session {
    ///     type Msg = Reply<Option<String>>;
    ///     type Args = mpsc::Receiver<String>;
    ///
    ///     async fn init(
    ///         lines: mpsc::Receiver<String>,
    ///         _: &mut Context<Self>,
    ///     ) -> Result<Self, ExitReason> {
    ///         Ok(Session { lines })
    ///     }
    ///
    ///     async fn handle(
    ///         &mut self,
    ///         next: Self::Msg,
    ///         _: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
    ///         next.send(self.lines.recv().await);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
    /// let (client, lines) = mpsc::channel(8);
    /// let session = app.supervisor().start_once(Child::once::<Session>("session", lines)).await?;
    /// client.send("hello".to_owned()).await?;
    /// assert_eq!(session.call(|next| next).await?.as_deref(), Some("hello"));
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The builder has no `restart` and no `backoff`:
    ///
    /// ```compile_fail,E0599
    /// # use perennial_actors::{ActorOnce, Context, ExitReason};
    /// # use perennial_supervision::{Child, Restart};
    /// # struct Session;
    /// # impl ActorOnce for Session {
    /// #     type Msg = ();
    /// #     type Args = ();
    /// #     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
    /// #         Ok(Session)
    /// #     }
    /// #     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// let session = Child::once::<Session>("session", ());
    /// let session = session.restart(Restart::Permanent);
    /// ```
    pub fn once<A: ActorOnce<Msg = M, Args = T>>(id: impl Into<Arc<str>>, args: T) -> Self {
        let args = owned_args(args);
        let given = args.clone();
        let start = Arc::new(move |identity: &Identity<M>, params: StartParams| {
            if given.is_taken() {
                return Err(SpawnError::Failed(ExitReason::Ignore));
            }
            identity.start::<A>(given.clone(), params.parent, params.run)
        });
        let policy = ChildPolicy { restart: Restart::Temporary, once: true, ..ChildPolicy::default() };
        Self::with(id.into(), policy, Restart::Temporary, args, start)
    }

    /// Returns another reference to the arguments, which the spec and the incarnation share.
    pub(crate) fn args(&self) -> OwnedArgs<T> {
        self.kept.clone()
    }
}
