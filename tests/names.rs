//! Names through the facade: typed, bound to the identity, without a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perennial::StartError;
use perennial::prelude::*;
use perennial::{
    ActorHandle, BindError, CallError, LifecycleEvent, LookupError, OpenError, Registry, Signal,
};
use tokio::sync::mpsc;

const WORKER: Name<Msg> = Name::new("worker");

enum Msg {
    Crash,
    Pid(Reply<u32>),
}

struct Worker;

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => Err(ExitReason::failed("on purpose")),
            Msg::Pid(reply) => {
                reply.send(ctx.pid().incarnation());
                Ok(())
            }
        }
    }
}

fn worker() -> Child<Msg> {
    Child::new::<Worker>("worker", ()).named(WORKER)
}

fn tolerant(id: &'static str) -> Supervisor {
    Supervisor::new(id).intensity(1_000_000, Duration::from_secs(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_child_is_found_at_every_moment_across_all_restarts() {
    let system = System::new();
    // The time is so long that a wait for an ended child would show.
    let inner = Supervisor::new("inner")
        .intensity(0, Duration::from_secs(1))
        .abandon_after(Duration::from_secs(3600));
    let inner = inner.child(worker());
    let app = tolerant("app").child(inner).start(&system).await.expect("the tree starts");
    let finished = Arc::new(AtomicBool::new(false));
    let lookups_thread = std::thread::spawn({
        let (system, finished) = (system.clone(), finished.clone());
        move || {
            let (mut lookups, mut misses) = (0_u64, 0_u64);
            while !finished.load(Ordering::Relaxed) {
                lookups += 1;
                misses += u64::from(system.whereis(WORKER).is_err());
            }
            (lookups, misses)
        }
    });
    for _ in 0..200 {
        // The worker crashes, and its supervisor exceeds its intensity or is killed.
        let worker = system.whereis(WORKER).expect("the name is bound");
        worker.cast(Msg::Crash).expect("the mailbox stays open");
        answers(&worker).await;
        app.tree().at(["inner"]).expect("it exists").handle.kill().ok();
        while !answers(&worker).await {}
    }
    finished.store(true, Ordering::Relaxed);
    let (lookups, misses) = lookups_thread.join().expect("the task succeeds");
    assert!(lookups > 0);
    assert_eq!(misses, 0, "of {lookups} lookups");
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(system.whereis(WORKER), Err(LookupError::NotFound(_))));
}

/// Returns `true` if the worker replies, and `false` if it crashes at the call. A restart takes
/// less time than a call's timeout.
async fn answers(worker: &Address<Msg>) -> bool {
    match worker.call(Msg::Pid).await {
        Ok(_) => true,
        Err(CallError::Ended(_, _)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_with_another_type_is_an_error_that_names_both() {
    let system = System::new();
    let app = Supervisor::new("app").child(worker()).start(&system).await.expect("the tree starts");
    let wrong: Name<u64> = Name::new("worker");
    let Err(LookupError::WrongType { wanted, found, .. }) = system.whereis(&wrong) else {
        panic!("the type differs");
    };
    assert!(wanted == "u64" && found.ends_with("Msg"));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c114_c122_a_tree_whose_name_is_taken_does_not_start_and_takes_nothing() {
    let system = System::new();
    let first = Supervisor::new("first").child(worker()).start(&system).await.expect("the tree starts");
    let holder = system.whereis(WORKER).expect("the name is bound");
    let other: Name<Msg> = Name::new("other");
    let named = Child::new::<Worker>("other", ()).named(other.clone());
    let mut events = system.subscribe::<LifecycleEvent>();
    let second = Supervisor::new("second").child(named).child(worker()).start(&system).await;
    assert!(
        matches!(second, Err(StartError::Open(OpenError::Name(BindError::Taken(name)))) if name == "worker")
    );
    let began =
        std::iter::from_fn(|| events.try_next()).any(|event| matches!(event, LifecycleEvent::Started { .. }));
    assert!(!began, "no init has run");
    assert_eq!(Registry::of(&system).names(), ["worker"]);
    assert_eq!(system.whereis(WORKER).expect("the first owner keeps the name"), holder);
    assert!(first.shutdown().await.is_clean());
    let third = Supervisor::new("third").child(worker()).start(&system).await.expect("the name is free");
    assert_ne!(system.whereis(WORKER).expect("the name is bound"), holder);
    assert!(third.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c113_name_is_free_before_the_end_is_notified() {
    let system = System::new();
    for _ in 0..50 {
        let worker = system.spawn::<Worker>(()).await.expect("the actor starts");
        Registry::of(&system).bind(WORKER, &worker).expect("the name is free");
        Registry::of(&system).bind(WORKER, &worker).expect("the caller owns the name");
        let down = worker.monitor();
        worker.stop(ExitReason::Normal).expect("an incarnation runs");
        down.await;
        assert!(system.whereis(WORKER).is_err());
        let ended = Registry::of(&system).bind(WORKER, &worker);
        assert!(matches!(ended, Err(BindError::Ended(_))));
        assert!(system.whereis(WORKER).is_err());
    }
}

/// An actor that binds the name of a watched actor as soon as it is notified of the end.
struct Heir {
    notified: mpsc::UnboundedSender<(&'static str, bool, bool)>,
}

enum Watch {
    Link(ActorHandle),
    Monitor(ActorHandle),
}

impl Actor for Heir {
    type Msg = Watch;
    type Args = mpsc::UnboundedSender<(&'static str, bool, bool)>;

    async fn init(notified: &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.trap_exits(true);
        Ok(Self { notified: notified.clone() })
    }

    async fn handle(&mut self, msg: Watch, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Watch::Link(other) => ctx.link(&other)?,
            Watch::Monitor(other) => {
                ctx.monitor(&other);
            }
        }
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let by = if let Signal::Exit { .. } = signal { "link" } else { "monitor" };
        let name: Name<Watch> = Name::new("worker");
        let free = matches!(ctx.system().whereis(&name), Err(LookupError::NotFound(_)));
        let bound = Registry::of(ctx.system()).bind(name, &ctx.address()).is_ok();
        self.notified.send((by, free, bound))?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn c113_name_is_free_and_can_be_bound_when_a_link_or_monitor_is_notified() {
    type WatchBy = fn(ActorHandle) -> Watch;
    for (expected, watch) in [("link", Watch::Link as WatchBy), ("monitor", Watch::Monitor)] {
        let (system, (sender, mut notified)) = (System::new(), mpsc::unbounded_channel());
        let worker = system.spawn::<Worker>(()).await.expect("the actor starts");
        Registry::of(&system).bind(WORKER, &worker).expect("the name is free");
        let heir = system.spawn::<Heir>(sender).await.expect("the actor starts");
        heir.cast(watch(worker.handle())).expect("the mailbox is open");
        while worker.handle().info().links.is_empty() && worker.handle().info().monitored_by == 0 {
            tokio::task::yield_now().await;
        }
        worker.kill().expect("an incarnation runs");
        assert_eq!(notified.recv().await, Some((expected, true, true)));
    }
}

/// In OTP an actor has at most one name. Here it may have several, each bound on its own.
#[tokio::test(start_paused = true)]
async fn c114_a_taken_name_and_a_dead_actor_are_errors_and_a_second_name_is_not() {
    let (system, second) = (System::new(), Name::<Msg>::new("second"));
    let registry = Registry::of(&system);
    let holder = system.spawn::<Worker>(()).await.expect("the actor starts");
    let other = system.spawn::<Worker>(()).await.expect("the actor starts");
    registry.bind(WORKER, &holder).expect("the name is free");
    assert!(matches!(registry.bind(WORKER, &other), Err(BindError::Taken(name)) if name == "worker"));
    assert_eq!(system.whereis(WORKER).expect("the name is bound"), holder);
    registry.bind(&second, &holder).expect("the name is free");
    assert_eq!(holder.handle().info().names, ["worker", "second"]);
    assert_eq!(system.whereis(&second).expect("it has two names"), holder);
    other.stop(ExitReason::Normal).expect("an incarnation runs");
    other.monitor().await;
    let third = Name::<Msg>::new("third");
    assert!(matches!(registry.bind(&third, &other), Err(BindError::Ended(name)) if name == "third"));
    assert_eq!(registry.names(), ["second", "worker"]);
}

/// A monitor is set on the actor found by name. OTP's message carries the name; here it carries the
/// pid.
#[tokio::test(start_paused = true)]
async fn c116_monitor_by_name_reports_the_actor_found_then_and_not_a_later_owner() {
    let system = System::new();
    let registry = Registry::of(&system);
    let first = system.spawn::<Worker>(()).await.expect("the actor starts");
    registry.bind(WORKER, &first).expect("the name is free");
    let (pid, of_first) = (first.pid(), system.whereis(WORKER).expect("the name is bound").monitor());
    first.kill().expect("an incarnation runs");
    first.monitor().await;
    let second = system.spawn::<Worker>(()).await.expect("the actor starts");
    registry.bind(WORKER, &second).expect("the name is free again");
    assert!(pid.is_some());
    assert_eq!(of_first.await.pid, pid);
    assert!(second.pid().is_some());
}

/// Monitoring and sending by name look the name up first, and the lookup returns the error of an
/// unknown name.
#[tokio::test(start_paused = true)]
async fn c110_c118_an_unknown_name_is_an_error_before_anything_is_watched_or_sent() {
    let system = System::new();
    assert!(matches!(system.whereis(WORKER), Err(LookupError::NotFound(name)) if name == "worker"));
}

#[tokio::test(start_paused = true)]
async fn names_of_two_systems_are_separate() {
    let (one, other) = (System::new(), System::new());
    let app = Supervisor::new("app").child(worker()).start(&one).await.expect("the tree starts");
    assert!(other.whereis(WORKER).is_err());
    let other_app =
        Supervisor::new("app").child(worker()).start(&other).await.expect("the name is free there");
    assert_ne!(
        one.whereis(WORKER).expect("the name is bound"),
        other.whereis(WORKER).expect("the name is bound")
    );
    assert!(app.shutdown().await.is_clean());
    assert!(other_app.shutdown().await.is_clean());
}
