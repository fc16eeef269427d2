//! Actors whose state follows from their events.

use std::fmt;
use std::future::Future;

use perennial_actors::{Actor, Context, ExitReason, Signal};

use super::commit::Recovered;
use super::journal::Journal;
use super::transaction::{Durable, Transaction};
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
    /// The actor ends with the returned reason, and nothing is stored: see
    /// [`Actor::handle`]. To refuse a request, answer it and return `Ok`.
    fn handle(
        &self,
        msg: Self::Msg,
        tx: &mut EventTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send;

    /// Acts on a signal: see [`Actor::signal`]. Does nothing by default.
    ///
    /// # Errors
    ///
    /// The same as of [`handle`](Self::handle).
    fn signal(
        &self,
        signal: Signal,
        tx: &mut EventTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = (signal, tx);
        async { Ok(()) }
    }

    /// Runs last: see [`Actor::terminate`]. It does not run if the last transaction was begun and
    /// not committed, because the state may tell of events that are not stored.
    fn terminate(
        &self,
        reason: &ExitReason,
        ctx: &mut Context<EventSourcedActor<Self>>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reason, ctx);
        async {}
    }
}

/// The [`Actor`] that an [`EventSourced`] actor is. Its arguments are a [`Journal`].
pub struct EventSourcedActor<A: EventSourced>(Recovered<A>);

impl<A: EventSourced> Durable for EventSourcedActor<A> {
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

    /// Stores a snapshot with this transaction, if the journal [has any](Journal::snapshot_every).
    pub const fn snapshot(&mut self) {
        self.staged_mut().wants_snapshot = true;
    }
}

impl<A: EventSourced> Actor for EventSourcedActor<A> {
    type Msg = A::Msg;
    type Args = Journal<A>;

    async fn init(journal: &Journal<A>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let mut recovered = Recovered::load(journal).await?;
        let mut tx = Transaction::new(ctx, recovered.args());
        recovered.state().recovered(&mut tx).await?;
        let staged = tx.into_staged();
        recovered.commit(staged).await?;
        Ok(Self(recovered))
    }

    async fn handle(&mut self, msg: A::Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let mut tx = Transaction::new(ctx, self.0.args());
        self.0.state().handle(msg, &mut tx).await?;
        let staged = tx.into_staged();
        Ok(self.0.commit(staged).await?)
    }

    async fn signal(&mut self, signal: Signal, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let mut tx = Transaction::new(ctx, self.0.args());
        self.0.state().signal(signal, &mut tx).await?;
        let staged = tx.into_staged();
        Ok(self.0.commit(staged).await?)
    }

    async fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        if self.0.is_committed() {
            self.0.state().terminate(reason, ctx).await;
        }
    }
}

impl<A: EventSourced> fmt::Debug for EventSourcedActor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventSourcedActor").field(&self.0).finish()
    }
}
