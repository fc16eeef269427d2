//! One subscription: its actor, the code that makes its messages, and its policy for a full
//! mailbox.

use std::sync::Arc;

use perennial_actors::host::{Foreign, catch_panic};
use perennial_actors::{ActorHandle, Address, CloseHook, ExitReason, SendError};

/// The policy for a subscriber whose mailbox is full when a message is published.
///
/// The publisher never waits. To evict old messages instead, give the mailbox an [overflow
/// policy](perennial_actors::OverflowPolicy): such a mailbox is never full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SlowSubscriberPolicy {
    /// The subscriber misses the message. [`PublishReport::skipped`](crate::PublishReport::skipped)
    /// counts it.
    #[default]
    Skip,
    /// The subscriber is removed.
    Unsubscribe,
}

/// The outcome of publishing one message to one subscriber.
pub(super) enum Outcome {
    Delivered,
    Skipped,
    /// The filter returned `None`.
    Filtered,
    /// The subscriber is to be removed.
    Unsubscribed,
    /// The code that makes the message panicked.
    Failed(ExitReason),
}

/// The code that makes the subscriber's message of the published one, and casts it. It belongs to
/// the user, so it is dropped under no lock.
pub(super) struct Delivery<T> {
    deliver: Arc<dyn Fn(&T) -> Outcome + Send + Sync>,
    /// The policy, if `From` makes the message. All such deliveries to one actor are equal.
    plain: Option<SlowSubscriberPolicy>,
}

impl<T: 'static> Delivery<T> {
    /// Creates a delivery that converts each message by `From`.
    pub(super) fn plain<M: From<T> + Send + 'static>(actor: Address<M>, slow: SlowSubscriberPolicy) -> Self
    where
        T: Clone,
    {
        let deliver = move |message: &T| outcome(&actor.cast(M::from(message.clone())), slow);
        Self { deliver: Arc::new(deliver), plain: Some(slow) }
    }

    /// Creates a delivery whose messages `map` makes. It delivers nothing where `map` returns
    /// `None`.
    pub(super) fn mapped<M: Send + 'static>(
        actor: Address<M>,
        slow: SlowSubscriberPolicy,
        map: impl Fn(&T) -> Option<M> + Send + Sync + 'static,
    ) -> Self {
        let map = Foreign::new(map);
        let deliver = move |message: &T| match map(message) {
            Some(message) => outcome(&actor.cast(message), slow),
            None => Outcome::Filtered,
        };
        Self { deliver: Arc::new(deliver), plain: None }
    }
}

impl<T> Delivery<T> {
    /// Returns `true` if both deliveries, which are to the same actor, are known to be equal.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.plain.is_some() && self.plain == other.plain
    }
}

fn outcome<M>(sent: &Result<(), SendError<M>>, slow: SlowSubscriberPolicy) -> Outcome {
    match sent {
        Ok(()) => Outcome::Delivered,
        Err(SendError::Full(_)) if slow == SlowSubscriberPolicy::Skip => Outcome::Skipped,
        Err(_) => Outcome::Unsubscribed,
    }
}

impl<T> Clone for Delivery<T> {
    fn clone(&self) -> Self {
        Self { deliver: self.deliver.clone(), plain: self.plain }
    }
}

/// One subscription. While it is in the list, its actor has a hook that removes it and no other.
/// Subscription and hook are made and removed together, under the lock of the topic.
pub(super) struct Subscriber<T> {
    pub(super) handle: ActorHandle,
    pub(super) delivery: Delivery<T>,
    pub(super) hook: CloseHook,
}

impl<T> Subscriber<T> {
    /// Makes and casts this subscriber's message. The code that makes it is foreign, and so is the
    /// `Drop` of a rejected message.
    pub(super) fn deliver(&self, message: &T) -> Outcome {
        catch_panic(None, || (self.delivery.deliver)(message)).unwrap_or_else(Outcome::Failed)
    }
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), delivery: self.delivery.clone(), hook: self.hook }
    }
}
