//! One subscription: which actor, how a message is made for it, and what happens if it is slow.

use std::sync::Arc;

use perennial_actors::host::{Foreign, catch_panic};
use perennial_actors::{ActorHandle, Address, CloseHook, ExitReason, SendError};

/// What happens to a subscriber whose mailbox is full when something is said. The publisher waits in no case. For another way, give the
/// mailbox an [overflow policy](perennial_actors::OverflowPolicy): then it is never full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SlowSubscriberPolicy {
    /// It misses what is said. The publisher is told how many did.
    #[default]
    Skip,
    /// It is a subscriber no more.
    Unsubscribe,
}

/// What became of a message for one subscriber.
pub(super) enum Told {
    Delivered,
    Skipped,
    /// Its filter wants none of it.
    Filtered,
    /// It is to be a subscriber no more.
    Over,
    /// The code that makes its message panicked.
    Failed(ExitReason),
}

/// Makes a message for a subscriber of what was said, and casts it.
type Deliver<T> = dyn Fn(&T, SlowSubscriberPolicy) -> Told + Send + Sync;

/// How a subscriber gets its messages. It holds code of the user, so it is dropped under no lock.
pub(super) struct Delivery<T> {
    deliver: Arc<Deliver<T>>,
    /// The message is made by `From`, so every such delivery to one actor is the same.
    is_plain: bool,
}

impl<T: 'static> Delivery<T> {
    /// Converts each message by `From`.
    pub(super) fn plain<M: From<T> + Send + 'static>(actor: Address<M>) -> Self
    where
        T: Clone,
    {
        let deliver =
            move |said: &T, slow: SlowSubscriberPolicy| told(&actor.cast(M::from(said.clone())), slow);
        Self { deliver: Arc::new(deliver), is_plain: true }
    }

    /// Has `map` make each message, or none.
    pub(super) fn mapped<M: Send + 'static>(
        actor: Address<M>,
        map: impl Fn(&T) -> Option<M> + Send + Sync + 'static,
    ) -> Self {
        let map = Foreign::new(map);
        let deliver = move |said: &T, slow: SlowSubscriberPolicy| match map(said) {
            Some(message) => told(&actor.cast(message), slow),
            None => Told::Filtered,
        };
        Self { deliver: Arc::new(deliver), is_plain: false }
    }
}

impl<T> Delivery<T> {
    /// Returns `true` if both do the same, being of one actor.
    pub(super) const fn is_same(&self, other: &Self) -> bool {
        self.is_plain && other.is_plain
    }
}

fn told<M>(sent: &Result<(), SendError<M>>, slow: SlowSubscriberPolicy) -> Told {
    match sent {
        Ok(()) => Told::Delivered,
        Err(SendError::Full(_)) if slow == SlowSubscriberPolicy::Skip => Told::Skipped,
        Err(_) => Told::Over,
    }
}

impl<T> Clone for Delivery<T> {
    fn clone(&self) -> Self {
        Self { deliver: self.deliver.clone(), is_plain: self.is_plain }
    }
}

/// One subscription. As long as it is in the list, its actor has a hook that removes it and no other. Both are made and taken back
/// together, under the lock of the topic.
pub(super) struct Subscriber<T> {
    pub(super) handle: ActorHandle,
    pub(super) delivery: Delivery<T>,
    pub(super) slow: SlowSubscriberPolicy,
    pub(super) hook: CloseHook,
}

impl<T> Subscriber<T> {
    /// Casts what is made for it of what was said. What makes that is foreign code, and so is the `Drop` of what does not get in.
    pub(super) fn tell(&self, said: &T) -> Told {
        let told = catch_panic(None, || (self.delivery.deliver)(said, self.slow));
        told.unwrap_or_else(Told::Failed)
    }
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        let Self { handle, delivery, slow, hook } = self;
        Self { handle: handle.clone(), delivery: delivery.clone(), slow: *slow, hook: *hook }
    }
}
