//! Subscribing and publishing. A publisher never waits.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use perennial_actors::host::SeqMap;
use perennial_actors::host::sync::IdGen;
use perennial_actors::{ActorHandle, Address, CloseHook};

use super::subscriber::{Delivery, Outcome, SlowSubscriberPolicy, Subscriber};
use crate::label::{LabelKey, Topic};
use crate::log;
use crate::table::Table;

/// The outcome of one [`publish`](TopicHandle::publish): the number of subscribers per result.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PublishReport {
    /// The mailboxes that accepted the message. During a restart, the message waits for the next
    /// incarnation.
    pub delivered: usize,
    /// The subscribers with a full mailbox that missed the message.
    pub skipped: usize,
    /// The subscribers with a full or closed mailbox that were removed.
    pub removed: usize,
    /// The subscribers whose [filter](TopicHandle::subscribe_with) returned `None`.
    pub filtered: usize,
    /// The subscribers whose conversion or filter panicked. They missed the message and stay
    /// subscribed.
    pub failed: usize,
}

/// The topics of a system.
#[derive(Default)]
pub(crate) struct Topics {
    /// The [`Subscribers`] of each topic.
    topics: Table<LabelKey, Box<dyn Any + Send + Sync>>,
    /// The numbers of the subscriptions.
    numbers: IdGen,
}

impl Topics {
    /// Returns the names of the topics that have an entry, sorted.
    pub(crate) fn which(&self) -> Vec<String> {
        let mut names = self.topics.collect(|(name, _), _| Some(name.to_string()));
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(all(test, not(model)))]
impl Topics {
    /// Returns the number of topics that have an entry.
    pub(crate) fn known(&self) -> usize {
        self.topics.len()
    }
}

/// The subscribers of one topic.
struct Subscribers<T> {
    /// The subscribers in the order in which they subscribed. A publisher holds a copy of the
    /// pointer, and no lock.
    list: Arc<SeqMap<Subscriber<T>>>,
    /// The number of each subscriber in `list`.
    numbers: HashMap<ActorHandle, u64>,
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

    /// Sets the delivery of a subscriber. Returns the unused one, to be dropped under no lock; or
    /// the new one as an error if the actor is no subscriber.
    fn set(&mut self, actor: &ActorHandle, delivery: Delivery<T>) -> Result<Delivery<T>, Delivery<T>> {
        let Some(number) = self.numbers.get(actor) else { return Err(delivery) };
        // The list is copied on write while a publisher reads it, so it is written only if
        // something changes.
        if self.list.get(*number).is_some_and(|known| known.delivery.is_same(&delivery)) {
            return Ok(delivery);
        }
        let Some(known) = Arc::make_mut(&mut self.list).get_mut(*number) else { return Err(delivery) };
        Ok(std::mem::replace(&mut known.delivery, delivery))
    }

    fn remove(&mut self, number: u64) -> Option<Subscriber<T>> {
        // Checked first, for the same reason.
        self.list.get(number)?;
        let removed = Arc::make_mut(&mut self.list).remove(number)?;
        self.numbers.remove(&removed.handle);
        removed.handle.remove_close_hook(removed.hook);
        Some(removed)
    }
}

/// A handle to one topic of a system. Its clones refer to the same topic.
///
/// A subscription belongs to the actor, not to its incarnation: it survives restarts. Subscribing
/// in each `init` therefore makes one subscription. It ends when the actor has ended for good. Each
/// subscriber receives the messages of one publisher in the order in which they were published.
pub struct TopicHandle<T> {
    topics: Arc<Topics>,
    key: LabelKey,
    message: PhantomData<fn() -> T>,
}

impl<T: Clone + Send + 'static> TopicHandle<T> {
    pub(crate) fn new(topics: Arc<Topics>, topic: &Topic<T>) -> Self {
        Self { topics, key: (topic.text(), TypeId::of::<T>()), message: PhantomData }
    }

