//! An address that is narrowed to a part of what its actor understands.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task;

use super::calling::{CalledProcess, Callee, Calling};
use super::errors::{CallError, SendError};
use super::handle::ActorHandle;
use super::permit::{Permit, State as Place};
use super::reply::Reply;
use super::send::unsent;
use super::typed::Address;
use crate::mailbox::PushError;

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

/// A boxed future, because the message type of the actor is not known.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Receive<N>: Send + Sync {
    fn cast(&self, part: N) -> Result<(), SendError<N>>;
    fn send(&self, part: N) -> Boxed<'_, Result<(), SendError<N>>>;
    fn enter(&self, entry: &mut PartEntry<N>, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>>;
    fn cancel_entry(&self, entry: &mut PartEntry<N>);
    fn process(&self) -> &(dyn CalledProcess + 'static);
    fn handle(&self) -> ActorHandle;
}

/// A part that is not in the mailbox yet. It is converted to a message once it has a place.
pub(super) struct PartEntry<N> {
    part: Option<N>,
    place: Place,
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
        if process.queue.is_answered_by(task::try_id()) || process.waits_for_this_task() {
            self.cancel_entry(entry);
            let refused = entry.part.take().map(PushError::WouldDeadlock);
            return Poll::Ready(Err(refused));
        }
        let Poll::Ready(reserved) = entry.place.poll(process, waker) else { return Poll::Pending };
        let Some(part) = entry.part.take() else { return Poll::Pending };
        Poll::Ready(match reserved {
            Ok(permit) => put(permit, part).ok_or(None),
            Err(refused) => Err(Some(refused.map(|()| part))),
        })
    }

    fn cancel_entry(&self, entry: &mut PartEntry<N>) {
        entry.place.cancel(self.process());
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
        PartEntry { part: Some(part), place: Place::New }
    }

    fn enter(&self, entry: &mut PartEntry<N>, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>> {
        self.0.enter(entry, waker)
    }

    fn cancel_entry(&self, entry: &mut PartEntry<N>) -> Option<N> {
        self.0.cancel_entry(entry);
        entry.part.take()
    }
}

impl<M: Send + 'static> Address<M> {
    /// Applies the overflow policy. A part that is not admitted is never converted.
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

/// Converts a part to a message and enqueues it in its reserved place. The conversion comes last,
/// because a refused part is returned unchanged. Returns the sequence number, or `None` if the
/// actor has ended meanwhile.
fn put<N, M: From<N> + Send + 'static>(permit: Permit<M>, part: N) -> Option<u64> {
    permit.send_or_bury(part.into())
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

    /// Sends a message that carries a [`Reply`] and resolves to the answer; see [`Address::call`].
    ///
    /// The actor's message is made when it has a place, as by [`cast`](Self::cast). If the actor ends between the two, the call
    /// fails with [`Ended`](CallError::Ended).
    ///
    /// # Errors
    ///
    /// See [`CallError`]. The part comes back in it if it was not sent.
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
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self(Vec::new())) }
    /// #     async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
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
        RecipientCall::new(self.clone(), message)
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

/// A [`Call`](crate::Call) through a [`Recipient`], which knows one kind of the messages of its actor.
///
/// # Cancel safety
///
/// As of [`Call`](crate::Call).
#[must_use = "nothing is sent before it is awaited"]
pub struct RecipientCall<N: Send + 'static, T>(Calling<Recipient<N>, N, T>);

impl<N: Send + 'static, T> RecipientCall<N, T> {
    fn new(recipient: Recipient<N>, message: impl FnOnce(Reply<T>) -> N) -> Self {
        Self(Calling::new(recipient, message))
    }
}

impl<N: Send + 'static, T> RecipientCall<N, T> {
    /// Sets the time that the call waits, for room in the mailbox and for the answer together.
    ///
    /// As of [`Call::timeout`](crate::Call::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.set_timeout(Some(timeout));
        self
    }

    /// Lets the call wait without a limit. It still ends when its message or its target does.
    pub fn no_timeout(mut self) -> Self {
        self.0.set_timeout(None);
        self
    }

    /// Makes the call from synchronous code; see [`Call::blocking`](crate::Call::blocking).
    ///
    /// # Errors
    ///
    /// As of [`Call::blocking`](crate::Call::blocking).
    pub fn blocking(self) -> Result<T, CallError<N>> {
        self.0.blocking()
    }
}

impl<N: Send + 'static, T> Future for RecipientCall<N, T> {
    type Output = Result<T, CallError<N>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<N: Send + 'static, T> fmt::Debug for RecipientCall<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecipientCall").field(&self.0.sequence()).finish()
    }
}
