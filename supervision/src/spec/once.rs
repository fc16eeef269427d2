//! Children that are started once, because their arguments go with their only incarnation.

use std::sync::Arc;

use perennial_actors::host::owned_args;
use perennial_actors::{ActorOnce, ExitReason, OwnedArgs, StartError};

use super::actor_node::StartFn;
use super::child::Child;
use crate::policy::{ChildPolicy, Restart};

/// The spec of a child that is an actor `A` and is started once: see [`Child::once`].
pub type ChildOnce<A> = Child<<A as ActorOnce>::Msg, OwnedArgs<<A as ActorOnce>::Args>>;

impl<M: Send + 'static, T: Send + 'static> Child<M, OwnedArgs<T>> {
    /// A child that is an actor `A`, which is started once, from arguments that it owns: a session
    /// with its socket.
    ///
    /// It is [temporary](Restart::Temporary), which cannot be set otherwise: neither by its builder
    /// nor by [`change`](crate::SupervisorHandle::change). If the supervisor in whose spec it stands
    /// is restarted, it declines to start again.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{ActorOnce, Context, ExitReason, Reply, System};
    /// use perennial_supervision::{Child, DynamicSupervisor};
    /// use tokio::io::DuplexStream;
    ///
    /// struct Session { socket: DuplexStream }
    ///
    /// impl ActorOnce for Session {
    ///     type Msg = Reply<bool>;
    ///     type Args = DuplexStream;
    ///     async fn init(socket: DuplexStream, _: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         Ok(Session { socket })
    ///     }
    ///     async fn handle(&mut self, reply: Reply<bool>, _: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         use tokio::io::AsyncWriteExt;
    ///         Ok(reply.send(self.socket.write_all(b"hello").await.is_ok()))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = DynamicSupervisor::new("sessions").start(&System::new()).await?;
    /// let (_client, socket) = tokio::io::duplex(64);
    /// let session = Child::once::<Session>("session", socket);
    /// let address = app.supervisor().start_once(session).await?;
    /// assert!(address.call(|reply| reply).await?);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It has no `restart` and no `backoff`:
    ///
    /// ```compile_fail,E0599
    /// # use perennial_actors::{ActorOnce, Context, ExitReason};
    /// # use perennial_supervision::{Child, Restart};
    /// # struct Session;
    /// # impl ActorOnce for Session {
    /// #     type Msg = ();
    /// #     type Args = ();
    /// #     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Session) }
    /// #     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// let session = Child::once::<Session>("session", ());
    /// let session = session.restart(Restart::Permanent);
    /// ```
    pub fn once<A: ActorOnce<Msg = M, Args = T>>(id: impl Into<Arc<str>>, args: T) -> Self {
        let args = owned_args(args);
        let given = args.clone();
        let start: Arc<StartFn<M>> = Arc::new(move |identity, birth| {
            if given.is_taken() {
                return Err(StartError::Failed(ExitReason::Ignore));
            }
            identity.start::<A>(given.clone(), birth.parent, birth.run)
        });
        let policy = ChildPolicy { restart: Restart::Temporary, once: true, ..ChildPolicy::default() };
        Self::with(id.into(), policy, Restart::Temporary, args, start)
    }

    /// Returns the arguments, which belong to the spec and to the incarnation too.
    pub(crate) fn args(&self) -> OwnedArgs<T> {
        self.kept.clone()
    }
}
