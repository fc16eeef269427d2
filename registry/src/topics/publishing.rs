//! Subscribing and publishing. A publisher never waits.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use perennial_actors::host::{SeqMap, catch_panic};
use perennial_actors::{ActorHandle, Address, CloseHook, Recipient, SendError};

use super::topic::Topic;
use crate::sync::IdGen;
use crate::table::{Retain, Table};

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

/// What became of something that was said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PublishReport {
    /// So many mailboxes have it. One whose actor is just being restarted has it for the next incarnation.
    pub delivered: usize,
    /// So many were full, and missed it.
    pub skipped: usize,
    /// So many were full or closed, and are subscribers no more.
    pub removed: usize,
    /// The conversion of the message panicked for so many. Each of them missed it and stays a subscriber.
    pub failed: usize,
}

/// The topics of a system.
#[derive(Default)]
pub(crate) struct Topics {
    /// The [`Subscribers`] of each.
    topics: Table<Key, Box<dyn Any + Send + Sync>>,
    /// Of subscriptions.
    numbers: IdGen,
}

#[cfg(all(test, not(model)))]
impl Topics {
    /// How many topics are known.
    pub(crate) fn known(&self) -> usize {
        self.topics.len()
    }
}

/// A topic: its name, and the type of what is said.
type Key = (Cow<'static, str>, TypeId);

/// Who has subscribed to a topic.
struct Subscribers<T> {
    /// In the order in which they did. Whoever publishes holds a copy of the pointer, and no lock.
    list: Arc<SeqMap<Subscriber<T>>>,
    /// The number that each has there.
    numbers: HashMap<ActorHandle, u64>,
}

/// One subscription. As long as it is in the list, its actor has a hook that removes it and no other. Both are made and taken back
/// together, under the lock of the topic.
struct Subscriber<T> {
    handle: ActorHandle,
    recipient: Recipient<T>,
    slow: SlowSubscriberPolicy,
    hook: CloseHook,
}

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self { list: Arc::default(), numbers: HashMap::new() }
    }
}

impl<T> Subscribers<T> {
    fn insert(&mut self, number: u64, subscriber: Subscriber<T>) {
        self.numbers.insert(subscriber.handle.clone(), number);
        Arc::make_mut(&mut self.list).insert(number, subscriber);
    }

    /// Sets the policy of a subscriber. Returns `false` if the actor is none.
    fn set_policy(&mut self, actor: &ActorHandle, slow: SlowSubscriberPolicy) -> bool {
        let Some(number) = self.numbers.get(actor) else { return false };
        // A list that a publisher looks at is copied to be changed, so only if there is a change.
        if self.list.get(*number).is_some_and(|known| known.slow != slow) {
            if let Some(known) = Arc::make_mut(&mut self.list).get_mut(*number) {
                known.slow = slow;
            }
        }
        true
    }

    fn remove(&mut self, number: u64) -> Option<Subscriber<T>> {
        // Asked first, for the same reason.
        self.list.get(number)?;
        let removed = Arc::make_mut(&mut self.list).remove(number)?;
        self.numbers.remove(&removed.handle);
        removed.handle.remove_close_hook(removed.hook);
        Some(removed)
    }
}

/// What became of a message for one subscriber.
enum Told {
    Delivered,
    Skipped,
    /// It is to be a subscriber no more.
    Over,
    Failed,
}

impl<T: Clone + Send + 'static> Subscriber<T> {
    /// Casts a copy of what was said. What it makes of that is foreign code, and so is the `Drop` of what does not get in.
    fn publish_to(&self, message: &T) -> Told {
        let told = catch_panic(None, || match self.recipient.cast(message.clone()) {
            Ok(()) => Told::Delivered,
            Err(SendError::Full(_)) if self.slow == SlowSubscriberPolicy::Skip => Told::Skipped,
            Err(_) => Told::Over,
        });
        told.unwrap_or(Told::Failed)
    }
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        let (handle, recipient) = (self.handle.clone(), self.recipient.clone());
        Self { handle, recipient, slow: self.slow, hook: self.hook }
    }
}

/// One topic of a system. Clones are of the same.
///
/// A subscription is the actor's, and not its incarnation's: it survives restarts, and to subscribe in every init is to subscribe once. It
/// is over when the actor has ended for good. What one publisher says reaches each subscriber in that order.
pub struct TopicHandle<T> {
    topics: Arc<Topics>,
    key: Key,
    said: PhantomData<fn() -> T>,
}

