//! Actors that are started once, from arguments that they own.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::traits::{Actor, Context};
use crate::exit::ExitReason;
use crate::foreign::Foreign;
use crate::signal::Signal;
use crate::sync::Mutex;

/// An actor that is started once, from arguments that it owns: what [`FnOnce`] is to [`Fn`].
///
/// A session owns its socket, so it cannot be restarted after a crash. Such an actor implements
/// this trait instead of [`Actor`], which is then implemented for it. Only its start differs: by
/// [`System::spawn_once`](crate::System::spawn_once), or as a child that is started once and never
/// restarted.
///
/// # Guarantees
///
/// - `init` is called at most once with the given arguments.
/// - Arguments that `init` has not taken are returned in the error of the start, or are dropped
///   with the child specification.
///
/// # Examples
///
/// ```
/// use perennial_actors::{ActorOnce, Context, ExitReason, Reply, System};
/// use tokio::sync::mpsc;
///
/// /// A channel of lines stands for the socket.
/// struct Session {
///     lines: mpsc::Receiver<String>,
/// }
///
/// impl ActorOnce for Session {
///     type Msg = Reply<Option<String>>;
///     type Args = mpsc::Receiver<String>;
///
///     async fn init(
///         lines: mpsc::Receiver<String>,
///         _: &mut Context<Self>,
///     ) -> Result<Self, ExitReason> {
///         Ok(Self { lines })
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
/// let (client, lines) = mpsc::channel(8);
/// let session = System::new().spawn_once::<Session>(lines).await?;
/// client.send("hello".to_owned()).await?;
/// assert_eq!(session.call(|reply| reply).await?.as_deref(), Some("hello"));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an actor that is started in this way",
    label = "implement `Actor` for this type, or `ActorOnce` if it is to be started once",
    note = "an `Actor` is started by `System::spawn` or `Child::new`",
    note = "an `ActorOnce` is started by `System::spawn_once` or `Child::once`"
)]
pub trait ActorOnce: Sized + Send + 'static {
    /// The type of its messages.
    type Msg: Send + 'static;

    /// The arguments of the start, by value.
    type Args: Send + 'static;

    /// Makes the state of the actor: see [`Actor::init`].
    ///
    /// # Errors
    ///
    /// The start fails with the returned reason.
    fn init(
        args: Self::Args,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Handles one message: see [`Actor::handle`].
    ///
    /// # Errors
    ///
    /// The actor ends with the returned reason.
    fn handle(
        &mut self,
        msg: Self::Msg,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send;

    /// Acts on a signal: see [`Actor::signal`]. Does nothing by default.
    ///
    /// # Errors
    ///
    /// The actor ends with the returned reason.
    fn signal(
        &mut self,
        signal: Signal,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = (signal, ctx);
        async { Ok(()) }
    }

    /// Returns the part of the state that may be inspected and replaced: see
    /// [`Actor::debug_state`].
    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        None
    }

    /// Runs last on every exit, except after a kill or a failed `init`: see [`Actor::terminate`].
    fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        let _ = (reason, ctx);
        async {}
    }
}

#[diagnostic::do_not_recommend]
impl<A: ActorOnce> Actor for A {
    type Msg = <A as ActorOnce>::Msg;
    type Args = OwnedArgs<<A as ActorOnce>::Args>;

    fn init(
        args: &Self::Args,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send {
        // A second incarnation has no arguments.
        let init = args.take().map(|args| <A as ActorOnce>::init(args, ctx));
        async move {
            match init {
                Some(init) => init.await,
                None => Err(ExitReason::Ignore),
            }
        }
    }

    fn handle(
        &mut self,
        msg: <A as ActorOnce>::Msg,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        <A as ActorOnce>::handle(self, msg, ctx)
    }

    fn signal(
        &mut self,
        signal: Signal,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        <A as ActorOnce>::signal(self, signal, ctx)
    }

    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        <A as ActorOnce>::debug_state(self)
    }

    fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        <A as ActorOnce>::terminate(self, reason, ctx)
    }
}

/// The arguments of an actor that is started once, until its `init` takes them. Clones share them.
///
/// If they are never taken, they are dropped in a task of their own.
pub struct OwnedArgs<T: Send + 'static>(Arc<Mutex<Option<Foreign<T>>>>);

/// Wraps the arguments of an actor that is started once.
#[must_use]
pub fn owned_args<T: Send + 'static>(args: T) -> OwnedArgs<T> {
    OwnedArgs(Arc::new(Mutex::new(Some(Foreign::new(args)))))
}

impl<T: Send + 'static> OwnedArgs<T> {
    /// Takes the arguments, or returns `None` if they were taken before.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        let args = self.0.lock().take();
        args?.into_inner()
    }

    /// Returns `true` if the arguments were taken.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.0.lock().is_none()
    }
}

impl<T: Send + 'static> Clone for OwnedArgs<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> fmt::Debug for OwnedArgs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedArgs").field("is_taken", &self.is_taken()).finish()
    }
}
