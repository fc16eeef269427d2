//! Subscribing and publishing. A publisher never waits.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::{Address, Handle, Recipient, SendError};

use super::topic::Topic;
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
pub(crate) struct Topics(Table<Key, Box<dyn Any + Send + Sync>>);

/// A topic: its name, and the type of what is said.
type Key = (Cow<'static, str>, TypeId);

/// Who has subscribed, in that order. Whoever publishes holds a copy of the pointer, and no lock.
struct Subscribers<T>(Arc<Vec<Subscriber<T>>>);

struct Subscriber<T> {
    handle: Handle,
    recipient: Recipient<T>,
    slow: Slow,
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), recipient: self.recipient.clone(), slow: self.slow }
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
        let newcomer = Subscriber { handle: actor.handle(), recipient: actor.recipient(), slow };
        let gone = self.topics.0.enter(
            self.key.clone(),
            || {
                let first: Box<dyn Any + Send + Sync> =
                    Box::new(Subscribers(Arc::new(vec![newcomer.clone()])));
                (first, Vec::new())
            },
            |subscribers| {
                let Some(Subscribers(list)) = subscribers.downcast_mut::<Subscribers<T>>() else {
                    return Vec::new();
                };
                let list = Arc::make_mut(list);
                match list.iter_mut().find(|subscriber| subscriber.handle == newcomer.handle) {
                    Some(known) => known.slow = slow,
                    None => list.push(newcomer.clone()),
                }
                // Those who have ended since, as long as nobody publishes.
                take(list, |subscriber| is_over(&subscriber.handle))
            },
        );
        drop(gone);
    }

    /// Has it told no more. Tells whether it was a subscriber.
    pub fn unsubscribe<M: Send + 'static>(&self, actor: &Address<M>) -> bool {
        let handle = actor.handle();
        !self.remove(|subscriber| subscriber.handle == handle).is_empty()
    }

    /// Says something to all who have subscribed; never waits.
    pub fn publish(&self, said: &T) -> Published {
        let mut published = Published::default();
        let mut over = Vec::new();
        for subscriber in self.list().iter() {
            match subscriber.recipient.cast(said.clone()) {
                Ok(()) => published.delivered += 1,
                Err(SendError::Full(_)) if subscriber.slow == Slow::Skip => published.skipped += 1,
                Err(SendError::Full(_) | SendError::Closed(_)) => over.push(subscriber.handle.clone()),
            }
        }
        if !over.is_empty() {
            published.removed = self.remove(|subscriber| over.contains(&subscriber.handle)).len();
        }
        published
    }

    /// Who has subscribed, in that order, and has not ended for good.
    #[must_use]
    pub fn subscribers(&self) -> Vec<Handle> {
        let handles = self.list().iter().map(|subscriber| subscriber.handle.clone()).collect::<Vec<_>>();
        handles.into_iter().filter(|handle| !is_over(handle)).collect()
    }

    fn list(&self) -> Arc<Vec<Subscriber<T>>> {
        let list = self.topics.0.read(&self.key, |subscribers| {
            subscribers.downcast_ref::<Subscribers<T>>().map(|Subscribers(list)| list.clone())
        });
        list.flatten().unwrap_or_default()
    }

    fn remove(&self, is_meant: impl Fn(&Subscriber<T>) -> bool) -> Vec<Subscriber<T>> {
        let removed = self.topics.0.change(&self.key, |subscribers| {
            let Some(Subscribers(list)) = subscribers.downcast_mut::<Subscribers<T>>() else {
                return (Fate::Keep, Vec::new());
            };
            let removed = take(Arc::make_mut(list), is_meant);
            (if list.is_empty() { Fate::Remove } else { Fate::Keep }, removed)
        });
        removed.map(|(removed, _)| removed).unwrap_or_default()
    }
}

/// Takes out those who are meant.
fn take<T>(list: &mut Vec<Subscriber<T>>, is_meant: impl Fn(&Subscriber<T>) -> bool) -> Vec<Subscriber<T>> {
    let (taken, kept) = std::mem::take(list).into_iter().partition(is_meant);
    *list = kept;
    taken
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