    /// Subscribes an actor to the messages that are published from now on. If it is a subscriber
    /// already, this replaces its policy, and its [filter](Self::subscribe_with) if it has one.
    ///
    /// Returns `false`, and changes nothing, if the actor is closed: it has ended for good, or was
    /// not started yet.
    #[doc = registry_example!(r#"assert!(news.subscribe(&greeter, SlowSubscriberPolicy::Skip));
assert_eq!(news.publish(&"it rains".to_owned()).delivered, 1);"#)]
    pub fn subscribe<M: From<T> + Send + 'static>(
        &self,
        actor: &Address<M>,
        slow: SlowSubscriberPolicy,
    ) -> bool {
        self.subscribe_delivery(actor.handle(), Delivery::plain(actor.clone(), slow))
    }

    /// Subscribes an actor as [`subscribe`](Self::subscribe) does, to the messages that `map` makes
    /// of the published ones. If `map` returns `None`, the actor gets nothing, and
    /// [`PublishReport::filtered`] counts it.
    ///
    /// `map` runs in the publisher's call to [`publish`](Self::publish), under no lock, so it
    /// should be quick. If it panics, the subscriber misses that message and stays subscribed; the
    /// panic is logged and counted by [`PublishReport::failed`]. A later subscription of the same
    /// actor replaces `map`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{MailboxConfig, System};
    /// # use perennial_registry::{Registry, SlowSubscriberPolicy, Topic};
    /// # let system = System::new();
    /// # let identity = Identity::<String>::new(MailboxConfig::default());
    /// # identity.open(&system, || "alarm".into());
    /// # let alarm = identity.address();
    /// const TEMPERATURES: Topic<i32> = Topic::new("temperatures");
    ///
    /// let temperatures = Registry::of(&system).topic(TEMPERATURES);
    /// temperatures.subscribe_with(&alarm, SlowSubscriberPolicy::Skip, |degrees| {
    ///     (*degrees > 90).then(|| format!("{degrees} degrees"))
    /// });
    /// let published = [20, 95].map(|degrees| temperatures.publish(&degrees));
    /// assert_eq!((published[0].filtered, published[1].delivered), (1, 1));
    /// ```
    pub fn subscribe_with<M: Send + 'static>(
        &self,
        actor: &Address<M>,
        slow: SlowSubscriberPolicy,
        map: impl Fn(&T) -> Option<M> + Send + Sync + 'static,
    ) -> bool {
        self.subscribe_delivery(actor.handle(), Delivery::mapped(actor.clone(), slow, map))
    }

    fn subscribe_delivery(&self, handle: ActorHandle, delivery: Delivery<T>) -> bool {
        let (_unused, subscribed) = self.topics.topics.update_or_try_insert(self.key.clone(), |known| {
            let mut first = None;
            let subscribers = match known.and_then(|known| known.downcast_mut::<Subscribers<T>>()) {
                Some(known) => known,
                None => first.insert(Subscribers::default()),
            };
            let delivery = match subscribers.set(&handle, delivery) {
                Ok(unused) => return (None, (Some(unused), true)),
                Err(delivery) => delivery,
            };
            let number = self.topics.numbers.next();
            let Some(hook) = self.close_hook(&handle, number) else {
                return (None, (Some(delivery), false));
            };
            subscribers.insert(number, Subscriber { handle, delivery, hook });
            (first.map(|first| -> Box<dyn Any + Send + Sync> { Box::new(first) }), (None, true))
        });
        subscribed
    }

    /// Adds the hook that removes a subscription when its actor is closed.
    fn close_hook(&self, handle: &ActorHandle, number: u64) -> Option<CloseHook> {
        let (topics, key) = (Arc::downgrade(&self.topics), self.key.clone());
        handle.add_close_hook(move || {
            if let Some(topics) = Weak::upgrade(&topics) {
                let topic = Self { topics, key, message: PhantomData };
                drop(topic.change(|subscribers| subscribers.remove(number)));
            }
        })
    }

    /// Removes the subscription of an actor. Returns `true` if it was subscribed.
    #[doc = registry_example!(r"news.subscribe(&greeter, SlowSubscriberPolicy::Skip);
