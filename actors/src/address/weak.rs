//! Addresses that do not keep a mailbox.

use std::fmt;
use std::sync::{Arc, Weak};

use super::handle::ActorHandle;
use super::typed::Address;
use crate::any_process::AnyProcess;
use crate::process::Process;

/// An address that keeps nothing: once the actor has ended for good and nobody holds its address, the mailbox and what was left
/// of the actor go.
///
/// An [`Address`] does not keep an actor alive either; what it keeps is the memory of the mailbox, and somebody to ask what
/// became of the actor. Caches and tables of many actors that come and go hold these.
pub struct WeakAddress<M: Send + 'static>(Weak<Process<M>>);

impl<M: Send + 'static> WeakAddress<M> {
    /// The address, unless everything of the actor is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Address<M>> {
        self.0.upgrade().map(Address::new)
    }
}

impl<M: Send + 'static> Address<M> {
    /// An address that does not keep the mailbox.
    #[must_use]
    pub fn downgrade(&self) -> WeakAddress<M> {
        WeakAddress(Arc::downgrade(self.process()))
    }
}

impl<M: Send + 'static> Clone for WeakAddress<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Send + 'static> fmt::Debug for WeakAddress<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakAddress").field(&self.upgrade()).finish()
    }
}

/// A handle that does not keep the memory of its actor.
#[derive(Clone)]
pub struct WeakActorHandle(Weak<dyn AnyProcess>);

impl WeakActorHandle {
    /// Returns the handle, unless everything of the actor is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<ActorHandle> {
        self.0.upgrade().map(ActorHandle::new)
    }

    /// Returns `true` if `handle` controls the same actor.
    #[must_use]
    pub fn is_of(&self, handle: &ActorHandle) -> bool {
        std::ptr::addr_eq(self.0.as_ptr(), Arc::as_ptr(handle.process()))
    }
}

impl ActorHandle {
    /// Returns a handle that does not keep the memory of the actor.
    #[must_use]
    pub fn downgrade(&self) -> WeakActorHandle {
        WeakActorHandle(Arc::downgrade(self.process()))
    }
}

impl fmt::Debug for WeakActorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakHandle").field(&self.upgrade()).finish()
    }
}
