//! Trees of supervisors as parts of a system that is shut down, or waited for until it is idle.

use std::time::Duration;

use perennial_actors::{Actor, Address, Capacity, Context, ExitReason, System};
use perennial_supervision::{
    App, Backoff, Child, Intensity, ReportKind, Supervisor, SupervisorHandle, SupervisorReport,
};
use tokio::time::Instant;

struct Worker;

/// Fails, or works for so long.
enum Msg {
    Fail,
    Work(Duration),
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        tokio::task::yield_now().await;
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail => Err(ExitReason::failed("on purpose")),
            Msg::Work(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }
}

fn send(address: &Address<Msg>, msg: Msg) {
    assert!(address.cast(msg).is_ok());
}

/// A tree of two supervisors, with a worker below each.
async fn tree(system: &System) -> (App<SupervisorHandle>, [Address<Msg>; 2]) {
    let (upper, lower) = (Child::new::<Worker>("upper", ()), Child::new::<Worker>("lower", ()));
    let workers = [upper.address(), lower.address()];
    let below = Supervisor::new("below").child(lower);
    let app = Supervisor::new("app").child(upper).child(below).start(system).await.expect("it starts");
    (app, workers)
}

#[tokio::test(start_paused = true)]
async fn shutdown_of_the_system_ends_every_app_cleanly() {
    let system = System::new();
    let mut reports = system.subscribe::<SupervisorReport>();
    let (first, workers) = tree(&system).await;
    let (second, _) = tree(&system).await;
    let (alone, begun) = (system.spawn::<Worker>(()).await.expect("it starts"), Instant::now());
    let report = system.shutdown(Duration::from_secs(60)).await.expect("there are timers");
    assert!(report.is_clean(), "{report:?}");
    assert!(begun.elapsed().is_zero(), "nothing waits for a time to pass");
    assert!(system.processes().iter().all(|actor| actor.pid().is_none()));
    assert!(workers.iter().all(|worker| worker.cast(Msg::Fail).is_err()));
    assert!(alone.cast(Msg::Fail).is_err());
    for app in [first, second] {
        assert!(matches!(app.join().await, ExitReason::Shutdown(None)));
        assert!(app.shutdown().await.is_clean());
    }
    let restarted = std::iter::from_fn(|| reports.try_next())
        .any(|one| matches!(one.kind, ReportKind::Restarting { .. }));
    assert!(!restarted, "no supervisor takes the stop of a child for a crash");
}

#[tokio::test(start_paused = true)]
async fn shutdown_of_the_system_kills_a_tree_that_takes_too_long() {
    let system = System::new();
    let (app, [upper, _]) = tree(&system).await;
    send(&upper, Msg::Work(Duration::from_secs(4)));
    tokio::task::yield_now().await;
    let report = system.shutdown(Duration::from_secs(1)).await.expect("there are timers");
    assert!(report.killed.contains(&app.handle()) && report.killed.contains(&upper.handle()));
    assert!(report.unstopped.is_empty());
    assert!(matches!(app.join().await, ExitReason::Killed));
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_a_restart_and_for_what_waits_for_it() {
    let system = System::new();
    let (app, [upper, lower]) = tree(&system).await;
    send(&lower, Msg::Fail);
    send(&lower, Msg::Work(Duration::from_secs(1)));
    system.settled().await;
    assert_eq!(lower.pid().map(|pid| pid.incarnation()), Some(2));
    assert_eq!((lower.counters().handled, lower.counters().lost_in_flight), (1, 1));
    assert_eq!(upper.pid().map(|pid| pid.incarnation()), Some(1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_waits_for_a_restart_on_other_threads() {
    let system = System::new();
    let worker = Child::new::<Worker>("worker", ());
    let address = worker.address();
    let often = Intensity { restarts: 1_000, period: Duration::from_secs(5) };
    let app = Supervisor::new("app").intensity(often.restarts, often.period).child(worker);
    let app = app.start(&system).await.expect("it starts");
    for incarnation in 2..200 {
        send(&address, Msg::Fail);
        system.settled().await;
        assert_eq!(address.pid().map(|pid| pid.incarnation()), Some(incarnation));
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_a_backoff_only_if_a_message_waits_for_it() {
    let system = System::new();
    let slowly = Backoff::new(Duration::from_secs(60), Duration::from_secs(60)).jitter(0.0);
    let worker = Child::new::<Worker>("worker", ()).backoff(slowly);
    let address = worker.address();
    let app = Supervisor::new("app").child(worker).start(&system).await.expect("it starts");
    let begun = Instant::now();
    send(&address, Msg::Fail);
    system.settled().await;
    assert_eq!((begun.elapsed().as_secs(), address.pid()), (0, None));
    send(&address, Msg::Work(Duration::ZERO));
    system.settled().await;
    assert_eq!((begun.elapsed().as_secs(), address.counters().handled), (60, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn children_have_the_capacity_of_their_system() {
    let system = System::builder().capacity(Capacity::Bounded(1)).build();
    let (app, [upper, _]) = tree(&system).await;
    send(&upper, Msg::Work(Duration::from_secs(60)));
    while upper.cast(Msg::Work(Duration::ZERO)).is_err() {
        tokio::task::yield_now().await;
    }
    assert!(upper.cast(Msg::Work(Duration::ZERO)).is_err(), "one is handled and one waits");
    tokio::time::advance(Duration::from_secs(60)).await;
    system.settled().await;
    assert_eq!(upper.counters().handled, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_is_found_by_its_id_running_or_not() {
    let system = System::new();
    let (app, [upper, lower]) = tree(&system).await;
    let found = app.supervisor().child("upper").expect("it is there");
    assert_eq!(found.address::<Msg>(), Some(upper.clone()));
    assert_eq!(app.supervisor().child("lower"), None, "it is a child of another supervisor");
    assert!(app.supervisor().child("below").is_some());
    app.supervisor().terminate_child("upper").await.expect("it runs");
    assert_eq!(app.supervisor().child("upper"), Some(upper.handle()));
    assert!(lower.pid().is_some() && upper.pid().is_none());
    assert!(app.shutdown().await.is_clean());
}
