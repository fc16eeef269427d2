//! Telling listeners what changes, in the order in which it does.

use std::borrow::Cow;

use perennial_actors::host::{Broadcast, Sent};
use perennial_actors::{ActorHandle, Subscription};

/// Something that changed about a name.
///
/// # Ordering
///
/// Listeners are told of the changes of one name in the order in which they happened, and have been told when the call that made the
/// change returns. When an actor ends, they are told that its names are free before any link or monitor hears of the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NameChange {
    /// A name leads to an actor now.
    Registered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor.
        actor: ActorHandle,
    },
    /// A name leads nowhere any more.
    Unregistered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        actor: ActorHandle,
    },
    /// A name leads from one actor to another now, and led nowhere at no moment.
    HandedOver {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        from: ActorHandle,
        /// The actor to which it leads.
        to: ActorHandle,
    },
}

/// The stream of the changes of one table.
///
/// A change is sent while the entry that changes is locked, which puts the changes of one entry in their order. No foreign code
/// runs then: the wakers of listeners run when the caller drops the [`Told`], after it has unlocked the entry.
pub(crate) struct Changes<C>(Broadcast<C>);

/// The changes that one call has made. Dropped outside the lock of the entry, it wakes the listeners.
pub(crate) struct Told<C>(Vec<Sent<C>>);

impl<C> Default for Told<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C: Clone> Default for Changes<C> {
    fn default() -> Self {
        Self(Broadcast::new())
    }
}

impl<C: Clone> Changes<C> {
    /// Subscribes to the changes that are made from now on.
    pub(crate) fn subscribe(&self) -> Subscription<C> {
        self.0.subscribe()
    }

    /// Sends a change while its entry is locked. `change` is called only if there is a listener.
    pub(crate) fn record(&self, told: &mut Told<C>, change: impl FnOnce() -> C) {
        let sent = self.0.send_locked(change);
        if !sent.is_empty() {
            told.0.push(sent);
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_nothing_that_was_noted_before_it_came() {
        let changes = Changes::default();
        let gone = changes.subscribe();
        let mut told = Told::default();
        changes.record(&mut told, || "before");
        drop(gone);
        let mut listener = changes.subscribe();
        changes.record(&mut told, || "after");
        assert_eq!((listener.try_next(), listener.try_next()), (Some("after"), None));
    }
}
