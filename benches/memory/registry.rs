//! Entries of a registry that come and go.

use std::pin::pin;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{Group, Registry, SlowSubscriberPolicy, Topic, UniqueKeys};

use crate::meter::Meter;
use crate::support::{Msg, end, have, is_pending, spawn};

fn name(time: u64) -> Name<Msg> {
    Name::from(format!("a name that is long enough to be on the heap: {time}"))
}

fn group(time: u64) -> Group<Msg> {
    Group::from(format!("a group with one member: {time}"))
}

fn topic(time: u64) -> Topic<()> {
    Topic::from(format!("a topic with one subscriber: {time}"))
}

pub(crate) async fn names(mut meter: Meter) -> Meter {
    let system = System::new();
    let (registry, worker) = (Registry::of(&system), spawn(&system).await);
    while let Some(time) = meter.next() {
        registry.bind(name(time), &worker).expect("it is free");
        assert!(registry.unbind(name(time), &worker));
    }
    meter
}

pub(crate) async fn names_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    while let Some(time) = meter.next() {
        let worker = spawn(&system).await;
        Registry::of(&system).bind(name(time), &worker).expect("it is free");
        end(worker).await;
    }
    meter
}

/// Drops waits for names that no actor has.
pub(crate) async fn waits_for_names_given_up(mut meter: Meter) -> Meter {
    let system = System::new();
    while let Some(time) = meter.next() {
        let waiting = pin!(system.wait_for(name(time), Duration::from_secs(3600)));
        assert!(is_pending(waiting).await);
    }
    meter
}

pub(crate) async fn keys(mut meter: Meter) -> Meter {
    let (worker, keys) = (spawn(&System::new()).await, UniqueKeys::<u64, Msg, u64>::new());
    while let Some(time) = meter.next() {
        let keys = keys.clone();
        have(&worker, move |ctx| {
            keys.register(ctx, time, time).expect("it is free");
            assert_eq!(keys.unregister(ctx, &time), Some(time));
        })
        .await;
    }
    meter
}

pub(crate) async fn keys_of_actors_that_end(mut meter: Meter) -> Meter {
    let (system, table) = (System::new(), UniqueKeys::<u64, Msg, u64>::new());
    while let Some(time) = meter.next() {
        let (worker, keys) = (spawn(&system).await, table.clone());
        have(&worker, move |ctx| keys.register(ctx, time, time).expect("it is free")).await;
        end(worker).await;
    }
    assert!(table.is_empty());
    meter
}

pub(crate) async fn groups(mut meter: Meter) -> Meter {
    let system = System::new();
    let (registry, worker) = (Registry::of(&system), spawn(&system).await);
    while let Some(time) = meter.next() {
        let group = registry.group(group(time));
        group.join(&worker).expect("it lives");
        group.leave(&worker).expect("it is in it");
    }
    meter
}

pub(crate) async fn groups_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    while let Some(time) = meter.next() {
        let worker = spawn(&system).await;
        Registry::of(&system).group(group(time)).join(&worker).expect("it lives");
        end(worker).await;
    }
    meter
}

pub(crate) async fn topics(mut meter: Meter) -> Meter {
    let system = System::new();
    let (registry, worker) = (Registry::of(&system), spawn(&system).await);
    while let Some(time) = meter.next() {
        let topic = registry.topic(topic(time));
        topic.subscribe(&worker, SlowSubscriberPolicy::Skip);
        topic.publish(&());
        topic.unsubscribe(&worker);
        tokio::task::yield_now().await;
    }
    meter
}

/// Each topic has one subscriber, which ends without unsubscribing.
pub(crate) async fn topics_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    while let Some(time) = meter.next() {
        let worker = spawn(&system).await;
        let topic = Registry::of(&system).topic(topic(time));
        topic.subscribe(&worker, SlowSubscriberPolicy::Skip);
        topic.publish(&());
        end(worker).await;
    }
    meter
}

/// One topic, to which nothing is published.
pub(crate) async fn subscriptions_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    let topic = Registry::of(&system).topic(topic(0));
    while meter.next().is_some() {
        let worker = spawn(&system).await;
        topic.subscribe(&worker, SlowSubscriberPolicy::Skip);
        end(worker).await;
    }
    meter
}
