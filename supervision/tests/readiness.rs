//! Children that report themselves that they have started: the wait for them, and the timeout.

use perennial_actors::{Address, ExitReason, System};
use perennial_supervision::{
    App, Backoff, Child, ChildFailedError, ChildState, StartChildErrorKind, StartError, Strategy, Supervisor,
    SupervisorHandle,
};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep};

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, secs, tell};

/// A child whose incarnations become ready on request.
fn unready(log: &Log, id: &'static str) -> Child<Msg> {
    Script::plain(log).with_init(|_| InitStep::DeferReady).child(id)
}

type Starting = JoinHandle<Result<App<SupervisorHandle>, StartError>>;

/// Begins to start a tree whose addresses are good when this returns.
async fn begin(tree: Supervisor, system: &System) -> Starting {
    let system = system.clone();
    let starting = tokio::spawn(async move { tree.start(&system).await });
    yield_now().await;
    starting
}

fn ready_in(address: &Address<Msg>, millis: u64) {
    tell(address, Msg::Later(ms(millis), Box::new(Msg::Ready)));
}

#[tokio::test(start_paused = true)]
async fn the_next_sibling_and_the_start_of_the_tree_wait_until_a_child_is_ready() {
    let (log, system) = (Log::new(), System::new());
    let (first, last) = (unready(&log, "a"), unready(&log, "c"));
    let (a, c) = (first.address(), last.address());
    let tree = Supervisor::new("app").child(first).child(Script::plain(&log).child("b")).child(last);
    let begun = Instant::now();
    let starting = begin(tree, &system).await;
    ready_in(&a, 100);
    sleep(ms(50)).await;
    assert_eq!(log.take(), ["0 a starts"]);
    sleep(ms(100)).await;
    assert_eq!(log.take(), ["100 b starts", "100 c starts"]);
    assert!(!starting.is_finished(), "the last is not ready");
    ready_in(&c, 50);
    let app = starting.await.expect("it ends well").expect("it starts");
    assert_eq!(begun.elapsed(), ms(200));
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["200 c stops", "200 b stops", "200 a stops"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_handles_messages_and_answers_calls_before_it_is_ready() {
    let (log, system) = (Log::new(), System::new());
    let child = unready(&log, "a");
    let address = child.address();
    let supervisor = Supervisor::new("app").child(child);
    let handle = supervisor.handle();
    let starting = begin(supervisor, &system).await;
    tell(&address, Msg::Note("is not ready"));
    assert_eq!(incarnation(&address).await, 1);
    assert_eq!(log.take(), ["0 a starts", "0 a is not ready"]);
    assert_eq!(handle.tree().at(["a"]).expect("it is there").state, ChildState::Starting);
    assert!(!starting.is_finished());
    tell(&address, Msg::Ready);
    let app = starting.await.expect("it ends well").expect("it starts");
    assert_eq!(handle.tree().at(["a"]).expect("it is there").state, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}

/// Why the child of a tree did not start.
async fn why_not(starting: Starting) -> ExitReason {
    let Err(StartError::Failed(reason)) = starting.await.expect("it ends well") else {
        panic!("it does not start")
    };
    let failed = reason.error().and_then(|error| error.downcast_ref::<ChildFailedError>());
    failed.expect("the child is named").reason.clone()
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_not_ready_in_time_is_killed_and_has_not_started() {
    let (log, system) = (Log::new(), System::new());
    let child = unready(&log, "b").start_timeout(secs(3));
    let (address, begun) = (child.address(), Instant::now());
    let mut reports = Reports::of(&system);
    let starting =
        begin(Supervisor::new("app").child(Script::plain(&log).child("a")).child(child), &system).await;
    ready_in(&address, 3001);
    assert!(matches!(why_not(starting).await, ExitReason::StartTimedOut));
    assert_eq!(begun.elapsed(), secs(3));
    assert_eq!(log.take(), ["0 a starts", "0 b starts", "3000 a stops"], "a kill runs no terminate");
    assert_eq!(reports.so_far(), ["app/a: started", "app/b: start failed: the start timed out"]);
    assert!(address.cast(Msg::Ready).is_err(), "no incarnation is due");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ends_before_it_is_ready_has_not_started_whatever_its_reason() {
    for reason in [ExitReason::failed("no luck"), ExitReason::Normal, ExitReason::shutdown_with("enough")] {
        let (log, system) = (Log::new(), System::new());
        let child = unready(&log, "a");
        let address = child.address();
        let mut reports = Reports::of(&system);
        let starting = begin(Supervisor::new("app").child(child), &system).await;
        tell(&address, Msg::end(reason.clone()));
        assert_eq!(why_not(starting).await.to_string(), reason.to_string());
        assert_eq!(reports.so_far(), [format!("app/a: start failed: {reason}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_may_find_out_that_there_is_nothing_for_it_to_do_before_it_is_ready() {
    let (log, system) = (Log::new(), System::new());
    let child = unready(&log, "a");
    let address = child.address();
    let tree = Supervisor::new("app").child(child).child(Script::plain(&log).child("b"));
    let starting = begin(tree, &system).await;
    tell(&address, Msg::end(ExitReason::Ignore));
    let app = starting.await.expect("it ends well").expect("that is no failure");
    assert_eq!(app.tree().at(["a"]).expect("it is there").state, ChildState::Stopped);
    assert!(address.cast(Msg::Ready).is_err(), "no incarnation is due");
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_complete_when_the_child_is_ready_and_every_failure_before_that_counts() {
    let (log, system) = (Log::new(), System::new());
    let script =
        Script::plain(&log).with_init(|n| if n == 1 { InitStep::Succeed } else { InitStep::DeferReady });
    let child = script.child("a").start_timeout(secs(3)).backoff(Backoff::new(secs(1), secs(60)));
    let address = child.address();
    let tree = Supervisor::new("app").intensity(3, secs(60)).child(child);
    let app = tree.start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    // The first ends the child, and the second its next start. The third start exceeds the timeout,
    // and the fourth succeeds.
    tell(&address, Msg::crash());
    tell(&address, Msg::crash());
    sleep(ms(8500)).await;
    tell(&address, Msg::Ready);
    let expected = [
        "app/a: terminated: failed: on purpose",
        "app/a: restarting: failed: on purpose",
        "app/a: start failed: failed: on purpose",
        "app/a: restarting: failed: on purpose",
        "app/a: start failed: the start timed out",
        "app/a: restarting: the start timed out",
        "app/a: started",
    ];
    assert_eq!(reports.until("app/a: started").await, expected);
    let notes =
        ["0 a starts", "0 a stops", "1000 a starts", "1000 a stops", "3000 a starts", "10000 a starts"];
    assert_eq!(log.take(), notes);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_restarted_waits_for_its_members_to_be_ready() {
    let (log, system) = (Log::new(), System::new());
    let script = Script::plain(&log);
    let slow = script
        .clone()
        .with_init(|n| if n == 1 { InitStep::Succeed } else { InitStep::DeferReady })
        .child("a");
    let last = script.child("b");
    let (a, b) = (slow.address(), last.address());
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).child(slow).child(last);
    let app = tree.start(&system).await.expect("it starts");
    log.take();
    tell(&b, Msg::crash());
    while a.pid().is_none_or(|pid| pid.incarnation() < 2) {
        yield_now().await;
    }
    ready_in(&a, 100);
    assert_eq!(incarnation(&b).await, 2);
    assert_eq!(log.take(), ["0 b stops", "0 a stops", "0 a starts", "100 b starts"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_not_ready_is_stopped_like_any_other() {
    let (log, system) = (Log::new(), System::new());
    let app = Supervisor::new("app").start(&system).await.expect("it starts");
    let starting = tokio::spawn({
        let (supervisor, child) = (app.supervisor().clone(), unready(&log, "a"));
        async move { supervisor.start_child(child).await }
    });
    sleep(ms(50)).await;
    assert!(!starting.is_finished(), "it waits until the child is ready");
    let began = Instant::now();
    app.supervisor().terminate_child("a").await.expect("it stops");
    let refused = starting.await.expect("it ends well").expect_err("it was stopped");
    assert!(matches!(refused.kind, StartChildErrorKind::Failed(ExitReason::Shutdown(None))), "{refused}");
    assert_eq!(log.take(), ["0 a starts", "50 a stops"]);
    assert_eq!(began.elapsed(), ms(0));
    assert!(app.supervisor().which_child("a").await.is_err(), "it was taken in only to be started");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_tree_can_be_stopped_while_a_child_of_it_is_not_ready() {
    let (log, system) = (Log::new(), System::new());
    let tree = Supervisor::new("app").child(Script::plain(&log).child("a")).child(unready(&log, "b"));
    let handle = tree.handle().handle();
    let starting = begin(tree, &system).await;
    sleep(ms(50)).await;
    handle.stop(ExitReason::shutdown()).expect("it lives");
    assert!(matches!(
        starting.await.expect("it ends well"),
        Err(StartError::Failed(ExitReason::Shutdown(None)))
    ));
    assert_eq!(log.take(), ["0 a starts", "0 b starts", "50 b stops", "50 a stops"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_is_watched_from_when_it_is_ready() {
    let (log, system) = (Log::new(), System::new());
    let child = unready(&log, "a").handler_deadline(secs(1));
    let address = child.address();
    let starting = begin(Supervisor::new("app").child(child), &system).await;
    let mut reports = Reports::of(&system);
    tell(&address, Msg::Take(secs(60)));
    tell(&address, Msg::Ready);
    let app = starting.await.expect("it ends well").expect("it starts");
    tell(&address, Msg::Take(secs(4)));
    let lines = reports.until("app/a: terminated: unresponsive").await;
    assert_eq!(lines[..2], ["app/a: started", "app/a: unresponsive: handler"]);
    assert_eq!(log.take()[..2], ["0 a starts", "64000 a stops"]);
    let _ = app.shutdown().await;
}
