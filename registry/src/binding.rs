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
///
/// With many names, a lookup mostly waits for memory. So a binding is small, and a name and its
/// binding are an entry of 64 bytes, which is a cache line.
pub(crate) struct Binding {
    pub(crate) handle: ActorHandle,
    /// Unique among all bindings of the registry, whatever their names and actors.
    pub(crate) number: u64,
    /// The actor's hook that removes this binding.
    pub(crate) hook: CloseHook,
    /// What most bindings do not have.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What few bindings have.
#[derive(Default)]
pub(crate) struct Extra {
    /// The actor that bound the name first, if it has handed the name over since.
    pub(crate) origin: Option<WeakActorHandle>,
    /// The metadata that its owner has set.
    pub(crate) metadata: Option<Metadata>,
}

/// The metadata of a name. It is a user's value, so it is dropped under a guard.
pub(crate) type Metadata = Guarded<Arc<dyn Any + Send + Sync>>;

impl Binding {
    /// Drops a binding outside the lock of its entry: it may hold the last address of the actor.
    pub(crate) fn dispose(self) {
        dispose_metadata(self.extra.and_then(|extra| extra.metadata));
    }

    /// Returns `true` if this actor bound the name first, and has handed it over since.
    pub(crate) fn is_handed_over_by(&self, actor: &ActorHandle) -> bool {
        let origin = self.extra.as_ref().and_then(|extra| extra.origin.as_ref());
        origin.is_some_and(|origin| origin.is_of(actor))
    }
}

/// Drops metadata in a task of its own. It is a user's value, and the caller may be a supervisor.
pub(crate) fn dispose_metadata(metadata: Option<Metadata>) {
    if metadata.is_some() {
        dispose(metadata);
    }
}
