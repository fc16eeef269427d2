//! The binding of a name, and how it is dropped.

use std::any::Any;
use std::sync::Arc;

use perennial_actors::host::{Guarded, dispose};
use perennial_actors::{ActorHandle, CloseHook, WeakActorHandle};

/// The binding of one name to an actor.
///
/// While a binding exists, its actor has a hook that removes this binding and no other. Binding and
/// hook are made and removed together, under the lock of the entry, so neither is ever seen without
/// the other.
pub(crate) struct Binding {
    /// Unique among all bindings of the registry, whatever their names and actors.
    pub(crate) number: u64,
    pub(crate) handle: ActorHandle,
    /// The actor's hook that removes this binding.
    pub(crate) hook: CloseHook,
    /// The actor that bound the name first, if it has handed the name over since.
    pub(crate) origin: Option<Box<WeakActorHandle>>,
    /// The metadata that its owner has set.
    pub(crate) metadata: Option<Metadata>,
}

/// The metadata of a name. It is a user's value, so it is dropped under a guard.
pub(crate) type Metadata = Guarded<Arc<dyn Any + Send + Sync>>;

impl Binding {
    /// Drops a binding outside the lock of its entry: it may hold the last address of the actor.
    pub(crate) fn dispose(self) {
        dispose_metadata(self.metadata);
    }
}

/// Drops metadata in a task of its own. It is a user's value, and the caller may be a supervisor.
pub(crate) fn dispose_metadata(metadata: Option<Metadata>) {
    if metadata.is_some() {
        dispose(metadata);
    }
}