assert!(news.unsubscribe(&greeter));")]
    pub fn unsubscribe<M: Send + 'static>(&self, actor: &Address<M>) -> bool {
        let handle = actor.handle();
        let removed = self.change(|subscribers| {
            let number = *subscribers.numbers.get(&handle)?;
            subscribers.remove(number)
        });
        removed.flatten().is_some()
    }

    /// Publishes a message to all subscribers, without waiting.
    ///
    /// Each subscriber's message is made in this call, under no lock: cloned and converted, or made
    /// by the [function](Self::subscribe_with) of the subscriber. If that panics for one
    /// subscriber, the others still get their messages; see [`PublishReport::failed`].
    #[doc = registry_example!(r#"news.subscribe(&greeter, SlowSubscriberPolicy::Skip);
assert_eq!(news.publish(&"it rains".to_owned()).delivered, 1);"#)]
    pub fn publish(&self, message: &T) -> PublishReport {
        let mut published = PublishReport::default();
        let mut removed_numbers = Vec::new();
        for (number, subscriber) in self.list().iter() {
            match subscriber.deliver(message) {
                Outcome::Delivered => published.delivered += 1,
                Outcome::Skipped => published.skipped += 1,
                Outcome::Filtered => published.filtered += 1,
                Outcome::Unsubscribed => removed_numbers.push(number),
                Outcome::Failed(reason) => {
                    published.failed += 1;
                    log::conversion_panicked(&self.key.0, &subscriber.handle, reason);
                }
            }
        }
        if !removed_numbers.is_empty() {
            // Removed by number: an actor that has subscribed anew since has another one.
            let remove = |subscribers: &mut Subscribers<T>| -> Vec<_> {
                removed_numbers.into_iter().filter_map(|number| subscribers.remove(number)).collect()
            };
            published.removed = self.change(remove).map_or(0, |removed| removed.len());
        }
        published
    }

    /// Returns the subscribers that are not closed, in the order in which they subscribed.
    #[doc = registry_example!(r"news.subscribe(&greeter, SlowSubscriberPolicy::Skip);
assert_eq!(news.subscribers(), [greeter.handle()]);")]
    #[must_use]
    pub fn subscribers(&self) -> Vec<ActorHandle> {
        let list = self.list();
        let handles = list.values().map(|subscriber| &subscriber.handle);
        handles.filter(|handle| !is_closed(handle)).cloned().collect()
    }

    fn list(&self) -> Arc<SeqMap<Subscriber<T>>> {
        let list = self
            .topics
            .topics
            .read(&self.key, |subscribers| Some(subscribers.downcast_ref::<Subscribers<T>>()?.list.clone()));
        list.flatten().unwrap_or_default()
    }

    /// Changes the subscribers of the topic, if it has any. The caller drops the result under no
    /// lock.
    fn change<R>(&self, change: impl FnOnce(&mut Subscribers<T>) -> R) -> Option<R> {
        let is_empty = |any: &Box<dyn Any + Send + Sync>| {
            any.downcast_ref::<Subscribers<T>>().is_some_and(|subscribers| subscribers.list.is_empty())
        };
        self.topics.topics.update_or_remove(&self.key, |any| any.downcast_mut().map(change), is_empty)?
    }

    /// Returns the hook of a subscribed actor.
    #[cfg(all(test, not(model)))]
    pub(crate) fn hook(&self, actor: &ActorHandle) -> Option<CloseHook> {
        self.list().values().find(|subscriber| subscriber.handle == *actor).map(|subscriber| subscriber.hook)
    }

    /// Returns the number of subscribers in the entry, closed ones included, or `None` if the topic
    /// has no entry.
    #[cfg(all(test, not(model)))]
    pub(crate) fn known(&self) -> Option<usize> {
        self.change(|subscribers| subscribers.list.len().max(subscribers.numbers.len()))
    }
}

fn is_closed(handle: &ActorHandle) -> bool {
    handle.state() == perennial_actors::ProcessState::Closed
}

impl<T> Clone for TopicHandle<T> {
    fn clone(&self) -> Self {
        Self { topics: self.topics.clone(), key: self.key.clone(), message: PhantomData }
    }
}

impl<T> fmt::Debug for TopicHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicHandle").field("topic", &self.key.0).finish_non_exhaustive()
    }
}
