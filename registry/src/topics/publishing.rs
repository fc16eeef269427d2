//! Subscribing and publishing. A publisher never waits.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::{Address, Handle, Recipient, SendError};

use super::topic::Topic;
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
    list: Arc<Vec<Subscriber<T>>>,
    /// When there are so many, those who have ended are looked for: they are not where nobody publishes.
    sweep_at: usize,
}

/// The first sweep is at so many, each one after that at twice as many as the one before has left.
const FIRST_SWEEP: usize = 16;

struct Subscriber<T> {
    /// Rises along the list.
    number: u64,
    handle: Handle,
    recipient: Recipient<T>,
    slow: Slow,
}

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self { list: Arc::default(), sweep_at: FIRST_SWEEP }
    }
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        let (handle, recipient) = (self.handle.clone(), self.recipient.clone());
        Self { number: self.number, handle, recipient, slow: self.slow }
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
                if let Some(known) = list.iter_mut().find(|subscriber| subscriber.handle == handle) {
                    known.slow = slow;
                    return None;
                }
                list.push(Subscriber { number: self.topics.numbers.next(), handle, recipient, slow });
                if list.len() < subscribers.sweep_at {
                    return None;
                }
                let gone = take(list, |subscriber| is_over(&subscriber.handle));
                subscribers.sweep_at = FIRST_SWEEP.max(2 * list.len());
                Some(gone)
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
                Err(SendError::Full(_) | SendError::Closed(_)) => over.push(subscriber.number),
            }
        }
        if !over.is_empty() {
            let is_over = |subscriber: &Subscriber<T>| over.binary_search(&subscriber.number).is_ok();
            published.removed = self.remove(is_over).len();
        }
        published
    }

    /// Who has subscribed, in that order, and has not ended for good.
    #[must_use]
    pub fn subscribers(&self) -> Vec<Handle> {
        let list = self.list();
        let handles = list.iter().map(|subscriber| &subscriber.handle);
        handles.filter(|handle| !is_over(handle)).cloned().collect()
    }

    fn list(&self) -> Arc<Vec<Subscriber<T>>> {
        let list = self
            .topics
            .topics
            .read(&self.key, |subscribers| Some(subscribers.downcast_ref::<Subscribers<T>>()?.list.clone()));
        list.flatten().unwrap_or_default()
    }

    fn remove(&self, is_meant: impl Fn(&Subscriber<T>) -> bool) -> Vec<Subscriber<T>> {
        let removed = self.topics.topics.change(&self.key, |subscribers| {
            let Some(Subscribers { list, .. }) = subscribers.downcast_mut::<Subscribers<T>>() else {
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
