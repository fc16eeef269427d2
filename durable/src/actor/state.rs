//! Actors whose state is stored as a whole.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use perennial_actors::{Context, ExitReason, Signal};

use super::transaction::{DurableActor, Transaction};
use super::writer::Writer;
use crate::codec::EncodeError;
use crate::payload::Payload;
use crate::wire::Wire;

/// The transaction of a [`DurableState`].
pub type StateTransaction<'a, S> = Transaction<'a, DurableStateActor<S>>;

/// A state that is stored as a whole after each handler that has changed it: the simpler form of a
/// durable actor. See the [module](super).
///
/// It is encoded after each handler, and stored if its bytes are others than before. A large state
/// that changes a little at a time is better [event-sourced](super::EventSourced).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use perennial_actors::{ExitReason, Reply, System};
/// use perennial_durable::actor::{DurableState, DurableStateActor, StateTransaction, StoredState};
/// use perennial_durable::{MemoryStore, Wire};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Visits(u64);
///
/// impl Wire for Visits {
///     const TAG: &'static str = "site.visits";
/// }
///
/// impl DurableState for Visits {
///     type Msg = Reply<u64>;
///     type Args = ();
///
///     fn new(_: &()) -> Self {
///         Self(0)
///     }
///
///     async fn handle(
///         &mut self,
///         visit: Reply<u64>,
///         tx: &mut StateTransaction<'_, Self>,
///     ) -> Result<(), ExitReason> {
///         self.0 += 1;
///         tx.reply(visit, self.0);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (system, store) = (System::new(), Arc::new(MemoryStore::new()));
/// for visit in 1..=2 {
///     let args = StoredState::<Visits>::new(store.clone(), "visits", ());
///     let visits = system.spawn::<DurableStateActor<Visits>>(args).await?;
///     assert_eq!(visits.call(|reply| reply).await?, visit);
///     visits.handle().kill();
/// }
/// # Ok(())
/// # }
/// ```
pub trait DurableState: Wire + Send + Sync + 'static {
    /// The type of the messages.
    type Msg: Send + 'static;

    /// The arguments of every incarnation.
    type Args: Send + Sync + 'static;

    /// Makes the first state.
    fn new(args: &Self::Args) -> Self;

    /// Acts when the state is recovered, before the first message. Does nothing by default.
    ///
    /// # Errors
    ///
    /// The start fails with the returned reason.
    fn recovered(
        &mut self,
        tx: &mut StateTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = tx;
        async { Ok(()) }
    }

    /// Handles one message. The state as it is then and what it asks of `tx` are one commit, after
    /// it returns `Ok`.
    ///
    /// # Errors
    ///
    /// The actor ends with the returned reason, and nothing is stored.
    fn handle(
        &mut self,
        msg: Self::Msg,
        tx: &mut StateTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send;

    /// Acts on a signal: see [`Actor::signal`][signal]. Does nothing by default.
    ///
    /// # Errors
    ///
    /// The same as of [`handle`](Self::handle).
    ///
    /// [signal]: perennial_actors::Actor::signal
    fn signal(
        &mut self,
        signal: Signal,
        tx: &mut StateTransaction<'_, Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = (signal, tx);
        async { Ok(()) }
    }

    /// Runs last: see [`Actor::terminate`][terminate]. It does not run if the last transaction was
    /// begun and not committed.
    ///
    /// [terminate]: perennial_actors::Actor::terminate
    fn terminate(
        &self,
        reason: &ExitReason,
        args: &Self::Args,
        ctx: &mut Context<DurableStateActor<Self>>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reason, args, ctx);
        async {}
    }
}

/// The [`Actor`] that a [`DurableState`] is. Its arguments are a
/// [`StoredState`](super::StoredState).
///
/// [`Actor`]: perennial_actors::Actor
pub struct DurableStateActor<S: DurableState> {
    pub(super) state: S,
    pub(super) args: Arc<S::Args>,
    pub(super) writer: Writer,
    pub(super) encode: fn(&S) -> Result<Payload, EncodeError>,
    /// What is stored; `None` before the first commit.
    pub(super) stored: Option<Payload>,
    /// The state is the stored one.
    pub(super) is_committed: bool,
}

impl<S: DurableState> DurableActor for DurableStateActor<S> {
    type State = S;
    type Event = ();
    type OwnArgs = S::Args;
}

impl<S: DurableState> fmt::Debug for DurableStateActor<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableStateActor").field("writer", &self.writer).finish_non_exhaustive()
    }
}
