//! Permits: room in a mailbox that is reserved before there is a message.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::errors::{ClosedError, SendError, Unsent};
use super::send::{SendState, unsent};
use super::typed::Address;
use crate::mailbox::{PushError, TicketOutcome};
use crate::process::Process;
use crate::system::AnyProcess;

/// Reserved room for one message in the mailbox of an actor. It is released if the permit is
/// dropped unused.
///
/// The permit belongs to the actor, not to an incarnation: it stays valid across a restart. It
/// counts towards the capacity. It does not reserve a position: the message is queued when it is
/// sent.
#[must_use = "a permit that is not used is released"]
pub struct Permit<M: Send + 'static> {
    process: Arc<Process<M>>,
    is_used: bool,
}

impl<M: Send + 'static> Permit<M> {
    /// Wraps room that was just reserved.
    pub(super) const fn new(process: Arc<Process<M>>) -> Self {
        Self { process, is_used: false }
    }

    /// Sends a message with the reserved room. Never waits, and never finds the mailbox full.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] if no incarnation is running and none is pending any more.
    pub fn send(mut self, message: M) -> Result<(), ClosedError<M>> {
        self.is_used = true;
        let sent = self.process.queue.send_reserved(message);
        sent.map(drop).map_err(|message| ClosedError(Unsent::new(message, self.process.target::<M>())))
    }

    /// Takes the process, whose reserved room the caller uses.
    #[cfg(feature = "remote")]
    pub(super) fn into_process(mut self) -> Arc<Process<M>> {
        self.is_used = true;
        self.process.clone()
    }

    /// Sends a message that cannot be given back: if the actor is closed, it becomes a dead letter.
    /// Returns its sequence number if it was sent.
    pub(super) fn send_or_dead_letter(mut self, message: M) -> Option<u64> {
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
    /// Reserves room for one message without waiting.
    ///
    /// # Errors
    ///
    /// [`Full`](SendError::Full) and [`Closed`](SendError::Closed), as of [`cast`](Self::cast). An
    /// overflow policy does not apply here.
    #[doc = actor_example!(r"let permit = counter.try_reserve()?;
permit.send(Msg::Add(2))?;
assert_eq!(counter.call(Msg::Get).await?, 2);")]
    pub fn try_reserve(&self) -> Result<Permit<M>, SendError<()>> {
        match self.process().queue.try_reserve() {
            Ok(()) => Ok(Permit::new(self.process().clone())),
            Err(refused) => Err(unsent(self.process(), refused)),
        }
    }

    /// Reserves room for one message as soon as there is any. The sender that has waited longest
    /// goes first, whether it sends or reserves.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, no room is reserved.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send).
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
    /// # async fn handle(&mut self, _: String, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sink = System::new().spawn::<Sink>(()).await?;
    /// let permit = sink.reserve().await?;
    /// // The work is done only now, because the mailbox has room for its result.
    /// permit.send("costly".repeat(3))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reserve(&self) -> ReserveFuture<'_, M> {
        ReserveFuture { process: self.process(), state: SendState::New(()) }
    }
}

/// The future of [`Address::reserve`].
#[must_use = "no room is reserved before it is awaited"]
pub struct ReserveFuture<'a, M: Send + 'static> {
    process: &'a Arc<Process<M>>,
    state: SendState<()>,
}

impl<M: Send + 'static> Future for ReserveFuture<'_, M> {
    type Output = Result<Permit<M>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let process = self.process;
        self.state.poll_reserve(process, cx.waker()).map_err(|refused| unsent(process, refused))
    }
}

impl SendState<()> {
    /// Reserves room as soon as there is any.
    pub(super) fn poll_reserve<M: Send + 'static>(
        &mut self,
        process: &Arc<Process<M>>,
        waker: &Waker,
    ) -> Poll<Result<Permit<M>, PushError<()>>> {
        let (queue, is_circular) = (&process.queue, || process.waits_for_this_task());
        let reserved = self.advance(
            |()| queue.reserve_or_wait(is_circular, waker),
            |ticket| match queue.poll_ticket(ticket, waker) {
                Some(TicketOutcome::Reserved) => Some(Ok(())),
                Some(TicketOutcome::Refused(_) | TicketOutcome::Accepted(_)) => {
                    Some(Err(PushError::Closed(())))
                }
                None => is_circular().then(|| {
                    queue.cancel_reserve(ticket);
                    Err(PushError::WouldDeadlock(()))
                }),
            },
        );
        reserved.map(|reserved| reserved.map(|()| Permit::new(process.clone())))
    }

    /// Stops waiting for room.
    pub(super) fn cancel_reserve<M: Send + 'static>(&mut self, process: &Process<M>) {
        if let Self::Waiting(ticket) = mem::replace(self, Self::Done) {
            process.queue.cancel_reserve(ticket);
        }
    }
}

impl<M: Send + 'static> Drop for ReserveFuture<'_, M> {
    fn drop(&mut self) {
        self.state.cancel_reserve(self.process);
    }
}

impl<M: Send + 'static> fmt::Debug for ReserveFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReserveFuture(..)")
    }
}
