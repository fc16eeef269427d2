//! Subscribing and publishing. A publisher never waits.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use perennial_actors::host::SeqMap;
use perennial_actors::{ActorHandle, Address, CloseHook};

use super::subscriber::{Delivery, SlowSubscriberPolicy, Subscriber, Told};
use super::topic::Topic;
use crate::log;
use crate::sync::IdGen;
use crate::table::{Retain, Table};

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
    /// The [filter](TopicHandle::subscribe_with) of so many did not let it through.
    pub filtered: usize,
    /// The conversion or the filter of so many panicked. Each of them missed it and stays a subscriber.
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

    /// Sets the policy and the delivery of a subscriber. Returns the delivery that is not used, to be
    /// dropped under no lock; or the new one as an error if the actor is no subscriber.
    fn set(
        &mut self,
        actor: &ActorHandle,
        slow: SlowSubscriberPolicy,
        delivery: Delivery<T>,
    ) -> Result<Delivery<T>, Delivery<T>> {
        let Some(number) = self.numbers.get(actor) else { return Err(delivery) };
        let is_same = |known: &Subscriber<T>| known.slow == slow && known.delivery.is_same(&delivery);
        // A list that a publisher looks at is copied to be changed, so only if there is a change.
        if self.list.get(*number).is_some_and(is_same) {
            return Ok(delivery);
        }
        let Some(known) = Arc::make_mut(&mut self.list).get_mut(*number) else { return Err(delivery) };
        known.slow = slow;
        Ok(std::mem::replace(&mut known.delivery, delivery))
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

/// One topic of a system. Clones are of the same.
///
/// A subscription is the actor's, and not its incarnation's: it survives restarts, and to subscribe in every init is to subscribe once. It
/// is over when the actor has ended for good. What one publisher says reaches each subscriber in that order.
pub struct TopicHandle<T> {
    topics: Arc<Topics>,
    key: Key,
    message: PhantomData<fn() -> T>,
}

impl<T: Clone + Send + 'static> TopicHandle<T> {
    pub(crate) fn new(topics: Arc<Topics>, topic: &Topic<T>) -> Self {
        Self { topics, key: (topic.text(), TypeId::of::<T>()), message: PhantomData }
    }

    /// Subscribes an actor to what is said from now on. If it is a subscriber already, this replaces its
    /// policy, and its [filter](Self::subscribe_with) if it has one.
    ///
    /// Returns `false` if the actor is closed: it has ended for good, or was not started yet. Then nothing changes.
    #[doc = registry_example!(r#"assert!(news.subscribe(&greeter, Slow::Skip));
assert_eq!(news.publish(&"it rains".to_owned()).delivered, 1);"#)]
    pub fn subscribe<M: From<T> + Send + 'static>(
        &self,
        actor: &Address<M>,
        slow: SlowSubscriberPolicy,
    ) -> bool {
        self.enter(actor.handle(), slow, Delivery::plain(actor.clone()))
    }

    /// Subscribes an actor as [`subscribe`](Self::subscribe) does, to the messages that `map` makes of what
    /// is said. Where `map` returns `None`, the actor gets nothing, and [`PublishReport::filtered`] counts it.
    ///
    /// `map` runs in the publisher's call to [`publish`](Self::publish), under no lock, so it should be
    /// quick. If it panics, the subscriber misses that message and stays a subscriber;
    /// [`PublishReport::failed`] counts it, and it is logged. A later subscription of the same actor replaces
    /// `map`.
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
        self.enter(actor.handle(), slow, Delivery::mapped(actor.clone(), map))
    }

    fn enter(&self, handle: ActorHandle, slow: SlowSubscriberPolicy, delivery: Delivery<T>) -> bool {
        let (_unused, subscribed) =
            self.topics.topics.update_or_try_insert(self.key.clone(), |subscribers| {
                let mut known = subscribers.and_then(|known| known.downcast_mut::<Subscribers<T>>());
                let set = match &mut known {
                    Some(known) => known.set(&handle, slow, delivery),
                    None => Err(delivery),
                };
                let delivery = match set {
                    Ok(unused) => return (None, (Some(unused), true)),
                    Err(delivery) => delivery,
                };
                let mut first = None;
                let subscribers = match known {
                    Some(known) => known,
                    None => first.insert(Subscribers::default()),
                };
                let number = self.topics.numbers.next();
                let Some(hook) = self.close_hook(&handle, number) else {
                    return (None, (Some(delivery), false));
                };
                subscribers.insert(number, Subscriber { handle, delivery, slow, hook });
                (first.map(|first| -> Box<dyn Any + Send + Sync> { Box::new(first) }), (None, true))
            });
        subscribed
    }

    /// Sets the hook that removes a subscription when its actor is closed.
    fn close_hook(&self, handle: &ActorHandle, number: u64) -> Option<CloseHook> {
        let (topics, key) = (Arc::downgrade(&self.topics), self.key.clone());
        handle.add_close_hook(move || {
            if let Some(topics) = Weak::upgrade(&topics) {
                let topic = Self { topics, key, message: PhantomData };
                drop(topic.change(|subscribers| subscribers.remove(number)));
            }
        })
    }

    /// Has it told no more. Tells whether it was a subscriber.
    #[doc = registry_example!(r"news.subscribe(&greeter, Slow::Skip);
assert!(news.unsubscribe(&greeter));")]
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
    /// A message is made for each of them here, under no lock: cloned and converted, or by the
    /// [function](Self::subscribe_with) of the subscriber. If that panics for one, the others are told all
    /// the same; see [`PublishReport::failed`].
    #[doc = registry_example!(r#"news.subscribe(&greeter, Slow::Skip);
assert_eq!(news.publish(&"it rains".to_owned()).delivered, 1);"#)]
    pub fn publish(&self, said: &T) -> PublishReport {
        let mut published = PublishReport::default();
        let mut over = Vec::new();
        for (number, subscriber) in self.list().iter() {
            match subscriber.tell(said) {
                Told::Delivered => published.delivered += 1,
                Told::Skipped => published.skipped += 1,
                Told::Filtered => published.filtered += 1,
                Told::Over => over.push(number),
                Told::Failed(reason) => {
                    published.failed += 1;
                    log::conversion_panicked(&self.key.0, &subscriber.handle, reason);
                }
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
    #[doc = registry_example!(r"news.subscribe(&greeter, Slow::Skip);
assert_eq!(news.subscribers(), [greeter.handle()]);")]
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
        Self { topics: self.topics.clone(), key: self.key.clone(), message: PhantomData }
    }
}

impl<T> fmt::Debug for TopicHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicHandle").field("topic", &self.key.0).finish_non_exhaustive()
    }
}
