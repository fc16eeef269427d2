//! Subscribing and publishing. A publisher never waits.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::{Address, Handle, Recipient, SendError};

use super::topic::Topic;
use crate::numbered::Numbered;
use crate::sync::Numbers;
use crate::table::{Fate, Table};

/// What happens to a subscriber whose mailbox is full when something is said. The publisher waits in no case. For another way, give the
/// mailbox an [overflow policy](perennial_actors::Overflow): then it is never full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Slow {
    /// It misses what is said. The publisher is told how many did.
    #[default]
    Skip,
    /// It is a subscriber no more.
    Unsubscribe,
}

/// What became of something that was said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// So many mailboxes have it. One whose actor is just being restarted has it for the next incarnation.
    pub delivered: usize,
    /// So many were full, and missed it.
    pub skipped: usize,
    /// So many were full or closed, and are subscribers no more.
    pub removed: usize,
}

/// The topics of a system.
#[derive(Default)]
pub(crate) struct Topics {
    /// The [`Subscribers`] of each.
    topics: Table<Key, Box<dyn Any + Send + Sync>>,
    /// Of subscriptions.
    numbers: Numbers,
}

/// A topic: its name, and the type of what is said.
type Key = (Cow<'static, str>, TypeId);

/// Who has subscribed to a topic.
struct Subscribers<T> {
    /// In the order in which they did. Whoever publishes holds a copy of the pointer, and no lock.
    list: Arc<Numbered<Subscriber<T>>>,
    /// The number that each has there.
    numbers: HashMap<Handle, u64>,
    /// When there are so many, those who have ended are looked for: they are not where nobody publishes.
    sweep_at: usize,
}

/// The first sweep is at so many, each one after that at twice as many as the one before has left.
const FIRST_SWEEP: usize = 16;

struct Subscriber<T> {
    handle: Handle,
    recipient: Recipient<T>,
    slow: Slow,
}

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self { list: Arc::default(), numbers: HashMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl<T> Subscribers<T> {
    fn remove(&mut self, number: u64) -> Option<Subscriber<T>> {
        let removed = Arc::make_mut(&mut self.list).remove(number)?;
        self.numbers.remove(&removed.handle);
        Some(removed)
    }

    /// Removes those who have ended for good.
    fn sweep(&mut self) -> Vec<Subscriber<T>> {
        let over = self.list.iter().filter(|(_, subscriber)| is_over(&subscriber.handle));
        let over: Vec<u64> = over.map(|(number, _)| number).collect();
        let swept = over.into_iter().filter_map(|number| self.remove(number)).collect();
        self.sweep_at = FIRST_SWEEP.max(2 * self.list.len());
        swept
    }
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        let (handle, recipient) = (self.handle.clone(), self.recipient.clone());
        Self { handle, recipient, slow: self.slow }
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

    /// Has an actor told what is said from now on. If it is a subscriber already, only its policy changes.
    pub fn subscribe<M: From<T> + Send + 'static>(&self, actor: &Address<M>, slow: Slow) {
        let (handle, recipient) = (actor.handle(), actor.recipient());
        let gone = self.topics.topics.enter_with(
            self.key.clone(),
            || Box::new(Subscribers::<T>::default()),
            |subscribers| {
                let subscribers = subscribers.downcast_mut::<Subscribers<T>>()?;
                let list = Arc::make_mut(&mut subscribers.list);
                if let Some(known) = subscribers.numbers.get(&handle) {
                    list.get_mut(*known)?.slow = slow;
                    return None;
                }
                let number = self.topics.numbers.next();
                subscribers.numbers.insert(handle.clone(), number);
                list.insert(number, Subscriber { handle, recipient, slow });
                (list.len() >= subscribers.sweep_at).then(|| subscribers.sweep())
            },
        );
        drop(gone);
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
    pub fn publish(&self, said: &T) -> Published {
        let mut published = Published::default();
        let mut over = Vec::new();
        for (number, subscriber) in self.list().iter() {
            match subscriber.recipient.cast(said.clone()) {
                Ok(()) => published.delivered += 1,
                Err(SendError::Full(_)) if subscriber.slow == Slow::Skip => published.skipped += 1,
                Err(_) => over.push(number),
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
    pub fn subscribers(&self) -> Vec<Handle> {
        let list = self.list();
        let handles = list.iter().map(|(_, subscriber)| &subscriber.handle);
        handles.filter(|handle| !is_over(handle)).cloned().collect()
    }

    fn list(&self) -> Arc<Numbered<Subscriber<T>>> {
        let list = self
            .topics
            .topics
            .read(&self.key, |subscribers| Some(subscribers.downcast_ref::<Subscribers<T>>()?.list.clone()));
        list.flatten().unwrap_or_default()
    }

    /// Changes who has subscribed, if anybody has. What comes back is dropped under no lock.
    fn change<R>(&self, change: impl FnOnce(&mut Subscribers<T>) -> R) -> Option<R> {
        let (result, _) = self.topics.topics.change(&self.key, |subscribers| {
            let Some(subscribers) = subscribers.downcast_mut::<Subscribers<T>>() else {
                return (Fate::Keep, None);
            };
            let result = change(subscribers);
            (if subscribers.list.is_empty() { Fate::Remove } else { Fate::Keep }, Some(result))
        })?;
        result
    }

    /// How many are known, those who have ended included; none if nothing is kept of the topic.
    #[cfg(all(test, not(model)))]
    pub(crate) fn known(&self) -> Option<usize> {
        self.change(|subscribers| subscribers.list.len().max(subscribers.numbers.len()))
    }
}

fn is_over(handle: &Handle) -> bool {
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
