//! An address that is narrowed to some of its actor's messages.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use tokio::task;

use super::call::Call;
use super::callee::{CalledProcess, Callee};
use super::errors::SendError;
use super::handle::ActorHandle;
use super::permit::Permit;
use super::reply::Reply;
use super::send::{SendState, unsent};
use super::typed::Address;
use crate::mailbox::{AnyMailbox, PushError};
use crate::system::AnyProcess;

/// The address of any actor that accepts messages `N`, whatever its own message type: that type is
/// [`From<N>`](From).
///
/// It is cheap to clone. Two are equal if they reach the same actor.
///
/// # Examples
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

/// A boxed future, because the type of the actor is erased.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Receive<N>: Send + Sync {
    fn cast(&self, part: N) -> Result<(), SendError<N>>;
    fn send(&self, part: N) -> Boxed<'_, Result<(), SendError<N>>>;
    fn enter(&self, entry: &mut PartEntry<N>, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>>;
    fn cancel(&self, entry: &mut PartEntry<N>);
    fn process(&self) -> &(dyn CalledProcess + 'static);
    fn handle(&self) -> ActorHandle;
}

/// A part that is being sent. It is converted to the actor's message when room is reserved.
pub(super) struct PartEntry<N> {
    part: Option<N>,
    reservation: SendState<()>,
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

    fn enter(&self, entry: &mut PartEntry<N>, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>> {
        let process = self.process();
        if task::try_id().is_some_and(|caller| process.queue.is_run_by(caller))
            || process.waits_for_this_task()
        {
            Receive::cancel(self, entry);
            let refused = entry.part.take().map(PushError::WouldDeadlock);
            return Poll::Ready(Err(refused));
        }
        let Poll::Ready(reserved) = entry.reservation.poll_reserve(process, waker) else {
            return Poll::Pending;
        };
        let Some(part) = entry.part.take() else { return Poll::Pending };
        Poll::Ready(match reserved {
            Ok(permit) => put(permit, part).ok_or(None),
            Err(refused) => Err(Some(refused.map(|()| part))),
        })
    }

    fn cancel(&self, entry: &mut PartEntry<N>) {
        entry.reservation.cancel_reserve(self.process());
    }

    fn process(&self) -> &(dyn CalledProcess + 'static) {
        &**Self::process(self)
    }

    fn handle(&self) -> ActorHandle {
        Self::handle(self)
    }
}

impl<N: Send + 'static> Callee<N> for Recipient<N> {
    type Process = dyn CalledProcess;
    type Entry = PartEntry<N>;

    fn process(&self) -> &(dyn CalledProcess + 'static) {
        self.0.process()
    }

    fn entry(part: N) -> PartEntry<N> {
        PartEntry { part: Some(part), reservation: SendState::New(()) }
    }

    fn enter(&self, entry: &mut PartEntry<N>, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>> {
        self.0.enter(entry, waker)
    }

    fn cancel(&self, entry: &mut PartEntry<N>) -> Option<N> {
        self.0.cancel(entry);
        entry.part.take()
    }
}

impl<M: Send + 'static> Address<M> {
    /// Applies the overflow policy of the mailbox. A part is converted only if its message is
    /// accepted.
    #[cold]
    fn cast_part_to_full<N>(&self, part: N) -> Result<(), SendError<N>>
    where
        M: From<N>,
    {
        let reserved =
            self.process().overflow_part(part).map_err(|refused| unsent(self.process(), refused))?;
        if let Some(part) = reserved {
            put(Permit::new(self.process().clone()), part);
        }
        Ok(())
    }
}

/// Converts a part to a message and sends it. The conversion comes after the reservation, because a
/// part that is refused must go back unchanged. Returns its sequence number, or `None` if the actor
/// has ended meanwhile.
fn put<N, M: From<N> + Send + 'static>(permit: Permit<M>, part: N) -> Option<u64> {
    permit.send_or_dead_letter(part.into())
}

impl<N: Send + 'static> Recipient<N> {
    /// Sends a message without waiting, or returns it in the error; see [`Address::cast`].
    ///
    /// The part is converted to the actor's message after room is reserved, under no lock. If the
    /// actor ends between the two, the message counts as sent and becomes a dead letter.
    ///
    /// # Errors
    ///
    /// The errors of [`Address::cast`]. Room that another cast has reserved for its conversion
    /// counts as used.
    pub fn cast(&self, part: N) -> Result<(), SendError<N>> {
        self.0.cast(part)
    }

    /// Sends a message as soon as the mailbox has room; see [`Address::send`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message was not sent.
    ///
    /// # Errors
    ///
    /// The errors of [`Address::send`].
    pub async fn send(&self, part: N) -> Result<(), SendError<N>> {
        self.0.send(part).await
    }

    /// Sends a message that carries a [`Reply`] and resolves to the answer; see [`Address::call`].
    ///
    /// The part is converted to the actor's message after room is reserved, as in
    /// [`cast`](Self::cast). If the actor ends between the two, the call fails with
    /// [`Ended`](crate::CallError::Ended).
    ///
    /// # Errors
    ///
    /// See [`CallError`](crate::CallError). The error contains the part if it was not sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, Recipient, Reply, System};
    /// # struct Log(Vec<String>);
    /// struct Count(Reply<usize>);
    ///
    /// enum Msg {
    ///     Line(String),
    ///     Count(Count),
    /// }
    ///
    /// impl From<Count> for Msg {
    ///     fn from(count: Count) -> Self {
    ///         Self::Count(count)
    ///     }
    /// }
    /// # impl Actor for Log {
    /// #     type Msg = Msg;
    /// #     type Args = ();
    /// # async fn init(_: &(), _: &mut Context<Self>)
    /// # -> Result<Self, ExitReason> { Ok(Self(Vec::new())) }
    /// # async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
    /// #         match msg {
    /// #             Msg::Line(line) => self.0.push(line),
    /// #             Msg::Count(Count(reply)) => reply.send(self.0.len()),
    /// #         }
    /// #         Ok(())
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let log = System::new().spawn::<Log>(()).await?;
    /// let counter: Recipient<Count> = log.recipient();
    /// log.cast(Msg::Line("one".into()))?;
    /// assert_eq!(counter.call(Count).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<T: Send + 'static>(&self, message: impl FnOnce(Reply<T>) -> N) -> RecipientCall<N, T> {
        Call::new(self.clone(), message)
    }

    /// Returns a handle to the actor.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.0.handle()
    }
}

impl<M: Send + 'static> Address<M> {
    /// Returns a recipient for the part `N` of the actor's messages.
    #[doc = actor_example!(r"let numbers: Recipient<u64> = counter.recipient();
numbers.cast(2)?;
assert_eq!(counter.call(Msg::Get).await?, 2);")]
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

/// A [`Call`](crate::Call) through a [`Recipient`].
pub type RecipientCall<N, T> = Call<N, T, Recipient<N>>;
