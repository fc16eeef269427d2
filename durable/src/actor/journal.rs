//! The arguments of an event-sourced actor: where its events are, and how they are stored.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use perennial_supervision::Child;

use super::event_sourced::{EventSourced, EventSourcedActor, Snapshots};
use super::journaled::SnapshotRule;
use super::writer::JournalTarget;
use crate::codec::{Bincode, Codec, DecodeError, EncodeError};
use crate::payload::Payload;
use crate::store::Store;
use crate::wire::{decode, encode};

/// How long a store that fails for a while is waited for.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(30);

/// The arguments of an [`EventSourcedActor`]: the store, the name of its journal, and its own
/// arguments.
///
/// The name identifies the actor in the store for ever. Two actors of one journal fence each other.
#[must_use = "a journal is written once its actor is started"]
pub struct Journal<A: EventSourced> {
    pub(super) target: JournalTarget,
    pub(super) args: Arc<A::Args>,
    pub(super) encode: fn(&A::Event) -> Result<Payload, EncodeError>,
    pub(super) snapshots: Option<(SnapshotRule<A>, Restore<A>)>,
}

/// How a state is made from a snapshot.
type Restore<A> = fn(&<A as EventSourced>::Args, &Payload) -> Result<A, DecodeError>;

impl<A: EventSourced> Journal<A> {
    /// Names the journal of an actor, and gives the actor its arguments. Events are encoded by
    /// [`Bincode`].
    pub fn new(store: Arc<dyn Store>, name: impl Into<Arc<str>>, args: A::Args) -> Self {
        let target = JournalTarget { store, journal: name.into(), timeout: STORE_TIMEOUT };
        Self { target, args: Arc::new(args), encode: encode::<A::Event, Bincode>, snapshots: None }
    }

    /// Sets the codec of new events. Those that are there are read by their own.
    pub fn codec<C: Codec>(mut self) -> Self {
        self.encode = encode::<A::Event, C>;
        self
    }

    /// Sets how long each request to a store that fails for a while is repeated, in a start and in
    /// a commit: 30 s by default. After that the actor ends with
    /// [`JournalError::Store`](super::JournalError).
    pub const fn store_timeout(mut self, timeout: Duration) -> Self {
        self.target.timeout = timeout;
        self
    }

    /// Makes the actor a child of a supervisor, under an id.
    pub fn child(self, id: impl Into<Arc<str>>) -> Child<A::Msg> {
        Child::new::<EventSourcedActor<A>>(id, self)
    }
}

impl<A: Snapshots> Journal<A> {
    /// Stores a snapshot with the events of a transaction if at least so many events have followed
    /// the last one, and whenever a handler [asks for it](super::Transaction::snapshot). There are
    /// none by default, and earlier ones are not read then. Zero counts as one.
    ///
    /// The events stay, so a program without snapshots can read the journal. A state that cannot be
    /// encoded is left out, unless a handler has asked for it. A program whose
    /// [`apply`](EventSourced::apply) means something else has a snapshot of the next version.
    pub fn snapshot_every(self, events: u64) -> Self {
        self.snapshot_every_with::<Bincode>(events)
    }

    /// Does the same with another codec.
    pub fn snapshot_every_with<C: Codec>(mut self, events: u64) -> Self {
        let every = NonZeroU64::new(events).unwrap_or(NonZeroU64::MIN);
        let rule = SnapshotRule { every, take: |state: &A| encode::<_, C>(&state.snapshot()) };
        let restore: Restore<A> = |args, payload| decode(payload).map(|stored| A::restore(args, stored));
        self.snapshots = Some((rule, restore));
        self
    }
}

impl<A: EventSourced> fmt::Debug for Journal<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("name", &self.target.journal).finish_non_exhaustive()
    }
}
