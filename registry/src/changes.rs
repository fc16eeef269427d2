//! The streams of changes: subscribers receive the changes of one entry in the order in which they
//! happen.

use std::borrow::Cow;

use perennial_actors::host::{Broadcast, Sent};
use perennial_actors::{ActorHandle, Subscription};

/// A change of a name's binding.
///
/// # Ordering
///
/// Subscribers receive the changes of one name in the order in which they happened. A change has
/// been delivered when the call that made it returns. When an actor ends, the changes of its names
/// are delivered before any link or monitor is notified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NameChange {
    /// A name was bound to an actor.
    Registered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor.
        actor: ActorHandle,
    },
    /// A binding was removed.
    Unregistered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        actor: ActorHandle,
    },
    /// A name was rebound from one actor to another. It was unbound at no moment.
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
/// A change is sent while its entry is locked. This puts the changes of one entry in order. No
/// foreign code runs under that lock: the wakers of subscribers run when the caller drops the
/// [`PendingWakes`], after it has unlocked the entry.
pub(crate) struct Changes<C>(Broadcast<C>);

/// The wakers of the changes that one call has made. Dropped outside the lock of the entry, it
/// wakes the subscribers.
pub(crate) struct PendingWakes<C>(Vec<Sent<C>>);

impl<C> Default for PendingWakes<C> {
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

    /// Sends a change while its entry is locked. `change` is called only if there is a subscriber.
    pub(crate) fn record(&self, wakes: &mut PendingWakes<C>, change: impl FnOnce() -> C) {
        let sent = self.0.send_locked(change);
        if !sent.is_empty() {
            wakes.0.push(sent);
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn subscriber_receives_no_change_recorded_before_it_subscribed() {
        let changes = Changes::default();
        let gone = changes.subscribe();
        let mut wakes = PendingWakes::default();
        changes.record(&mut wakes, || "before");
        drop(gone);
        let mut subscriber = changes.subscribe();
        changes.record(&mut wakes, || "after");
        assert_eq!((subscriber.try_next(), subscriber.try_next()), (Some("after"), None));
    }
}
