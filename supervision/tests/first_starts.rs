//! First starts that are tried again: what the supervisor and later siblings do meanwhile.

use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_supervision::{
    App, Backoff, ChildError, ChildState, Restart, StartError, Strategy, Supervisor, SupervisorHandle,
};
use tokio::time::{Instant, sleep};

use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, start, tell};

/// 100 ms, 200 ms, 400 ms ...
fn delays() -> Backoff {
    Backoff::new(ms(100), secs(10))
}

/// `RestartSec=100ms`.
fn restart_sec() -> Backoff {
    Backoff::new(ms(100), ms(100)).factor(1.0)
}

/// The init of a child whose first two starts fail.
const fn third_time_lucky(n: u32) -> InitStep {
    if n < 3 { InitStep::Fail } else { InitStep::Succeed }
}

async fn state(app: &App<SupervisorHandle>, id: &str) -> ChildState {
    app.supervisor().which_child(id).await.expect("it is a child").state
}

fn starts(log: &Log) -> Vec<String> {
    log.take().into_iter().filter_map(|line| Some(line.strip_suffix(" starts")?.to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn failed_first_start_is_tried_again_while_later_siblings_and_the_supervisor_start() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::new();
        let a = Script::plain(&log).child("a");
        let b = Script::plain(&log).with_init(third_time_lucky).child("b").retry_start(delays());
        let c = Script::plain(&log).child("c");
        let address = b.address();
        // No restart is tolerated, and none of the retries counts.
        let tree = Supervisor::new("app").strategy(strategy).intensity(0, secs(60));
        let (_system, app) = start(tree.child(a).child(b).child(c)).await;
        assert_eq!(state(&app, "b").await, ChildState::Restarting);
        tell(&address, Msg::Note("was sent before it started"));
        sleep(secs(60)).await;
        assert_eq!(state(&app, "b").await, ChildState::Running);
        let lines = log.take();
        let expected = ["0 a starts", "0 c starts", "300 b starts", "300 b was sent before it started"];
        assert_eq!(lines, expected, "{strategy:?}: after 100 ms and 200 ms, and no sibling restarts");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn failed_first_start_without_retries_fails_the_start_of_the_supervisor() {
    let child = Script::plain(&Log::new()).with_init(third_time_lucky).child("a");
    let failed = Supervisor::new("app").child(child).start(&perennial_actors::System::new()).await;
    assert!(matches!(failed, Err(StartError::Failed(_))), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn first_attempt_is_awaited_until_its_start_timeout() {
    let log = Log::new();
    let hangs_once = |n| if n == 1 { InitStep::Hang } else { InitStep::SucceedAfter(ms(500)) };
    let a = Script::plain(&log).with_init(hangs_once).child("a");
    let a = a.start_timeout(secs(1)).retry_start(delays());
    let b = Script::plain(&log).child("b");
    let begun = Instant::now();
    let (_system, app) = start(Supervisor::new("app").child(a).child(b)).await;
    assert_eq!(begun.elapsed(), secs(1));
    sleep(secs(10)).await;
    assert_eq!(starts(&log), ["1000 b", "1600 a"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn attempt_that_ends_before_it_is_ready_has_failed() {
    let log = Log::new();
    let a = Script::plain(&log).with_init(|_| InitStep::DeferReady).child("a").retry_start(delays());
    let (address, b) = (a.address(), Script::plain(&log).child("b"));
    let (tree, driver) = (Supervisor::new("app").child(a).child(b), address.clone());
    // The first attempt ends before it is ready, and the second gets ready.
    let script = tokio::spawn(async move {
        sleep(secs(1)).await;
        tell(&driver, Msg::crash());
        sleep(secs(2)).await;
        tell(&driver, Msg::Ready);
    });
    let begun = Instant::now();
    let (_system, app) = start(tree).await;
    assert_eq!(begun.elapsed(), secs(1), "the first attempt is awaited, and no other");
    sleep(ms(1500)).await;
    assert_eq!(state(&app, "a").await, ChildState::Restarting, "it is not ready");
    sleep(secs(1)).await;
    assert_eq!((state(&app, "a").await, incarnation(&address).await), (ChildState::Running, 2));
    assert_eq!(starts(&log), ["0 a", "1000 b", "1100 a"]);
    script.await.expect("it ends");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn first_start_that_never_succeeds_fails_at_its_start_limit() {
    let attempts = Log::new();
    let child = Script::plain(&attempts).with_init(|_| InitStep::Fail).child("a");
    let child = child.retry_start(restart_sec()).start_limit(5, secs(10));
    let (_system, app) = start(Supervisor::new("app").child(child).child(scripted("b"))).await;
    sleep(ms(399)).await;
    assert_eq!(state(&app, "a").await, ChildState::Restarting);
    sleep(ms(2)).await;
    assert_eq!(state(&app, "a").await, ChildState::Failed, "after the fifth attempt");
    assert_eq!(app.supervisor().which_child("a").await.expect("it is a child").restarts, 4);
    assert_eq!(state(&app, "b").await, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn first_start_that_its_condition_refuses_is_not_tried_again() {
    let child = Script::plain(&Log::new()).with_init(third_time_lucky).child("a");
    let child = child.retry_start(delays()).restart_if(Restart::on_abort);
    let (_system, app) = start(Supervisor::new("app").child(child).child(scripted("b"))).await;
    sleep(secs(60)).await;
    assert_eq!((state(&app, "a").await, state(&app, "b").await), (ChildState::Stopped, ChildState::Running));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_that_has_started_restarts_by_its_other_rules() {
    let log = Log::new();
    let fails_again = |n| if n < 3 || n == 4 { InitStep::Fail } else { InitStep::Succeed };
    let child = Script::plain(&log).with_init(fails_again).child("a");
    let child = child.retry_start(delays()).backoff(Backoff::new(secs(1), secs(60)));
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").intensity(2, secs(60)).child(child)).await;
    assert_eq!(incarnation(&address).await, 3);
    tell(&address, Msg::crash());
    assert_eq!(incarnation(&address).await, 5);
    assert_eq!(starts(&log), ["300 a", "3300 a"], "after 1 s, and 2 s after a restart that failed");
    tell(&address, Msg::crash());
    let reason = ExitReason::shutdown_with("reached the maximum restart intensity");
    assert_eq!(app.join().await, reason, "the crash and the failed restart counted");
}

#[tokio::test(start_paused = true)]
async fn child_that_is_terminated_before_it_has_started_is_not_tried_again() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll] {
        let child = Script::plain(&Log::new()).with_init(third_time_lucky).child("a").retry_start(delays());
        let tree = Supervisor::new("app").strategy(strategy).child(child).child(scripted("b"));
        let (_system, app) = start(tree).await;
        let supervisor = app.supervisor();
        assert_eq!(supervisor.restart_child("a").await, Err(ChildError::Restarting));
        supervisor.terminate_child("a").await.expect("it is a child");
        sleep(secs(60)).await;
        assert_eq!(state(&app, "a").await, ChildState::Stopped);
        let refused = supervisor.restart_child("a").await;
        assert!(
            matches!(refused, Err(ChildError::StartFailed(_))),
            "a request is not tried again: {refused:?}"
        );
        sleep(secs(60)).await;
        assert_eq!(state(&app, "a").await, ChildState::Stopped);
        assert!(supervisor.restart_child("a").await.is_ok(), "the third attempt");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn group_restart_goes_on_past_a_child_that_has_not_started_yet() {
    let log = Log::new();
    let never = Script::plain(&log)
        .with_init(|_| InitStep::Fail)
        .child("b")
        .retry_start(Backoff::new(secs(5), secs(5)));
    let (a, c) = (Script::plain(&log).child("a"), Script::plain(&log).child("c"));
    let (first, last) = (a.address(), c.address());
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).child(a).child(never).child(c);
    let (_system, app) = start(tree).await;
    tell(&first, Msg::crash());
    assert_eq!((incarnation(&first).await, incarnation(&last).await), (2, 2));
    assert_eq!(state(&app, "b").await, ChildState::Restarting);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!((incarnation(&first).await, incarnation(&last).await), (2, 2), "no retry concerns them");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn supervisor_that_is_stopped_while_a_first_start_is_retried_stops_cleanly() {
    let child = Script::plain(&Log::new()).with_init(|_| InitStep::Fail).child("a").retry_start(delays());
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    sleep(secs(1)).await;
    let begun = Instant::now();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
