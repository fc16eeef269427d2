//! Subscribers of tracing that panic, block or call back: a log line changes neither the exit of an
//! actor nor its time.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use perennial_actors::host::unlogged;
use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{self, DefaultGuard};
use tracing::{Event, Level, Metadata, Subscriber};

enum Msg {
    Fail(&'static str),
    Ping(Reply<()>),
}

struct Failing;

impl Actor for Failing {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail(text) => Err(ExitReason::failed(text)),
            Msg::Ping(reply) => {
                reply.send(());
                Ok(())
            }
        }
    }
}

async fn failing(system: &System) -> Address<Msg> {
    system.spawn::<Failing>(()).await.expect("it starts")
}

/// Does something for each line that is logged.
struct EachLine<F>(F);

impl<F: Fn(Level, String) + Send + Sync + 'static> Subscriber for EachLine<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("perennial")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut reason = Reason::default();
        event.record(&mut reason);
        (self.0)(*event.metadata().level(), reason.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The reason in a log line, or its number of skipped lines.
#[derive(Default)]
struct Reason(String);

impl tracing::field::Visit for Reason {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "reason" {
            self.0 = format!("{value:?}");
        } else if field.name() == "skipped" {
            self.0 = format!("{value:?} skipped");
        }
    }
}

fn on_each_line(act: impl Fn(Level, String) + Send + Sync + 'static) -> DefaultGuard {
    subscriber::set_default(EachLine(act))
}

#[tokio::test(start_paused = true)]
async fn a_log_line_that_panics_does_not_change_an_exit() {
    let _guard = on_each_line(|_, _| panic!("the pipe is closed"));
    let system = System::new();
    let (first, second) = (failing(&system).await, failing(&system).await);
    let monitors = [first.monitor(), first.monitor()];
    assert!(first.cast(Msg::Fail("on purpose")).is_ok());
    for monitor in monitors {
        assert_eq!(monitor.await.reason.to_string(), "failed: on purpose");
    }
    second.call(Msg::Ping).await.expect("other actors run");
}

#[tokio::test(start_paused = true)]
async fn a_display_that_panics_in_a_log_line_does_not_change_an_exit() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it cannot be said")
        }
    }
    impl std::error::Error for Unspeakable {}
    struct Speechless;
    impl Actor for Speechless {
        type Msg = ();
        type Args = ();
        async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Self)
        }
        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
            Err(Unspeakable.into())
        }
    }

    let _guard = on_each_line(|_, _| ());
    let actor = System::new().spawn::<Speechless>(()).await.expect("it starts");
    let monitor = actor.monitor();
    assert!(actor.cast(()).is_ok());
    assert!(
        matches!(monitor.await.reason, ExitReason::Failed(error) if error.downcast_ref::<Unspeakable>().is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn lines_are_written_in_the_order_in_which_things_happened() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let _guard = on_each_line(move |level, reason| {
        if level == Level::WARN {
            kept.lock().expect("no panic").push(reason);
        }
    });
    let system = System::new();
    for text in ["first", "second", "third"] {
        let actor = failing(&system).await;
        let monitor = actor.monitor();
        assert!(actor.cast(Msg::Fail(text)).is_ok());
        monitor.await;
    }
    tokio::task::yield_now().await;
    assert_eq!(*lines.lock().expect("no panic"), ["failed: first", "failed: second", "failed: third"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_may_use_the_system_that_it_logs() {
    let system = System::new();
    let used = system.clone();
    let _guard = on_each_line(move |_, _| {
        drop(used.subscribe::<perennial_actors::LifecycleEvent>());
        assert!(used.counters().is_balanced());
    });
    let mut events = system.subscribe::<perennial_actors::LifecycleEvent>();
    let actor = failing(&system).await;
    let monitor = actor.monitor();
    assert!(actor.cast(Msg::Fail("on purpose")).is_ok());
    monitor.await;
    tokio::task::yield_now().await;
    assert!(events.try_next().is_some());
}

/// Unblocks a subscriber that is blocked in its first line.
struct Blocked {
    reached: Receiver<()>,
    proceed: Sender<()>,
    lines: Arc<Mutex<Vec<String>>>,
}

fn blocking_subscriber() -> (Blocked, impl Subscriber + Send + Sync) {
    let (reach, reached) = channel();
    let (proceed, wait) = channel::<()>();
    let (reach, wait) = (Mutex::new(reach), Mutex::new(wait));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let subscriber = EachLine(move |_, reason: String| {
        if reason == "failed: blocks" {
            reach.lock().expect("no panic").send(()).expect("the test waits");
            wait.lock().expect("no panic").recv().expect("the test unblocks it");
        }
        kept.lock().expect("no panic").push(reason);
    });
    (Blocked { reached, proceed, lines }, subscriber)
}

#[test]
fn a_subscriber_that_blocks_keeps_no_actor_waiting_and_knows_how_many_lines_it_has_missed() {
    const ENDS: usize = 5000;
    let (blocked, subscriber) = blocking_subscriber();
    let dispatch = tracing::Dispatch::new(subscriber);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .on_thread_start(move || {
            // Never reset, so that it holds for the lifetime of the thread.
            std::mem::forget(tracing::dispatcher::set_default(&dispatch));
        })
        .build()
        .expect("a runtime");
    let system = System::new();
    runtime.block_on(async {
        let end = async |text| {
            let actor = failing(&system).await;
            let monitor = actor.monitor();
            assert!(actor.cast(Msg::Fail(text)).is_ok());
            monitor.await
        };
        end("blocks").await;
        tokio::task::block_in_place(|| blocked.reached.recv()).expect("the subscriber is blocked");
        for _ in 0..ENDS {
            assert_eq!(end("another").await.reason.to_string(), "failed: another");
        }
        blocked.proceed.send(()).expect("the subscriber waits");
        while blocked.lines.lock().expect("no panic").len() < 2 {
            tokio::task::yield_now().await;
        }
    });
    runtime.block_on(async {
        // One more line, for which there is room again.
        while !blocked.lines.lock().expect("no panic").iter().any(|line| line.ends_with("skipped")) {
            let actor = failing(&system).await;
            let monitor = actor.monitor();
            assert!(actor.cast(Msg::Fail("after")).is_ok());
            monitor.await;
        }
    });
    drop(runtime);
    let lines = blocked.lines.lock().expect("no panic");
    let skipped = lines.iter().find_map(|line| line.strip_suffix(" skipped")?.parse::<usize>().ok());
    let written = lines.iter().filter(|line| *line == "failed: another").count();
    assert_eq!(written + skipped.expect("some were skipped"), ENDS, "each is written or counted");
}

#[test]
fn subscriber_sees_nothing_of_code_that_may_log_with_a_lock_held() {
    let (line, seen) = channel();
    let _guard = on_each_line(move |_, reason| drop(line.send(reason)));
    let log = || tracing::error!(target: "perennial::test", "it is logged");
    let result = unlogged(|| {
        log();
        7
    });
    assert_eq!((result, seen.try_iter().count()), (7, 0));
    log();
    assert_eq!(seen.try_iter().count(), 1);
}
