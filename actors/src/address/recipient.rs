//! An address that is narrowed to a part of what its actor understands.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::errors::SendError;
use super::handle::ActorHandle;
use super::permit::Permit;
use super::send::unsent;
use super::typed::Address;

/// Reaches an actor that understands `N`, whatever else it understands, and whatever its type: the actor's own message is made
/// [`From`] it.
///
/// Cheap to clone. Two are equal if they reach the same actor.
///
/// ```
/// # use perennial_actors::{Actor, Context, ExitReason, Recipient, Reply, System};
/// # struct Log(u32);
/// struct Line(String);
///
/// enum Msg {
///     Line(Line),
///     Count(Reply<u32>),
/// }
///
/// impl From<Line> for Msg {
///     fn from(line: Line) -> Self {
///         Self::Line(line)
///     }
/// }
/// # impl Actor for Log {
/// #     type Msg = Msg;
/// #     type Args = ();
/// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self(0)) }
/// #     async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
/// #         match msg {
/// #             Msg::Line(Line(text)) => self.0 += u32::from(!text.is_empty()),
/// #             Msg::Count(reply) => reply.send(self.0),
/// #         }
/// #         Ok(())
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let log = System::new().spawn::<Log>(()).await?;
/// let lines: Recipient<Line> = log.recipient();
/// lines.cast(Line("one".into()))?;
/// assert_eq!(log.call(Msg::Count).await?, 1);
/// # Ok(())
/// # }
/// ```
pub struct Recipient<N>(Arc<dyn Receive<N>>);

/// A future that is boxed, because what is behind it is not known.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Receive<N>: Send + Sync {
    fn cast(&self, part: N) -> Result<(), SendError<N>>;
    fn send(&self, part: N) -> Boxed<'_, Result<(), SendError<N>>>;
    fn handle(&self) -> ActorHandle;
}

impl<N: Send + 'static, M: From<N> + Send + 'static> Receive<N> for Address<M> {
    fn cast(&self, part: N) -> Result<(), SendError<N>> {
        match self.try_reserve() {
            Ok(permit) => {
                put(permit, part);
                Ok(())
            }
            Err(SendError::Full(_)) => self.cast_part_to_full(part),
            Err(error) => Err(error.with(part)),
        }
    }

    fn send(&self, part: N) -> Boxed<'_, Result<(), SendError<N>>> {
        Box::pin(async move {
            match self.reserve().await {
                Ok(permit) => {
                    put(permit, part);
                    Ok(())
                }
                Err(error) => Err(error.with(part)),
            }
        })
    }

    fn handle(&self) -> ActorHandle {
        Self::handle(self)
    }
}

impl<M: Send + 'static> Address<M> {
    /// What happens is for the mailbox to say. Either way nothing is converted that is not going in.
    #[cold]
    fn cast_part_to_full<N>(&self, part: N) -> Result<(), SendError<N>>
    where
        M: From<N>,
    {
        let kept = self.process().overflow_part(part).map_err(|refused| unsent(self.process(), refused))?;
        if let Some(part) = kept {
            put(Permit::new(self.process().clone()), part);
        }
        Ok(())
    }
}

/// Puts a message in its place. Made only now, when there is one: what does not get in has to come back as it was.
fn put<N, M: From<N> + Send + 'static>(permit: Permit<M>, part: N) {
    permit.send_or_bury(part.into());
}

impl<N: Send + 'static> Recipient<N> {
    /// Puts a message into the mailbox, or gives it back; see [`Address::cast`].
    ///
    /// The actor's message is made only when it has a place, under no lock. If the actor ends between the two, the message
    /// was sent and goes to the dead letters.
    ///
    /// # Errors
    ///
    /// As of [`Address::cast`]. The place that another cast has taken for a message that it is making counts as reserved.
    pub fn cast(&self, part: N) -> Result<(), SendError<N>> {
        self.0.cast(part)
    }

    /// Puts a message into the mailbox as soon as there is room; see [`Address::send`].
    ///
    /// # Errors
    ///
    /// As of [`Address::send`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message was not sent.
    pub async fn send(&self, part: N) -> Result<(), SendError<N>> {
        self.0.send(part).await
    }

    /// The actor without the type of its messages.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.0.handle()
    }
}

impl<M: Send + 'static> Address<M> {
    /// The same actor for those who need to know only that it understands `N`.
    #[must_use]
    pub fn recipient<N: Send + 'static>(&self) -> Recipient<N>
    where
        M: From<N>,
    {
        Recipient(Arc::new(self.clone()))
    }
}

impl<N> Clone for Recipient<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<N> PartialEq for Recipient<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.handle() == other.0.handle()
    }
}

impl<N> Eq for Recipient<N> {}

impl<N> fmt::Debug for Recipient<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipient").field(&self.0.handle()).finish()
    }
}
