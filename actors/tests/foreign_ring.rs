//! Users' values in events, and closures that create extensions: they may call back into the system
//! that owns them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use perennial_actors::host::Broadcast;
use perennial_actors::{Actor, Context, ExitReason, LifecycleEvent, System};

/// Does something when it is dropped.
#[derive(Clone)]
struct OnDrop(#[allow(dead_code, reason = "it is there to be dropped")] Arc<Act>);

struct Act(Box<dyn Fn() + Send + Sync>);

impl Drop for Act {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl OnDrop {
    fn new(act: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Act(Box::new(act))))
    }
}

#[test]
fn evicted_events_and_events_read_by_all_are_dropped_outside_the_lock() {
    let stream = Arc::new(Broadcast::new());
    let dropped = Arc::new(AtomicUsize::new(0));
    let send = |count: usize| {
        for _ in 0..count {
            let (again, counted) = (stream.clone(), dropped.clone());
            stream.send(|| {
                OnDrop::new(move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    drop(again.subscribe());
                })
            });
        }
    };
    let slow = stream.subscribe();
    let mut fast = stream.subscribe();
    send(5000);
    assert_eq!(dropped.load(Ordering::Relaxed), 5000 - 4096, "the oldest went");
    while fast.try_next().is_some() {}
    assert_eq!(fast.missed(), 5000 - 4096);
    assert_eq!(dropped.load(Ordering::Relaxed), 5000 - 4096, "the slow one may read them yet");
    drop(slow);
    assert_eq!(dropped.load(Ordering::Relaxed), 5000, "all others have read them");
    drop(fast);
    send(1);
    assert_eq!(dropped.load(Ordering::Relaxed), 5000, "without a subscriber nothing is made");
}

#[test]
fn a_subscriber_that_panics_while_it_is_woken_does_not_stop_delivery_to_the_others() {
    use std::task::{Context as Task, Poll, Wake, Waker};

    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let stream = Broadcast::new();
    let (mut first, mut second) = (stream.subscribe(), stream.subscribe());
    let counts = Arc::new(Counts(AtomicUsize::new(0)));
    let mut waiting = (Box::pin(first.next()), Box::pin(second.next()));
    let (panics, counting) = (Waker::from(Arc::new(Panics)), Waker::from(counts.clone()));
    assert!(waiting.0.as_mut().poll(&mut Task::from_waker(&panics)).is_pending());
    assert!(waiting.1.as_mut().poll(&mut Task::from_waker(&counting)).is_pending());
    stream.send(|| 7);
    assert_eq!(counts.0.load(Ordering::Relaxed), 1);
    assert_eq!(waiting.1.as_mut().poll(&mut Task::from_waker(&counting)), Poll::Ready(Some(7)));
}

#[tokio::test]
async fn a_stream_ends_when_its_system_is_gone() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    drop(system);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn an_error_in_an_event_may_subscribe_when_it_is_dropped() {
    struct Fails;
    impl Actor for Fails {
        type Msg = System;
        type Args = ();
        async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Self)
        }
        async fn handle(&mut self, system: System, _: &mut Context<Self>) -> Result<(), ExitReason> {
            Err(Subscribes(system).into())
        }
    }
    #[derive(Debug)]
    struct Subscribes(System);
    impl Drop for Subscribes {
        fn drop(&mut self) {
            drop(self.0.subscribe::<LifecycleEvent>());
        }
    }
    impl std::fmt::Display for Subscribes {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it subscribes")
        }
    }
    impl std::error::Error for Subscribes {}

    let system = System::new();
    let _slow = system.subscribe::<LifecycleEvent>();
    for _ in 0..3000 {
        let (actor, monitor) = system.spawn::<Fails>(()).detach_monitored().expect("a runtime");
        assert!(actor.cast(system.clone()).is_ok());
        monitor.await;
    }
}

#[test]
fn making_an_extension_may_ask_for_extensions_even_the_same() {
    struct Outer(u32);
    struct Inner(u32);
    let system = System::new();
    let outer = system.extension(|| Outer(system.extension(|| Inner(1)).0 + 1));
    assert_eq!(outer.0, 2);

    struct Same(u32);
    let same = system.extension(|| Same(system.extension(|| Same(1)).0 + 1));
    assert_eq!(same.0, 1, "the first that is made is kept for all");
    assert_eq!(system.extension(|| Same(3)).0, 1);
}

#[test]
fn making_an_extension_delays_no_other_extension() {
    struct Slow;
    struct Fast(u32);
    let system = System::new();
    let (reach, reached) = std::sync::mpsc::channel();
    let (proceed, wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let system = &system;
        scope.spawn(move || {
            system.extension(|| {
                reach.send(()).expect("the test waits");
                wait.recv().expect("the test unblocks it");
                Slow
            });
        });
        reached.recv().expect("it is being made");
        assert_eq!(system.extension(|| Fast(5)).0, 5);
        proceed.send(()).expect("it waits");
    });
}
