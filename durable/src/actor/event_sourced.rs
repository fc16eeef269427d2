//! Actors whose state follows from their events.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use perennial_actors::{Context, ExitReason, Signal};

use super::journaled::Journaled;
use super::transaction::{DurableActor, Transaction};
use crate::wire::Wire;

/// The transaction of an [`EventSourced`] actor.
pub type EventTransaction<'a, A> = Transaction<'a, EventSourcedActor<A>>;

/// An actor whose state follows from its events: see the [module](super).
///
/// The handlers get the state by shared reference, because only [`apply`](Self::apply) changes it.
/// So what a handler reads is stored.
pub trait EventSourced: Sized + Send + Sync + 'static {
    /// The type of its messages.
    type Msg: Send + 'static;

    /// What happens to the state. A type that changes gets the next [version](Wire::VERSION).
    type Event: Wire + Send + Sync + 'static;

    /// The arguments of every incarnation.
    type Args: Send + Sync + 'static;

    /// Makes the state before the first event.
    fn new(args: &Self::Args) -> Self;

    /// Changes the state by an event. It runs before the commit, and for each event of the journal
    /// when an incarnation starts. It does nothing else: whatever it did would be done again.
    ///
    /// # Panics
    ///
    /// A panic ends the actor. In a handler, its events are not stored then.
    fn apply(&mut self, event: Self::Event);

    /// Acts when the state is recovered, before the first message: starts timers, goes on with what
    /// was interrupted. Does nothing by default.
    ///
    /// # Errors
    ///
    /// The start fails with the returned reason.
    fn recovered(
        &self,
        tx: &mut EventTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = tx;
        async { Ok(()) }
    }

    /// Handles one message. What it asks of `tx` is committed after it returns `Ok`, and the next
    /// message is handled after that.
    ///
    /// # Errors
    ///
    /// The actor ends with the returned reason, also if that is a normal one, and nothing is
    /// stored: see [`Actor::handle`][handle]. To refuse a request, answer it and return `Ok`.
    ///
    /// [handle]: perennial_actors::Actor::handle
    fn handle(
        &self,
        msg: Self::Msg,
        tx: &mut EventTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send;

    /// Acts on a signal: see [`Actor::signal`][signal]. Does nothing by default.
    ///
    /// # Errors
    ///
    /// The same as of [`handle`](Self::handle).
    ///
    /// [signal]: perennial_actors::Actor::signal
    fn signal(
        &self,
        signal: Signal,
        tx: &mut EventTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = (signal, tx);
        async { Ok(()) }
    }

    /// Runs last: see [`Actor::terminate`][terminate]. It does not run if the last transaction was
    /// begun and not committed, because the state may tell of events that are not stored.
    ///
    /// [terminate]: perennial_actors::Actor::terminate
    fn terminate(
        &self,
        reason: &ExitReason,
        args: &Self::Args,
        ctx: &mut Context<EventSourcedActor<Self>>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reason, args, ctx);
        async {}
    }
}

/// An [`EventSourced`] actor whose state can be a snapshot, so that recovery does not read each
/// event.
pub trait Snapshots: EventSourced {
    /// The stored form of the state.
    type Snapshot: Wire;

    /// Returns the stored form of the state.
    fn snapshot(&self) -> Self::Snapshot;

    /// Makes the state from its stored form.
    fn restore(args: &Self::Args, snapshot: Self::Snapshot) -> Self;
}

/// The [`Actor`] that an [`EventSourced`] actor is. Its arguments are a
/// [`Journal`](super::Journal).
///
/// [`Actor`]: perennial_actors::Actor
pub struct EventSourcedActor<A: EventSourced> {
    pub(super) args: Arc<A::Args>,
    pub(super) journaled: Journaled<A, A::Event>,
}

impl<A: EventSourced> DurableActor for EventSourcedActor<A> {
    type State = A;
    type Event = A::Event;
    type OwnArgs = A::Args;
}

impl<A: EventSourced> Transaction<'_, EventSourcedActor<A>> {
    /// Persists an event: it is stored and [applied](EventSourced::apply) after the handler returns
    /// `Ok`, in the order of these calls.
    pub fn persist(&mut self, event: A::Event) {
        self.staged_mut().events.push(event);
    }

    /// Stores a snapshot with this transaction, if the journal
    /// [has any](super::Journal::snapshot_every).
    pub const fn snapshot(&mut self) {
        self.staged_mut().wants_snapshot = true;
    }
}

impl<A: EventSourced> fmt::Debug for EventSourcedActor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSourcedActor").field("journaled", &self.journaled).finish_non_exhaustive()
    }
}
