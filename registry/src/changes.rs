//! Telling listeners what changes, in the order in which it did.

use std::borrow::Cow;
use std::collections::VecDeque;

use perennial_actors::host::Broadcast;
use perennial_actors::{Handle, Subscription};

use crate::sync::{Landmark, Mutex};

/// Something that changed about a name.
///
/// # Ordering
///
/// Listeners are told of the changes of one name in the order in which they happened, and have been told when the call that made the
/// change returns. When an actor ends, they are told that its names are free before any link or monitor hears of the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// A name leads to an actor now.
    Registered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor.
        actor: Handle,
    },
    /// A name leads nowhere any more.
    Unregistered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        actor: Handle,
    },
    /// A name leads from one actor to another now, and led nowhere at no moment.
    HandedOver {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        from: Handle,
        /// The actor to which it leads.
        to: Handle,
    },
}

/// What is still to be told.
///
/// A change is noted while the entry that changes is locked, which puts the changes of one entry in their order, and told after that: to tell
/// wakes tasks, which must not happen under a lock of ours. Lock order: entry, `noted`. Whoever tells holds `telling`, and neither of
/// the others.
pub(crate) struct Changes<C> {
    noted: Mutex<VecDeque<C>>,
    telling: Mutex<()>,
    topic: Broadcast<C>,
    before_topic: Landmark,
}

impl<C: Clone> Default for Changes<C> {
    fn default() -> Self {
        let (topic, before_topic) = (Broadcast::new(), Landmark::default());
        Self { noted: Mutex::default(), telling: Mutex::default(), topic, before_topic }
    }
}

impl<C: Clone> Changes<C> {
    /// What is noted from now on. What was noted before, for somebody who may be gone, is told before.
    pub(crate) fn subscribe(&self) -> Subscription<C> {
        let telling = self.telling.lock();
        self.tell_noted();
        self.before_topic.pass();
        let subscription = self.topic.subscribe();
        drop(telling);
        subscription
    }

    /// Notes a change, while its entry is locked.
    pub(crate) fn note(&self, change: impl FnOnce() -> C) {
        if self.topic.is_heard() {
            self.noted.lock().push_back(change());
        }
    }

    /// Tells what was noted. When this returns, what the caller has noted was told, by whomever.
    pub(crate) fn tell(&self) {
        if !self.topic.is_heard() {
            return;
        }
        let telling = self.telling.lock();
        self.tell_noted();
        drop(telling);
    }

    fn tell_noted(&self) {
        loop {
            let change = self.noted.lock().pop_front();
            let Some(change) = change else { break };
            self.before_topic.pass();
            self.topic.tell(|| change);
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
        changes.note(|| "before");
        drop(gone);
        // Nobody hears it, so it is not told.
        changes.tell();
        let mut listener = changes.subscribe();
        changes.note(|| "after");
        changes.tell();
        assert_eq!((listener.try_next(), listener.try_next()), (Some("after"), None));
    }
}
