//! Ended actors leave nothing behind, and a system is freed when its last handle is dropped.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::{LifecycleEvent, Subscription, System};
use perennial_registry::{
    DuplicateKeys, Group, GroupChange, Name, NameChange, Registry, SlowSubscriberPolicy, Topic,
};

use crate::support;
use crate::support::{ManagedActor, Msg, kill, run_step, scripted_actor};

const NUMBERS: Topic<u32> = Topic::new("numbers");

/// Reads the queued events. Returns `true` if the stream has ended.
fn has_ended(events: &mut Subscription<LifecycleEvent>) -> bool {
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
async fn system_is_freed_after_its_actors_have_ended_with_registry_entries() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let registry = Registry::of(&system).clone();
    let (mut changes, mut groups) = (system.subscribe::<NameChange>(), system.subscribe::<GroupChange>());
    for number in 0..10 {
        let actor = scripted_actor(&system).await;
        registry.bind(Name::<Msg>::from(format!("name {number}")), &actor).expect("the name is free");
        registry.group(Group::new("group")).join(&actor).expect("an incarnation runs");
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
    // Deferred drops run in tasks of their own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!has_ended(&mut events), "the test still holds the system");
    drop(system);
    assert!(has_ended(&mut events));
}

#[tokio::test(start_paused = true)]
async fn system_is_freed_after_an_actor_was_closed_between_two_incarnations() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let init = |ctx: &mut perennial_actors::Context<support::ScriptedActor>| {
        let topic = Registry::of(ctx.system()).topic(NUMBERS);
        assert!(topic.subscribe(&ctx.address(), SlowSubscriberPolicy::Skip));
    };
    let mut managed = ManagedActor::start(&system, init).await;
    Registry::of(&system).bind(Name::new("name"), &managed.address).expect("the name is free");
    managed.crash().await;
    managed.identity.close(&perennial_actors::ExitReason::Normal);
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop((managed, system));
    assert!(has_ended(&mut events));
}

#[test]
fn system_is_freed_after_the_runtime_of_its_actors_is_dropped() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("the runtime is built");
    runtime.block_on(async {
        let registry = Registry::of(&system);
        let keys = Arc::new(DuplicateKeys::<u32, Msg>::new());
        for number in 0..10 {
            let actor = scripted_actor(&system).await;
            registry.bind(Name::<Msg>::from(format!("name {number}")), &actor).expect("the name is free");
            registry.group(Group::new("group")).join(&actor).expect("an incarnation runs");
            assert!(registry.topic(NUMBERS).subscribe(&actor, SlowSubscriberPolicy::Skip));
            let keys = keys.clone();
            run_step(&actor, move |ctx| keys.register(ctx, 1, ()).expect("an incarnation runs")).await;
        }
    });
    drop(runtime);
    assert!(Registry::of(&system).names().is_empty());
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    drop(system);
    assert!(has_ended(&mut events));
}
