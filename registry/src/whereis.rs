//! Sending and calling through a name.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use perennial_actors::{Actor, Address, Call, Context, ProcessState, Reply, System};

use crate::error::{LookupError, NamedCallError, NamedCastError, WaitError};
use crate::name::Name;
use crate::registry::Registry;

/// Reaches actors by their names, from a [`System`], from inside an actor, or from a task of a supervisor.
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_registry::{Name, Registry, Whereis};
/// # struct Echo;
/// # impl Actor for Echo {
/// #     type Msg = (String, Reply<String>);
/// #     type Args = ();
/// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Echo) }
/// #     async fn handle(&mut self, (name_key, reply): (String, Reply<String>), _: &mut Context<Self>) -> Result<(), ExitReason> {
/// #         Ok(reply.send(name_key))
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
    /// The registry in which names are looked up.
    fn registry(&self) -> &Registry;

    /// The address that a name leads to. If its actor is just being restarted, what is sent there is queued.
    ///
    /// # Errors
    ///
    /// As of [`Registry::whereis`].
    fn whereis<M: Send + 'static>(&self, name: impl Borrow<Name<M>>) -> Result<Address<M>, LookupError> {
        self.registry().whereis(name)
    }

    /// The address that a name leads to, if its actor lives: for those who would rather do something else than wait.
    ///
    /// # Errors
    ///
    /// As of [`Registry::whereis`], and [`LookupError::Restarting`] with what is known of the restart.
    fn whereis_alive<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
    ) -> Result<Address<M>, LookupError> {
        let name = name.borrow();
        let address = self.registry().whereis(name)?;
        match address.state() {
            ProcessState::Pending => {
                let outage =
                    address.handle().pending_restart().map(|outage| (outage.reason, outage.retry_in));
                let (reason, retry_in) = outage.unzip();
                Err(LookupError::Restarting { name: name.text(), reason, retry_in })
            }
            // It has ended for good since it was found.
            ProcessState::Closed => Err(LookupError::NotFound(name.text())),
            _ => Ok(address),
        }
    }

    /// Puts a message into the mailbox of the actor that a name leads to; see [`Address::cast`].
    ///
    /// # Errors
    ///
    /// If it leads nowhere, or to an actor that takes other messages, or whose mailbox does not take this one. The message comes
    /// back.
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

    /// Calls the actor that a name leads to at this moment; see [`Address::call`]. The future owns what it needs.
    ///
    /// # Errors
    ///
    /// If it leads nowhere, or to an actor that takes other messages, or the call fails.
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

    /// Waits until a name leads to an actor; see [`Registry::wait_for`].
    ///
    /// # Errors
    ///
    /// As of [`Registry::wait_for`].
    fn wait_for<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>> + Send,
        deadline: Duration,
    ) -> impl Future<Output = Result<Address<M>, WaitError>> + Send {
        self.registry().wait_for(name, deadline)
    }
}

/// A [`Call`] by name: a future that resolves to the answer, or to why there is none.
///
/// # Cancel safety
///
/// As of [`Call`].
#[must_use = "nothing is sent before it is awaited"]
pub struct NamedCall<M: Send + 'static, T>(Result<Call<M, T>, LookupError>);

impl<M: Send + 'static, T> NamedCall<M, T> {
    /// Sets the time that the call waits; see [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.map(|call| call.timeout(timeout)))
    }

    /// Lets the call wait without a limit; see [`Call::no_timeout`].
    pub fn no_timeout(self) -> Self {
        Self(self.0.map(Call::no_timeout))
    }

    /// Makes the call from synchronous code; see [`Call::from_blocking_fn`].
    ///
    /// # Errors
    ///
    /// As of [`Whereis::call_to`] and [`Call::from_blocking_fn`].
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
    fn registry(&self) -> &Registry {
        Registry::of(self)
    }
}

impl<A: Actor> Whereis for Context<A> {
    fn registry(&self) -> &Registry {
        Registry::of(self.system())
    }
}
