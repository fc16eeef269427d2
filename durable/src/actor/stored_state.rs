//! The arguments of an actor whose state is stored as a whole.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_supervision::Child;

use super::journal::STORE_TIMEOUT;
use super::state::{DurableState, DurableStateActor};
use super::writer::JournalTarget;
use crate::codec::{Bincode, Codec, EncodeError};
use crate::payload::Payload;
use crate::store::Store;
use crate::wire::encode;

/// The arguments of a [`DurableStateActor`]: the store, the name under which the state is in it,
/// and the actor's own arguments.
///
/// The name is that of a journal without events. Two actors of one name fence each other.
#[must_use = "a state is stored once its actor is started"]
pub struct StoredState<S: DurableState> {
    pub(super) target: JournalTarget,
    pub(super) args: Arc<S::Args>,
    pub(super) encode: fn(&S) -> Result<Payload, EncodeError>,
}

impl<S: DurableState> StoredState<S> {
    /// Names the state in a store, and gives the actor its arguments. It is encoded by [`Bincode`].
    pub fn new(store: Arc<dyn Store>, name: impl Into<Arc<str>>, args: S::Args) -> Self {
        let target = JournalTarget { store, journal: name.into(), timeout: STORE_TIMEOUT };
        Self { target, args: Arc::new(args), encode: encode::<S, Bincode> }
    }

    /// Sets the codec. A state that is there is read by its own.
    pub fn codec<C: Codec>(mut self) -> Self {
        self.encode = encode::<S, C>;
        self
    }

    /// Sets how long a store that fails for a while is waited for: see
    /// [`Journal::store_timeout`](super::Journal::store_timeout).
    pub const fn store_timeout(mut self, timeout: Duration) -> Self {
        self.target.timeout = timeout;
        self
    }

    /// Makes the actor a child of a supervisor, under an id.
    pub fn child(self, id: impl Into<Arc<str>>) -> Child<S::Msg> {
        Child::new::<DurableStateActor<S>>(id, self)
    }
}

impl<S: DurableState> fmt::Debug for StoredState<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredState").field("name", &self.target.journal).finish_non_exhaustive()
    }
}
