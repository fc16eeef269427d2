//! The address of an actor.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::call::Call;
use super::errors::{NoProcessError, SendError};
use super::handle::ActorHandle;
use super::monitor::Monitor;
use super::reply::Reply;
use super::send::{SendFuture, unsent};
use crate::any_process::{AnyProcess, ProcessState};
use crate::control::ControlSignal;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::mailbox::PushError;
use crate::pid::Pid;
use crate::process::{Identity, Process};

/// Reaches one actor, whichever incarnation of it lives: for messages, calls, monitors, stop and kill.
///
/// An address is cheap to clone, never dangles and keeps nobody alive or dead: what it keeps is the mailbox, and the memory of
/// what became of the actor (a [`WeakAddress`](crate::WeakAddress) keeps neither). Two are equal if they reach the same actor.
///
/// # Ordering
///
/// Messages that one task puts into one address are handled in the order in which it put them there, across
/// restarts too. There is no order between different senders.
///
/// # Delivery
///
/// At most once. A message that was accepted is handled, or goes to the [dead letters](crate::System::dead_letters); the
/// one that was being handled when an incarnation crashed is lost, so that it cannot crash the next one too.
pub struct Address<M: Send + 'static>(Arc<Process<M>>);

impl<M: Send + 'static> Address<M> {
    /// Puts a message into the mailbox, or gives it back; never waits.
    ///
    /// # Errors
    ///
    /// [`Full`](SendError::Full) if there is no room or others wait for it, unless the mailbox is set to
    /// [drop](crate::OverflowPolicy) something then; [`Closed`](SendError::Closed) if nobody
    /// serves the actor and nobody is due to.
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        match self.0.queue.push(message) {
            Ok(_) => Ok(()),
            Err(PushError::Full(message)) => self.cast_to_full(message),
            Err(refused) => Err(unsent(&self.0, refused)),
        }
    }

    /// What happens is for the mailbox to say.
    #[cold]
    fn cast_to_full(&self, message: M) -> Result<(), SendError<M>> {
        self.0.overflow(message).map_err(|refused| unsent(&self.0, refused))
    }

    /// Puts a message into the mailbox as soon as there is room; who waits longest comes first.
    ///
    /// Two actors that send to each other and are both full wait for each other: in a handler, prefer [`cast`](Self::cast), or
    /// put a timeout around it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message was not sent, unless it got its place at that very moment.
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed) if no incarnation runs and none is due; [`WouldDeadlock`](SendError::WouldDeadlock) if
    /// it would have to wait in a handler of this very actor, which cannot make room meanwhile.
    pub fn send(&self, message: M) -> SendFuture<'_, M> {
        SendFuture::new(&self.0, message)
    }

    /// Sends a message that carries a [`Reply`] and resolves to the answer. The future owns what it needs.
    ///
    /// It waits for 5 seconds, unless the [system](crate::SystemBuilder::call_timeout) or the [call](Call::timeout) says otherwise.
    ///
    /// A call that an actor makes to itself in a handler is an [error](super::CallError::WouldDeadlock) at once. From a task that it
    /// has spawned or piped, it may call itself. Two actors that call each other in their handlers wait for each other until one of the
    /// calls times out.
    ///
    /// # Errors
    ///
    /// See [`CallError`](super::CallError). On a thread without a tokio runtime, or on a runtime without timers, only calls with
    /// [`no_timeout`](Call::no_timeout) can be made.
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, Reply, System};
    /// # struct Echo;
    /// # impl Actor for Echo {
    /// #     type Msg = Msg;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Echo) }
    /// #     async fn handle(&mut self, Msg::Echo(text, reply): Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
    /// #         reply.send(text);
    /// #         Ok(())
    /// #     }
    /// # }
    /// enum Msg {
    ///     Echo(String, Reply<String>),
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let echo = System::new().spawn::<Echo>(()).await?;
    ///
    /// let answer = echo.call(|reply| Msg::Echo("hello".into(), reply)).await?;
    /// assert_eq!(answer, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<T, F>(&self, message: F) -> Call<M, T>
    where
        T: Send + 'static,
        F: FnOnce(Reply<T>) -> M,
    {
        Call::new(self.0.clone(), message)
    }

    /// Tells the live incarnation to end: after the message in hand, ahead of all that wait, through its `terminate`.
    ///
    /// What follows is for its supervisor to decide, as after any other end. An actor outside a tree ends for good.
    /// Await a [`monitor`](Self::monitor) that was made before to learn when it is over.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn stop(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        self.0.send_control(None, ControlSignal::Stop(reason)).then_some(()).ok_or(NoProcessError)
    }

    /// Tells the live incarnation to die at its next await, inside a handler too, without its `terminate`.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn kill(&self) -> Result<(), NoProcessError> {
        AnyProcess::kill(&*self.0).then_some(()).ok_or(NoProcessError)
    }

    /// Resolves when the incarnation that lives now has ended. See [`Monitor`] for what it does across a restart.
    #[must_use = "the monitor is a future, and is taken back when it is dropped"]
    pub fn monitor(&self) -> Monitor {
        Monitor::of(self.0.clone())
    }

    /// The live incarnation, if there is one.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.state().pid()
    }

    /// Whether somebody serves the actor, or is due to.
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.0.state()
    }

    /// The accounts of this mailbox.
    #[must_use]
    pub fn counters(&self) -> MessageStats {
        self.0.queue.counters()
    }

    /// The same actor without the type of its messages.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        ActorHandle::new(self.0.clone())
    }

    pub(crate) const fn new(process: Arc<Process<M>>) -> Self {
        Self(process)
    }

    pub(super) const fn process(&self) -> &Arc<Process<M>> {
        &self.0
    }

    fn key(&self) -> *const Process<M> {
        Arc::as_ptr(&self.0)
    }
}

impl ActorHandle {
    /// The address of the actor, if it takes messages `M`.
    #[must_use]
    pub fn address<M: Send + 'static>(&self) -> Option<Address<M>> {
        self.process().clone().into_any().downcast().ok().map(Address)
    }
}

impl<M: Send + 'static> Identity<M> {
    /// The address. It can be had, and given away, before anything runs.
    #[must_use]
    pub fn address(&self) -> Address<M> {
        Address(self.process.clone())
    }
}

impl<M: Send + 'static> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Send + 'static> PartialEq for Address<M> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<M: Send + 'static> Eq for Address<M> {}

impl<M: Send + 'static> Hash for Address<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl<M: Send + 'static> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("label", &self.0.label()).field("state", &self.state()).finish()
    }
}
