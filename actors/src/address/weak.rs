//! Addresses and handles that do not keep the mailbox allocated.

use std::fmt;
use std::sync::{Arc, Weak};

use super::handle::ActorHandle;
use super::typed::Address;
use crate::process::Process;
use crate::system::AnyProcess;

/// An address that keeps nothing allocated.
///
/// Once the actor has ended for good and no [`Address`] to it is left, the mailbox and the state of
/// the actor are freed. An [`Address`] does not keep an actor running either, but it keeps the
/// mailbox and the state readable. Use weak addresses in caches and tables of many short-lived
/// actors.
pub struct WeakAddress<M: Send + 'static>(Weak<Process<M>>);

impl<M: Send + 'static> WeakAddress<M> {
    /// Returns the address, or `None` if the actor was freed.
    #[doc = actor_example!(r"let weak = counter.downgrade();
if let Some(counter) = weak.upgrade() {
    counter.cast(Msg::Add(2))?;
}
assert_eq!(counter.call(Msg::Get).await?, 2);")]
    #[must_use]
    pub fn upgrade(&self) -> Option<Address<M>> {
        self.0.upgrade().map(Address::new)
    }
}

impl<M: Send + 'static> Address<M> {
    /// Returns an address that does not keep the mailbox allocated.
    #[doc = actor_example!(r"let weak = counter.downgrade();
assert_eq!(weak.upgrade(), Some(counter));")]
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

/// A handle that keeps nothing of its actor allocated.
#[derive(Clone)]
pub struct WeakActorHandle(Weak<dyn AnyProcess>);

impl WeakActorHandle {
    /// Returns the handle, or `None` if the actor was freed.
    #[doc = actor_example!(r"let weak = counter.handle().downgrade();
assert_eq!(weak.upgrade(), Some(counter.handle()));")]
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
    /// Returns a handle that does not keep the actor allocated.
    #[doc = actor_example!(r"let weak = counter.handle().downgrade();
assert!(weak.is_of(&counter.handle()));")]
    #[must_use]
    pub fn downgrade(&self) -> WeakActorHandle {
        WeakActorHandle(Arc::downgrade(self.process()))
    }
}

impl fmt::Debug for WeakActorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakActorHandle").field(&self.upgrade()).finish()
    }
}
