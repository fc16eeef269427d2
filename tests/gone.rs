//! What is left of a system whose tree has ended, or whose runtime is gone: nothing.

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

/// Reads what is there and returns `true` if nothing can come any more.
fn is_over(events: &mut Subscription<LifecycleEvent>) -> bool {
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
async fn a_system_whose_tree_has_ended_is_gone_and_its_events_are_over() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let app = tree().start(&system).await.expect("it starts");
    assert_eq!(Registry::of(&system).topic(NUMBERS).publish(&1).delivered, 3);
    assert!(app.shutdown().await.is_clean());
    assert!(Registry::of(&system).names().is_empty());
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    drop((app, system));
    // What is left runs in tasks of its own.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(is_over(&mut events));
}

#[test]
fn a_system_is_gone_with_the_runtime_of_a_tree_that_runs() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it is built");
    let app = runtime.block_on(tree().start(&system)).expect("it starts");
    drop(runtime);
    drop(app);
    assert_eq!(Registry::of(&system).names(), [""; 0]);
    assert!(Registry::of(&system).topic(NUMBERS).subscribers().is_empty());
    drop(system);
    assert!(is_over(&mut events));
}
