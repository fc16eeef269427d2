//! Names, groups, keys and subscriptions of one actor.

use std::sync::Arc;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{DuplicateKeys, Group, Registry, SlowSubscriberPolicy, Topic, UniqueKeys};

use crate::ran;

/// A function that runs with the context of an actor.
type Act = Box<dyn FnOnce(&mut Context<Owner>) + Send>;

pub(crate) enum Msg {
    Act(Act),
    Heard(u32),
}

impl From<u32> for Msg {
    fn from(said: u32) -> Self {
        Self::Heard(said)
    }
}

/// An actor that owns names, keys and subscriptions.
pub(crate) struct Owner;

impl Actor for Owner {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Act(act) => act(ctx),
            Msg::Heard(said) => assert!(said < u32::MAX),
        }
        Ok(())
    }
}

/// The actors of one system, each the owner of `items` items.
struct Owners {
    system: System,
    actors: Vec<Address<Msg>>,
    items: usize,
}

impl Owners {
    async fn start(owners: usize, items: usize) -> Self {
        Self::start_in(System::new(), owners, items).await
    }

    async fn start_in(system: System, owners: usize, items: usize) -> Self {
        let mut actors = Vec::new();
        for _ in 0..owners {
            actors.push(system.spawn::<Owner>(()).await.expect("it starts"));
        }
        Self { system, actors, items }
    }

    fn registry(&self) -> &Registry {
        Registry::of(&self.system)
    }

    /// Calls `act` with every item and its owner. Returns the time of all calls.
    fn each<T>(&self, items: &[T], mut act: impl FnMut(&Address<Msg>, &T)) -> Duration {
        let begun = ran();
        for (actor, items) in self.actors.iter().zip(items.chunks(self.items)) {
            items.iter().for_each(|item| act(actor, item));
        }
        ran() - begun
    }

    /// Calls `act` in every actor, with the numbers of its items. Returns the time of all calls.
    async fn inside(
        &self,
        act: impl Fn(&Context<Owner>, std::ops::Range<usize>) + Send + Sync + 'static,
    ) -> Duration {
        let act = Arc::new(act);
        let mut took = Duration::ZERO;
        for (number, actor) in self.actors.iter().enumerate() {
            let (act, items) = (act.clone(), number * self.items..(number + 1) * self.items);
            took += actor
                .call(|reply| {
                    Msg::Act(Box::new(move |ctx| {
                        let begun = ran();
                        act(ctx, items);
                        reply.send(ran() - begun);
                    }))
                })
                .await
                .expect("it answers");
        }
        took
    }

    /// Ends every actor. Returns the time until the last has ended.
    async fn end(&self) -> Duration {
        let ends: Vec<_> = self.actors.iter().map(Address::monitor).collect();
        let begun = ran();
        self.actors.iter().for_each(|actor| actor.kill().expect("it lives"));
        for end in ends {
            end.await;
        }
        ran() - begun
    }

    fn names(&self) -> Vec<Name<Msg>> {
        (0..self.actors.len() * self.items).map(|number| Name::from(format!("name {number}"))).collect()
    }

    fn groups(&self) -> Vec<perennial::GroupHandle<Msg>> {
        let group = |number| self.registry().group(Group::from(format!("group {number}")));
        (0..self.actors.len() * self.items).map(group).collect()
    }

    fn topics(&self) -> Vec<perennial::TopicHandle<u32>> {
        let topic = |number| self.registry().topic(Topic::from(format!("topic {number}")));
        (0..self.actors.len() * self.items).map(topic).collect()
    }
}

async fn with_names(owners: usize, items: usize) -> (Owners, Vec<Name<Msg>>, Duration) {
    let owners = Owners::start(owners, items).await;
    let names = owners.names();
    let took = owners.each(&names, |actor, name| owners.registry().bind(name, actor).expect("it is free"));
    (owners, names, took)
}

pub(crate) async fn names_bound(owners: usize, items: usize) -> Duration {
    with_names(owners, items).await.2
}

pub(crate) async fn names_bound_again(owners: usize, items: usize) -> Duration {
    let (owners, names, _) = with_names(owners, items).await;
    owners.each(&names, |actor, name| owners.registry().bind(name, actor).expect("it is its own"))
}

pub(crate) async fn names_handed_over(owners: usize, items: usize) -> Duration {
    let (owners, names, _) = with_names(owners, items).await;
    let taker = owners.system.spawn::<Owner>(()).await.expect("it starts");
    owners
        .each(&names, |actor, name| owners.registry().hand_over(name, actor, &taker).expect("it is its own"))
}

pub(crate) async fn names_freed(owners: usize, items: usize) -> Duration {
    let (owners, names, _) = with_names(owners, items).await;
    owners.each(&names, |actor, name| assert!(owners.registry().unbind(name, actor)))
}

pub(crate) async fn names_at_an_end(owners: usize, items: usize) -> Duration {
    let (owners, _, _) = with_names(owners, items).await;
    owners.end().await
}

pub(crate) async fn groups_joined(owners: usize, items: usize) -> Duration {
    let owners = Owners::start(owners, items).await;
    owners.each(&owners.groups(), |actor, group| group.join(actor).expect("it lives"))
}

pub(crate) async fn groups_left(owners: usize, items: usize) -> Duration {
    let owners = Owners::start(owners, items).await;
    let groups = owners.groups();
    owners.each(&groups, |actor, group| group.join(actor).expect("it lives"));
    owners.each(&groups, |actor, group| group.leave(actor).expect("it is in it"))
}

