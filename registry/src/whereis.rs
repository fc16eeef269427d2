//! Sending to actors and calling them by name.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use perennial_actors::{Actor, Address, Call, Context, ProcessState, Reply, System};

use crate::error::{LookupError, NamedCallError, NamedCastError, WaitError};
use crate::label::Name;
use crate::registry::Registry;

/// Lookups, casts and calls by name, on a [`System`], a [`Context`] or the context of a supervised
/// task.
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_registry::{Name, Registry, Whereis};
/// # struct Echo;
/// # impl Actor for Echo {
/// #     type Msg = (String, Reply<String>);
/// #     type Args = ();
/// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Echo) }
/// #     async fn handle(
/// #         &mut self,
/// #         (text, reply): (String, Reply<String>),
/// #         _: &mut Context<Self>,
/// #     ) -> Result<(), ExitReason> {
/// #         Ok(reply.send(text))
/// #     }
/// # }
///
/// const ECHO: Name<(String, Reply<String>)> = Name::new("echo");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// Registry::of(&system).bind(ECHO, &system.spawn::<Echo>(()).await?)?;
/// assert_eq!(system.call_to(ECHO, |reply| ("hello".to_owned(), reply)).await?, "hello");
/// # Ok(())
/// # }
/// ```
pub trait Whereis {
    /// Returns the registry in which names are looked up.
    fn registry(&self) -> &Registry;

    /// Returns the address of the actor to which a name leads. A message sent there during a
    /// restart is queued.
    ///
    /// # Errors
    ///
    /// The errors of [`Registry::whereis`].
    fn whereis<M: Send + 'static>(&self, name: impl Borrow<Name<M>>) -> Result<Address<M>, LookupError> {
        self.registry().whereis(name)
    }

    /// Returns the address of the actor to which a name leads, if an incarnation runs. It is for
    /// callers that have an alternative to waiting for a restart.
    ///
    /// # Errors
    ///
    /// The errors of [`Registry::whereis`], and [`LookupError::Restarting`] with the known details
    /// of the restart.
    fn whereis_alive<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
    ) -> Result<Address<M>, LookupError> {
        let name = name.borrow();
        let address = self.registry().whereis(name)?;
        match address.state() {
            ProcessState::Pending => {
                let pending =
                    address.handle().pending_restart().map(|pending| (pending.reason, pending.retry_in));
                let (reason, retry_in) = pending.unzip();
                Err(LookupError::Restarting { name: name.text(), reason, retry_in })
            }
            // It has ended for good since the lookup.
            ProcessState::Closed => Err(LookupError::NotFound(name.text())),
            _ => Ok(address),
        }
    }

    /// Sends a message to the actor to which a name leads; see [`Address::cast`].
    ///
    /// # Errors
    ///
    /// If the lookup fails, or the mailbox rejects the message. The error holds the message.
    fn cast_to<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        message: M,
    ) -> Result<(), NamedCastError<M>> {
        match self.whereis(name) {
            Ok(address) => address.cast(message).map_err(NamedCastError::Send),
            Err(error) => Err(NamedCastError::Lookup(error, message)),
        }
    }

    /// Calls the actor to which a name leads now; see [`Address::call`]. The lookup happens in this
    /// call, not when the future is polled. The future borrows nothing.
    ///
    /// # Errors
    ///
    /// If the lookup or the call fails.
    fn call_to<M, T>(
        &self,
        name: impl Borrow<Name<M>>,
        message: impl FnOnce(Reply<T>) -> M,
    ) -> NamedCall<M, T>
    where
        M: Send + 'static,
        T: Send + 'static,
    {
        NamedCall(self.whereis(name).map(|address| address.call(message)))
    }

    /// Waits until a name is bound; see [`Registry::wait_for`].
    ///
    /// # Errors
    ///
    /// The errors of [`Registry::wait_for`].
    fn wait_for<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>> + Send,
        timeout: Duration,
    ) -> impl Future<Output = Result<Address<M>, WaitError>> + Send {
        self.registry().wait_for(name, timeout)
    }
}

/// A [`Call`] by name: a future that resolves to the reply or to an error.
///
/// # Cancel safety
///
/// The same as for [`Call`].
#[must_use = "nothing is sent before it is awaited"]
pub struct NamedCall<M: Send + 'static, T>(Result<Call<M, T>, LookupError>);

impl<M: Send + 'static, T> NamedCall<M, T> {
    /// Sets how long the call waits for a reply; see [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.map(|call| call.timeout(timeout)))
    }

    /// Removes the time limit of the call; see [`Call::no_timeout`].
    pub fn no_timeout(self) -> Self {
        Self(self.0.map(Call::no_timeout))
    }

    /// Makes the call and blocks the thread until it resolves; see [`Call::blocking`].
    ///
    /// # Errors
    ///
    /// The errors of [`Whereis::call_to`] and [`Call::blocking`].
    pub fn blocking(self) -> Result<T, NamedCallError<M>> {
        match self.0 {
            Ok(call) => call.blocking().map_err(NamedCallError::Call),
            Err(error) => Err(NamedCallError::Lookup(error)),
        }
    }
}

impl<M: Send + 'static, T> Future for NamedCall<M, T> {
    type Output = Result<T, NamedCallError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(call) => Pin::new(call).poll(cx).map_err(NamedCallError::Call),
            Err(error) => Poll::Ready(Err(NamedCallError::Lookup(error.clone()))),
        }
    }
}

impl<M: Send + 'static, T> fmt::Debug for NamedCall<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamedCall").field(&self.0).finish()
    }
}

impl Whereis for System {
    #[inline]
    fn registry(&self) -> &Registry {
        Registry::of(self)
    }
}

impl<A: Actor> Whereis for Context<A> {
    #[inline]
    fn registry(&self) -> &Registry {
        Registry::of(self.system())
    }
}
