//! What is left of actors that have ended, and of a system that nothing holds any more: nothing.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::{LifecycleEvent, Subscription, System};
use perennial_registry::{
    DuplicateKeys, Group, GroupChange, Name, NameChange, Registry, SlowSubscriberPolicy, Topic,
};
use support::{Hosted, Msg, have, kill, puppet};

mod support;

const NUMBERS: Topic<u32> = Topic::new("numbers");

/// Reads what is there and returns `true` if nothing can come any more.
fn is_over(events: &mut Subscription<LifecycleEvent>) -> bool {
    loop {
        let next = pin!(events.next()).poll(&mut Context::from_waker(Waker::noop()));
        match next {
            Poll::Ready(Some(_)) => {}
            Poll::Ready(None) => return true,
            Poll::Pending => return false,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_whose_actors_have_ended_is_gone_whatever_they_had_in_its_registry() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let registry = Registry::of(&system).clone();
    let (mut changes, mut groups) = (system.subscribe::<NameChange>(), system.subscribe::<GroupChange>());
    for number in 0..10 {
        let actor = puppet(&system).await;
        registry.bind(Name::<Msg>::from(format!("name {number}")), &actor).expect("it is free");
        registry.group(Group::new("group")).join(&actor).expect("it lives");
        assert!(registry.topic(NUMBERS).subscribe(&actor, SlowSubscriberPolicy::Skip));
        assert!(
            registry
                .topic(Topic::<u32>::from(format!("topic {number}")))
                .subscribe(&actor, SlowSubscriberPolicy::Skip)
        );
        kill(&actor).await;
    }
    while changes.try_next().is_some() || groups.try_next().is_some() {}
    drop((registry, changes, groups));
    // What is left runs in tasks of its own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!is_over(&mut events), "this test holds it");
    drop(system);
    assert!(is_over(&mut events));
}

#[tokio::test(start_paused = true)]
async fn a_system_is_gone_though_a_hosted_actor_was_closed_between_two_incarnations() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let init = |ctx: &mut perennial_actors::Context<support::Puppet>| {
        let topic = Registry::of(ctx.system()).topic(NUMBERS);
        assert!(topic.subscribe(&ctx.address(), SlowSubscriberPolicy::Skip));
    };
    let mut hosted = Hosted::start(&system, init).await;
    Registry::of(&system).bind(Name::new("name"), &hosted.address).expect("it is free");
    hosted.crash().await;
    hosted.identity.close(&perennial_actors::ExitReason::Normal);
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop((hosted, system));
    assert!(is_over(&mut events));
}

#[test]
fn a_system_is_gone_with_the_runtime_that_its_actors_lived_on() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it is built");
    runtime.block_on(async {
        let registry = Registry::of(&system);
        let keys = Arc::new(DuplicateKeys::<u32, Msg>::new());
        for number in 0..10 {
            let actor = puppet(&system).await;
            registry.bind(Name::<Msg>::from(format!("name {number}")), &actor).expect("it is free");
            registry.group(Group::new("group")).join(&actor).expect("it lives");
            assert!(registry.topic(NUMBERS).subscribe(&actor, SlowSubscriberPolicy::Skip));
            let keys = keys.clone();
            have(&actor, move |ctx| keys.register(ctx, 1, ()).expect("it lives")).await;
        }
    });
    drop(runtime);
    assert!(Registry::of(&system).names().is_empty());
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    drop(system);
    assert!(is_over(&mut events));
}