/// Joins each owner to a group of its own, once for each item.
async fn with_memberships(owners: usize, items: usize) -> (Owners, Vec<perennial::GroupHandle<Msg>>) {
    let owners = Owners::start(owners, items).await;
    let group = |number| owners.registry().group(Group::from(format!("group {}", number / items)));
    let groups: Vec<_> = (0..owners.actors.len() * items).map(group).collect();
    owners.each(&groups, |actor, group| group.join(actor).expect("it lives"));
    (owners, groups)
}

pub(crate) async fn memberships_left(owners: usize, items: usize) -> Duration {
    let (owners, groups) = with_memberships(owners, items).await;
    owners.each(&groups, |actor, group| group.leave(actor).expect("it is in it"))
}

pub(crate) async fn turns_in_a_group(owners: usize, items: usize) -> Duration {
    let (owners, groups) = with_memberships(owners, items).await;
    owners.each(&groups, |_, group| assert!(group.round_robin().is_some()))
}

type Unique = UniqueKeys<usize, Msg, usize>;
type Duplicate = DuplicateKeys<usize, Msg, usize>;

async fn with_unique_keys(owners: usize, items: usize) -> (Owners, Unique, Duration) {
    let (owners, keys) = (Owners::start(owners, items).await, Unique::new());
    let in_keys = keys.clone();
    let register = move |ctx: &Context<Owner>, items: std::ops::Range<usize>| {
        items.for_each(|item| in_keys.register(ctx, item, item).expect("it is free"));
    };
    let took = owners.inside(register).await;
    (owners, keys, took)
}

pub(crate) async fn unique_keys_registered(owners: usize, items: usize) -> Duration {
    with_unique_keys(owners, items).await.2
}

pub(crate) async fn unique_keys_given_up(owners: usize, items: usize) -> Duration {
    let (owners, keys, _) = with_unique_keys(owners, items).await;
    let unregister = move |ctx: &Context<Owner>, items: std::ops::Range<usize>| {
        items.for_each(|item| assert_eq!(keys.unregister(ctx, &item), Some(item)));
    };
    owners.inside(unregister).await
}

/// Registers each item under the key that `key` returns for its number.
async fn with_duplicate_keys(
    owners: usize,
    items: usize,
    key: fn(usize, usize) -> usize,
) -> (Owners, Duplicate) {
    let (owners, keys) = (Owners::start(owners, items).await, Duplicate::new());
    let in_keys = keys.clone();
    let register = move |ctx: &Context<Owner>, range: std::ops::Range<usize>| {
        range.for_each(|item| in_keys.register(ctx, key(item, items), item).expect("it lives"));
    };
    owners.inside(register).await;
    (owners, keys)
}

/// Each key also has an entry of ten other actors.
pub(crate) async fn duplicate_keys_given_up(owners: usize, items: usize) -> Duration {
    let (owners, keys) = with_duplicate_keys(owners, items, |item, _| item).await;
    let others = Owners::start_in(owners.system.clone(), 10, owners.actors.len() * items).await;
    let in_keys = keys.clone();
    let all = owners.actors.len() * items;
    let register = move |ctx: &Context<Owner>, _: std::ops::Range<usize>| {
        (0..all).for_each(|item| in_keys.register(ctx, item, item).expect("it lives"));
    };
    others.inside(register).await;
    let unregister = move |ctx: &Context<Owner>, items: std::ops::Range<usize>| {
        items.for_each(|item| assert_eq!(keys.unregister(ctx, &item), [item]));
    };
    owners.inside(unregister).await
}

/// All items of an owner have the same key.
pub(crate) async fn entries_of_a_key_given_up(owners: usize, items: usize) -> Duration {
    let (owners, keys) = with_duplicate_keys(owners, items, |item, items| item / items).await;
    let unregister = move |ctx: &Context<Owner>, range: std::ops::Range<usize>| {
        assert_eq!(keys.unregister(ctx, &(range.start / items)).len(), items);
    };
    owners.inside(unregister).await
}

pub(crate) async fn keys_at_an_end(owners: usize, items: usize) -> Duration {
    let (owners, keys, _) = with_unique_keys(owners, items).await;
    let took = owners.end().await;
    assert!(keys.is_empty());
    took
}

async fn with_subscriptions(
    owners: usize,
    items: usize,
) -> (Owners, Vec<perennial::TopicHandle<u32>>, Duration) {
    let owners = Owners::start(owners, items).await;
    let topics = owners.topics();
    let took =
        owners.each(&topics, |actor, topic| assert!(topic.subscribe(actor, SlowSubscriberPolicy::Skip)));
    (owners, topics, took)
}

pub(crate) async fn subscriptions_made(owners: usize, items: usize) -> Duration {
    with_subscriptions(owners, items).await.2
}

pub(crate) async fn subscriptions_given_up(owners: usize, items: usize) -> Duration {
    let (owners, topics, _) = with_subscriptions(owners, items).await;
    owners.each(&topics, |actor, topic| assert!(topic.unsubscribe(actor)))
}

pub(crate) async fn subscriptions_at_an_end(owners: usize, items: usize) -> Duration {
    let (owners, _, _) = with_subscriptions(owners, items).await;
    owners.end().await
}