impl<T: Clone + Send + 'static> TopicHandle<T> {
    pub(crate) fn new(topics: Arc<Topics>, topic: &Topic<T>) -> Self {
        Self { topics, key: (topic.text(), TypeId::of::<T>()), said: PhantomData }
    }

    /// Subscribes an actor to what is said from now on. If it is a subscriber already, only its policy changes.
    ///
    /// Returns `false` if the actor is closed: it has ended for good, or was not started yet. Then nothing changes.
    pub fn subscribe<M: From<T> + Send + 'static>(
        &self,
        actor: &Address<M>,
        slow: SlowSubscriberPolicy,
    ) -> bool {
        let (handle, recipient) = (actor.handle(), actor.recipient());
        self.topics.topics.update_or_try_insert(self.key.clone(), |subscribers| {
            let mut known = subscribers.and_then(|known| known.downcast_mut::<Subscribers<T>>());
            if known.as_mut().is_some_and(|known| known.set_policy(&handle, slow)) {
                return (None, true);
            }
            let mut first = None;
            let subscribers = match known {
                Some(known) => known,
                None => first.insert(Subscribers::default()),
            };
            let number = self.topics.numbers.next();
            let Some(hook) = self.close_hook(&handle, number) else { return (None, false) };
            subscribers.insert(number, Subscriber { handle, recipient, slow, hook });
            (first.map(|first| -> Box<dyn Any + Send + Sync> { Box::new(first) }), true)
        })
    }

    /// Sets the hook that removes a subscription when its actor is closed.
    fn close_hook(&self, handle: &ActorHandle, number: u64) -> Option<CloseHook> {
        let (topics, key) = (Arc::downgrade(&self.topics), self.key.clone());
        handle.add_close_hook(move || {
            if let Some(topics) = Weak::upgrade(&topics) {
                let topic = Self { topics, key, said: PhantomData };
                drop(topic.change(|subscribers| subscribers.remove(number)));
            }
        })
    }

    /// Has it told no more. Tells whether it was a subscriber.
    pub fn unsubscribe<M: Send + 'static>(&self, actor: &Address<M>) -> bool {
        let handle = actor.handle();
        let removed = self.change(|subscribers| {
            let number = *subscribers.numbers.get(&handle)?;
            subscribers.remove(number)
        });
        removed.flatten().is_some()
    }

    /// Says something to all who have subscribed; never waits.
    ///
    /// A message is cloned and converted for each of them here, under no lock. If that panics for one, the others are told all
    /// the same; see [`PublishReport::failed`].
    pub fn publish(&self, said: &T) -> PublishReport {
        let mut published = PublishReport::default();
        let mut over = Vec::new();
        for (number, subscriber) in self.list().iter() {
            match subscriber.publish_to(said) {
                Told::Delivered => published.delivered += 1,
                Told::Skipped => published.skipped += 1,
                Told::Over => over.push(number),
                Told::Failed => published.failed += 1,
            }
        }
        if !over.is_empty() {
            // By their numbers: who has subscribed anew since is another subscriber.
            let remove = |subscribers: &mut Subscribers<T>| -> Vec<_> {
                over.into_iter().filter_map(|number| subscribers.remove(number)).collect()
            };
            published.removed = self.change(remove).map_or(0, |removed| removed.len());
        }
        published
    }

    /// Who has subscribed, in that order, and has not ended for good.
    #[must_use]
    pub fn subscribers(&self) -> Vec<ActorHandle> {
        let list = self.list();
        let handles = list.iter().map(|(_, subscriber)| &subscriber.handle);
        handles.filter(|handle| !is_over(handle)).cloned().collect()
    }

    fn list(&self) -> Arc<SeqMap<Subscriber<T>>> {
        let list = self
            .topics
            .topics
            .read(&self.key, |subscribers| Some(subscribers.downcast_ref::<Subscribers<T>>()?.list.clone()));
        list.flatten().unwrap_or_default()
    }

    /// Changes who has subscribed, if anybody has. What comes back is dropped under no lock.
    fn change<R>(&self, change: impl FnOnce(&mut Subscribers<T>) -> R) -> Option<R> {
        let (result, _) = self.topics.topics.update(&self.key, |subscribers| {
            let Some(subscribers) = subscribers.downcast_mut::<Subscribers<T>>() else {
                return (Retain::Keep, None);
            };
            let result = change(subscribers);
            (if subscribers.list.is_empty() { Retain::Remove } else { Retain::Keep }, Some(result))
        })?;
        result
    }

    /// The hook of an actor that has subscribed.
    #[cfg(all(test, not(model)))]
    pub(crate) fn hook(&self, actor: &ActorHandle) -> Option<CloseHook> {
        self.list()
            .iter()
            .find(|(_, subscriber)| subscriber.handle == *actor)
            .map(|(_, subscriber)| subscriber.hook)
    }

    /// How many are known, those who have ended included; none if nothing is kept of the topic.
    #[cfg(all(test, not(model)))]
    pub(crate) fn known(&self) -> Option<usize> {
        self.change(|subscribers| subscribers.list.len().max(subscribers.numbers.len()))
    }
}

fn is_over(handle: &ActorHandle) -> bool {
    handle.state() == perennial_actors::ProcessState::Closed
}

impl<T> Clone for TopicHandle<T> {
    fn clone(&self) -> Self {
        Self { topics: self.topics.clone(), key: self.key.clone(), said: PhantomData }
    }
}

impl<T> fmt::Debug for TopicHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicHandle").field("topic", &self.key.0).finish_non_exhaustive()
    }
}
