//! A system leaves nothing behind after its tree has ended or its runtime is dropped.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use perennial::prelude::*;
use perennial::{Group, LifecycleEvent, Registry, SlowSubscriberPolicy, Subscription, Topic};

const NUMBERS: Topic<u32> = Topic::new("numbers");
const GROUP: Group<u32> = Group::new("group");

struct Worker;

impl Actor for Worker {
    type Msg = u32;
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let registry = Registry::of(ctx.system());
        assert!(registry.topic(NUMBERS).subscribe(&ctx.address(), SlowSubscriberPolicy::Skip));
        registry.group(GROUP).join(&ctx.address())?;
        Ok(Self)
    }

    async fn handle(&mut self, _: u32, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Err(ExitReason::failed("on purpose"))
    }
}

fn tree() -> Supervisor {
    let child = |id: &'static str| Child::new::<Worker>(id, ()).named(Name::from(id.to_owned()));
    let inner = Supervisor::new("inner").children([child("a"), child("b")]);
    Supervisor::new("app").intensity(1_000, std::time::Duration::from_secs(1)).child(inner).child(child("c"))
}

/// Reads the queued events. Returns `true` if the stream has ended.
fn has_ended(events: &mut Subscription<LifecycleEvent>) -> bool {
    loop {
        let next = pin!(events.next()).poll(&mut TaskContext::from_waker(Waker::noop()));
        match next {
            Poll::Ready(Some(_)) => {}
            Poll::Ready(None) => return true,
            Poll::Pending => return false,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn system_is_freed_after_its_tree_has_ended_and_its_events_end() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let app = tree().start(&system).await.expect("the tree starts");
    assert_eq!(Registry::of(&system).topic(NUMBERS).publish(&1).delivered, 3);
    assert!(app.shutdown().await.is_clean());
    assert!(Registry::of(&system).names().is_empty());
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    drop((app, system));
    // Deferred drops run in tasks of their own.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(has_ended(&mut events));
}

#[test]
fn system_is_freed_after_the_runtime_of_a_running_tree_is_dropped() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it is built");
    let app = runtime.block_on(tree().start(&system)).expect("the tree starts");
    drop(runtime);
    drop(app);
    assert_eq!(Registry::of(&system).names(), [""; 0]);
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    drop(system);
    assert!(has_ended(&mut events));
}
