//! The typed address of an actor.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::errors::{NoProcessError, SendError};
use super::handle::ActorHandle;
use super::monitor::Monitor;
use super::send::{SendFuture, unsent};
use crate::control::ControlSignal;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, PushError};
use crate::pid::Pid;
use crate::process::{Identity, Process};
use crate::system::{AnyProcess, ProcessState};

/// The address of one actor, valid for all its incarnations: messages, calls, monitors, stop and
/// kill.
///
/// An address is cheap to clone, never dangles, and does not keep the actor running. It keeps the
/// mailbox allocated, and with it the state of the actor after its end; a
/// [`WeakAddress`](crate::WeakAddress) keeps neither. Two addresses are equal if they reach the
/// same actor.
///
/// # Ordering
///
/// Messages that one task sends through one address are handled in the order in which it sent them,
/// also across restarts. There is no order between different senders.
///
/// # Delivery
///
/// At most once. A message that was accepted is handled, or it goes to the [dead
/// letters](crate::System::subscribe). The message in flight when an incarnation crashes is lost,
/// so that it cannot crash the next incarnation too.
pub struct Address<M: Send + 'static>(Arc<Process<M>>);

impl<M: Send + 'static> Address<M> {
    /// Sends a message without waiting, or returns it in the error.
    ///
    /// # Errors
    ///
    /// - [`Full`](SendError::Full) if the mailbox has no room or other senders wait for room,
    ///   unless an [`OverflowPolicy`](crate::OverflowPolicy) evicts a message.
    /// - [`Closed`](SendError::Closed) if no incarnation is running and none is pending.
    #[doc = actor_example!(r"counter.cast(Msg::Add(2))?;
counter.kill()?;
counter.monitor().await;
assert!(matches!(counter.cast(Msg::Add(2)), Err(SendError::Closed(_))));")]
    #[inline]
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        match self.0.queue.try_push(message) {
            Ok(_) => Ok(()),
            Err(message) => self.cast_checked(message),
        }
    }

    /// Checks whether there is room, and applies the overflow policy of the mailbox.
    #[inline(never)]
    fn cast_checked(&self, message: M) -> Result<(), SendError<M>> {
        let pushed = match self.0.queue.push(message) {
            Err(PushError::Full(message)) => self.0.overflow(message),
            pushed => pushed.map(drop),
        };
        pushed.map_err(|refused| unsent(&self.0, refused))
    }

    /// Sends a message as soon as the mailbox has room. The sender that has waited longest goes
    /// first.
    ///
    /// Two actors that send to each other while both mailboxes are full wait for each other for
    /// ever. In a handler, prefer [`cast`](Self::cast), or set a [timeout](SendFuture::timeout).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message was not sent, unless it was
    /// admitted at that very moment.
    ///
    /// # Errors
    ///
    /// - [`Closed`](SendError::Closed) if no incarnation is running and none is pending.
    /// - [`WouldDeadlock`](SendError::WouldDeadlock) if a handler would wait for room in the
    ///   mailbox of its own actor.
    #[doc = actor_example!(r"counter.send(Msg::Add(2)).await?;
assert_eq!(counter.call(Msg::Get).await?, 2);")]
    #[inline]
    pub fn send(&self, message: M) -> SendFuture<'_, M> {
        SendFuture::new(&self.0, message)
    }

    /// Stops the running incarnation after the current message and ahead of all queued messages.
    /// Its `terminate` runs.
    ///
    /// The supervisor decides on a restart, as after any other exit. An actor outside a tree ends
    /// for good. To wait for the end, make a [`monitor`](Self::monitor) before the stop and await
    /// it.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"let exit = counter.monitor();
counter.stop(ExitReason::shutdown())?;
assert_eq!(exit.await.reason, ExitReason::shutdown());")]
    pub fn stop(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        self.0.send_control(None, ControlSignal::Stop(reason)).then_some(()).ok_or(NoProcessError)
    }

    /// Kills the running incarnation at its next await, also inside a handler. Its `terminate` does
    /// not run.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"let exit = counter.monitor();
counter.kill()?;
assert_eq!(exit.await.reason, ExitReason::Killed);")]
    pub fn kill(&self) -> Result<(), NoProcessError> {
        self.0.queue.kill().then_some(()).ok_or(NoProcessError)
    }

    /// Returns a future that resolves when the current incarnation has ended. See [`Monitor`] for
    /// restarts.
    #[doc = actor_example!(r"let exit = counter.monitor();
counter.stop(ExitReason::Normal)?;
assert_eq!(exit.await.reason, ExitReason::Normal);
assert_eq!(counter.monitor().await.reason, ExitReason::NoProcess);")]
    #[must_use = "the monitor is a future, and is removed when it is dropped"]
    pub fn monitor(&self) -> Monitor {
        Monitor::of(self.0.clone())
    }

    /// Returns the running incarnation, or `None` if there is none.
    #[doc = actor_example!(r"assert_eq!(counter.pid().map(Pid::incarnation), Some(1));")]
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.state().pid()
    }

    /// Returns whether an incarnation is running, is pending, or will never run again.
    #[doc = actor_example!(r"assert!(matches!(counter.state(), ProcessState::Alive(_)));")]
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.0.state()
    }

    /// Returns the message counts of this mailbox.
    #[doc = actor_example!(r"counter.cast(Msg::Add(2))?;
assert_eq!((counter.counters().accepted, counter.counters().queued), (1, 1));")]
    #[must_use]
    pub fn counters(&self) -> MessageStats {
        self.0.queue.counters()
    }

    /// Returns a handle to the same actor, without the message type.
    #[doc = actor_example!(r"assert_eq!(counter.handle().pid(), counter.pid());")]
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
}

/// Sends a message like [`Address::cast`], but evicts none for it, and the span of its handler
/// follows from no other. For a sender that waits for no subscriber, such as a supervisor.
///
/// # Errors
///
/// As [`Address::cast`]. [`Full`](SendError::Full) under each overflow policy.
pub fn cast_unlinked<M: Send + 'static>(to: &Address<M>, message: M) -> Result<(), SendError<M>> {
    let pushed = to.0.queue.try_push(message).or_else(|message| to.0.queue.push_unlinked(message));
    pushed.map(drop).map_err(|refused| unsent(&to.0, refused))
}

impl ActorHandle {
    /// Returns the address of the actor if its message type is `M`.
    #[doc = actor_example!(r"let address = counter.handle().address::<Msg>();
assert_eq!(address, Some(counter));")]
    #[must_use]
    pub fn address<M: Send + 'static>(&self) -> Option<Address<M>> {
        self.process().clone().into_any().downcast().ok().map(Address)
    }
}

impl<M: Send + 'static> Identity<M> {
    /// Returns the address. It is valid, and can be given away, before any incarnation runs.
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
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl<M: Send + 'static> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("label", &self.0.label()).field("state", &self.state()).finish()
    }
}
