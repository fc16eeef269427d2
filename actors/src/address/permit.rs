//! A place in a mailbox, taken before there is a message to put into it.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::errors::{ClosedError, SendError, Unsent};
use super::send::unsent;
use super::typed::Address;
use crate::mailbox::{PushError, TicketOutcome};
use crate::process::Process;

/// A place in the mailbox of an actor, kept for one message. Dropped unused, it is given back.
///
/// The place belongs to the actor and not to an incarnation: it outlives a restart. It counts towards the capacity, and says nothing
/// about the order: the message stands where it is when it is sent.
#[must_use = "a place that is not used is given back"]
pub struct Permit<M: Send + 'static> {
    process: Arc<Process<M>>,
    is_used: bool,
}

impl<M: Send + 'static> Permit<M> {
    /// For a place that was just taken.
    pub(super) const fn new(process: Arc<Process<M>>) -> Self {
        Self { process, is_used: false }
    }

    /// Puts a message into the place. Never waits, and never finds the mailbox full.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] if by now nobody serves the actor and nobody is due to.
    pub fn send(mut self, message: M) -> Result<(), ClosedError<M>> {
        self.is_used = true;
        let sent = self.process.queue.send_reserved(message);
        sent.map(drop).map_err(|message| ClosedError(Unsent::new(message, self.process.target::<M>())))
    }

    /// The same for a message that cannot be given back: it goes to the dead letters. Returns its sequence number if it was sent.
    pub(super) fn send_or_bury(mut self, message: M) -> Option<u64> {
        self.is_used = true;
        match self.process.queue.send_reserved(message) {
            Ok(sequence) => Some(sequence),
            Err(message) => {
                self.process.dead_letter_unsent(message);
                None
            }
        }
    }
}

impl<M: Send + 'static> Drop for Permit<M> {
    fn drop(&mut self) {
        if !self.is_used {
            self.process.queue.release_permit();
        }
    }
}

impl<M: Send + 'static> fmt::Debug for Permit<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit(..)")
    }
}

impl<M: Send + 'static> Address<M> {
    /// Takes a place in the mailbox if there is one; never waits.
    ///
    /// # Errors
    ///
    /// As of [`cast`](Self::cast), whatever the mailbox does with casts that find it full.
    pub fn try_reserve(&self) -> Result<Permit<M>, SendError<()>> {
        match self.process().queue.try_reserve() {
            Ok(()) => Ok(Permit::new(self.process().clone())),
            Err(refused) => Err(unsent(self.process(), refused)),
        }
    }

    /// Takes a place in the mailbox as soon as there is one; who waits longest, sender or not, comes first.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, no place is taken.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # struct Sink;
    /// # impl Actor for Sink {
    /// #     type Msg = String;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Sink) }
    /// #     async fn handle(&mut self, _: String, _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sink = System::new().spawn::<Sink>(()).await?;
    /// let permit = sink.reserve().await?;
    /// // Only now is the scheduling done, because there is somebody to take its result.
    /// permit.send("costly".repeat(3))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reserve(&self) -> ReserveFuture<'_, M> {
        ReserveFuture { process: self.process(), state: State::New }
    }
}

/// The future of [`Address::reserve`].
#[must_use = "no place is taken before it is awaited"]
pub struct ReserveFuture<'a, M: Send + 'static> {
    process: &'a Arc<Process<M>>,
    state: State,
}

/// How far the wait for a place has come.
pub(super) enum State {
    /// It was not asked for yet.
    New,
    /// It stands in line.
    InLine(u64),
    /// It is taken, or will not be.
    Done,
}

impl<M: Send + 'static> Future for ReserveFuture<'_, M> {
    type Output = Result<Permit<M>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let process = self.process;
        self.state.poll(process, cx.waker()).map_err(|refused| unsent(process, refused))
    }
}

impl State {
    /// Takes a place as soon as there is one.
    pub(super) fn poll<M: Send + 'static>(
        &mut self,
        process: &Arc<Process<M>>,
        waker: &Waker,
    ) -> Poll<Result<Permit<M>, PushError<()>>> {
        let queue = &process.queue;
        let is_circular = || process.waits_for_this_task();
        let reserved = match mem::replace(self, Self::Done) {
            Self::New => match queue.reserve_or_wait(is_circular, waker) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(ticket)) => {
                    *self = Self::InLine(ticket);
                    return Poll::Pending;
                }
                Err(refused) => Err(refused),
            },
            Self::InLine(ticket) => match queue.poll_ticket(ticket, waker) {
                Some(TicketOutcome::Reserved) => Ok(()),
                Some(TicketOutcome::Refused(_) | TicketOutcome::Accepted(_)) => Err(PushError::Closed(())),
                None if is_circular() => {
                    queue.cancel_reserve(ticket);
                    Err(PushError::WouldDeadlock(()))
                }
                None => {
                    *self = Self::InLine(ticket);
                    return Poll::Pending;
                }
            },
            // Polled again after it was ready: there is nothing more to come.
            Self::Done => return Poll::Pending,
        };
        Poll::Ready(reserved.map(|()| Permit::new(process.clone())))
    }

    /// Stops waiting for a place.
    pub(super) fn cancel<M: Send + 'static>(&mut self, process: &Process<M>) {
        if let Self::InLine(ticket) = mem::replace(self, Self::Done) {
            process.queue.cancel_reserve(ticket);
        }
    }
}

impl<M: Send + 'static> Drop for ReserveFuture<'_, M> {
    fn drop(&mut self) {
        self.state.cancel(self.process);
    }
}

impl<M: Send + 'static> fmt::Debug for ReserveFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reserving(..)")
    }
}
