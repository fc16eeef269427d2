//! Start limits of single children, with the numbers of systemd: `RestartSec=100ms`,
//! `StartLimitBurst=5`, `StartLimitIntervalSec=10s`.

use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::{
    App, AutoShutdown, Backoff, Child, ChildError, ChildState, DynamicSupervisor, Intensity, ReportKind,
    Restart, SpecError, Strategy, Supervisor, SupervisorHandle,
};
use tokio::time::{Instant, sleep};

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, start, tell};

const BURST: u32 = 5;
const INTERVAL: Duration = Duration::from_secs(10);

/// `RestartSec=100ms`.
fn restart_sec() -> Backoff {
    Backoff::new(ms(100), ms(100)).factor(1.0)
}

fn limited(child: Child<Msg>) -> Child<Msg> {
    child.backoff(restart_sec()).start_limit(BURST, INTERVAL)
}

async fn state(app: &App<SupervisorHandle>, id: &str) -> ChildState {
    app.supervisor().which_child(id).await.expect("it is a child").state
}

/// A child that fails at once after each start, in a tree with a sibling that runs. The supervisor
/// tolerates no restart.
async fn crash_loop() -> (Reports, App<SupervisorHandle>, Log) {
    let log = Log::new();
    let a = limited(Script::plain(&log).child("a"));
    let (b, address) = (scripted("b"), a.address());
    let system = System::new();
    let tree = Supervisor::new("app").intensity(0, secs(60)).child(a).child(b);
    let app = tree.start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    for _ in 0..BURST {
        incarnation(&address).await;
        tell(&address, Msg::crash());
        reports.until("app/a: terminated: failed: on purpose").await;
    }
    (reports, app, log)
}

#[tokio::test(start_paused = true)]
async fn child_fails_at_the_sixth_start_within_ten_seconds_and_its_sibling_goes_on() {
    let begun = Instant::now();
    let (mut reports, app, log) = crash_loop().await;
    let reason = ExitReason::failed("on purpose");
    assert_eq!(reports.next().await.kind, ReportKind::StartLimitHit { reason });
    let starts: Vec<String> =
        log.take().into_iter().filter_map(|line| Some(line.strip_suffix(" a starts")?.to_owned())).collect();
    assert_eq!(starts, ["0", "100", "200", "300", "400"]);
    assert_eq!(begun.elapsed(), ms(400), "it fails at once, not after another delay");
    sleep(secs(3600)).await;
    assert_eq!((state(&app, "a").await, state(&app, "b").await), (ChildState::Failed, ChildState::Running));
    assert_eq!(app.supervisor().which_child("a").await.expect("it is a child").restarts, 4);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn failed_child_is_shown_in_the_tree_and_its_mailbox_is_closed() {
    let (_reports, app, _log) = crash_loop().await;
    sleep(ms(1)).await;
    let tree = app.tree();
    let a = tree.at(["a"]).expect("it is a child");
    assert_eq!(a.state, ChildState::Failed);
    assert!(tree.to_string().contains("failed"), "{tree}");
    assert!(a.handle.address::<Msg>().expect("its type").cast(Msg::Note("too late")).is_err());
    let counts = app.supervisor().count_children().await.expect("it runs");
    assert_eq!((counts.specs, counts.active), (2, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn start_counts_for_exactly_one_interval() {
    // A start each 2 s: the sixth is 10 s after the first, which still counts. 1 ms more, and not.
    for (period, expected) in [(ms(2000), 5), (ms(2001), 50)] {
        let child = limited(scripted("a"));
        let address = child.address();
        let tree = Supervisor::new("app").child(child).child(scripted("b"));
        let (_system, app) = start(tree).await;
        let mut incarnations = 0;
        while incarnations < 50 && address.call(Msg::Incarnation).no_timeout().await.is_ok() {
            incarnations += 1;
            tell(&address, Msg::End(period - ms(100), ExitReason::failed("on purpose")));
        }
        assert_eq!(incarnations, expected, "a start each {period:?}");
        assert_eq!(state(&app, "a").await == ChildState::Failed, expected == 5);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn start_by_request_is_refused_while_the_limit_holds() {
    let (_reports, app, _log) = crash_loop().await;
    let supervisor = app.supervisor();
    assert_eq!(supervisor.restart_child("a").await, Err(ChildError::StartLimitHit));
    // The first of the starts was 400 ms ago.
    sleep(ms(9600)).await;
    assert_eq!(supervisor.restart_child("a").await, Err(ChildError::StartLimitHit), "it still counts");
    assert_eq!(state(&app, "a").await, ChildState::Failed);
    sleep(ms(1)).await;
    assert!(supervisor.restart_child("a").await.is_ok(), "the interval has passed");
    assert_eq!(state(&app, "a").await, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn reset_failed_forgets_the_starts_so_that_the_child_can_be_started() {
    let (_reports, app, _log) = crash_loop().await;
    let supervisor = app.supervisor();
    supervisor.reset_failed("a").await.expect("it is a child");
    assert_eq!(state(&app, "a").await, ChildState::Stopped);
    for n in 0..BURST {
        assert!(supervisor.restart_child("a").await.is_ok(), "start {n}");
        supervisor.terminate_child("a").await.expect("it is a child");
    }
    assert_eq!(supervisor.restart_child("a").await, Err(ChildError::StartLimitHit), "requests count too");
    assert_eq!(state(&app, "a").await, ChildState::Stopped, "it was stopped by request and did not fail");
    assert_eq!(supervisor.reset_failed("x").await, Err(ChildError::NotFound));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn reset_failed_of_a_running_child_forgets_its_starts_and_lets_it_run() {
    let child = limited(scripted("a"));
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    for n in 1..=30 {
        assert_eq!(incarnation(&address).await, n);
        app.supervisor().reset_failed("a").await.expect("it is a child");
        tell(&address, Msg::crash());
    }
    assert_eq!(incarnation(&address).await, 31);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn group_goes_on_when_one_of_it_fails_and_does_not_bring_it_back() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let (a, b, c) = (scripted("a"), scripted("b").start_limit(2, INTERVAL), scripted("c"));
        let (first, second, third) = (a.address(), b.address(), c.address());
        let tree = Supervisor::new("app").strategy(strategy).intensity(5, secs(60));
        let (_system, app) = start(tree.child(a).child(b).child(c)).await;
        tell(&second, Msg::crash());
        assert_eq!((incarnation(&second).await, incarnation(&third).await), (2, 2));
        tell(&second, Msg::crash());
        sleep(ms(1)).await;
        assert_eq!(state(&app, "b").await, ChildState::Failed);
        assert_eq!(incarnation(&third).await, 2, "{strategy:?}: the group is not restarted for it");
        let before = incarnation(&first).await;
        sleep(secs(60)).await;
        tell(&first, Msg::crash());
        assert_eq!((incarnation(&first).await, incarnation(&third).await), (before + 1, 3));
        assert_eq!(state(&app, "b").await, ChildState::Failed, "only a request starts it");
        assert!(app.supervisor().restart_child("b").await.is_ok());
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn starts_with_a_group_count_and_the_group_goes_on_without_a_child_that_fails_so() {
    let (a, b, c) = (scripted("a"), scripted("b").start_limit(2, INTERVAL), scripted("c"));
    let (first, last) = (a.address(), c.address());
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).intensity(5, secs(60));
    let (_system, app) = start(tree.child(a).child(b).child(c)).await;
    for (n, expected) in [(2, ChildState::Running), (3, ChildState::Failed)] {
        tell(&first, Msg::crash());
        assert_eq!((incarnation(&first).await, incarnation(&last).await), (n, n));
        assert_eq!(state(&app, "b").await, expected);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn siblings_that_wait_for_a_child_that_fails_in_a_group_restart_are_started() {
    let fails_later = |n| if n > 1 { InitStep::Fail } else { InitStep::Succeed };
    let b = limited(Script::plain(&Log::new()).with_init(fails_later).child("b"));
    let (a, c) = (scripted("a"), scripted("c"));
    let (first, last) = (a.address(), c.address());
    let tree = Supervisor::new("app").strategy(Strategy::RestForOne).child(a).child(b).child(c);
    let (_system, app) = start(tree).await;
    tell(&first, Msg::crash());
    sleep(ms(50)).await;
    assert_eq!(state(&app, "c").await, ChildState::Waiting, "for the retry of its sibling");
    assert_eq!(incarnation(&last).await, 2);
    assert_eq!((state(&app, "a").await, state(&app, "b").await), (ChildState::Running, ChildState::Failed));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn significant_child_that_fails_shuts_its_supervisor_down() {
    let child = limited(scripted("a")).restart(Restart::Transient).significant();
    let address = child.address();
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(child);
    let (_system, app) = start(tree).await;
    for n in 1..=BURST {
        assert_eq!(incarnation(&address).await, n);
        tell(&address, Msg::crash());
    }
    assert_eq!(app.join().await, ExitReason::shutdown_with("a significant child ended"));
}

#[tokio::test(start_paused = true)]
async fn failed_child_of_a_dynamic_supervisor_is_removed() {
    let system = System::new();
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let child = scripted("a").start_limit(2, INTERVAL);
    let address = child.address();
    app.supervisor().start_child(child).await.expect("it starts");
    tell(&address, Msg::crash());
    assert_eq!(incarnation(&address).await, 2);
    tell(&address, Msg::crash());
    sleep(ms(1)).await;
    assert_eq!(app.supervisor().count_children().await.expect("it runs").specs, 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn next_incarnation_of_the_supervisor_starts_a_failed_child() {
    let child = scripted("a").start_limit(1, INTERVAL);
    let address = child.address();
    let inner = Supervisor::new("inner").child(child);
    let supervisor = inner.handle();
    let (_system, app) = start(Supervisor::new("app").child(inner)).await;
    tell(&address, Msg::crash());
    sleep(ms(1)).await;
    assert_eq!(supervisor.which_child("a").await.expect("it is a child").state, ChildState::Failed);
    app.tree().at(["inner"]).expect("it is a child").handle.kill().expect("it runs");
    sleep(ms(1)).await;
    assert_eq!(supervisor.which_child("a").await.expect("it is a child").state, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn supervisor_that_never_gives_up_restarts_forever_with_the_delays_of_the_child() {
    let child = scripted("a").backoff(restart_sec());
    let (address, begun) = (child.address(), Instant::now());
    let (_system, app) = start(Supervisor::new("app").never_give_up().child(child)).await;
    for n in 1..=10_000 {
        assert_eq!(incarnation(&address).await, n);
        tell(&address, Msg::crash());
    }
    assert_eq!(incarnation(&address).await, 10_001);
    assert_eq!(begun.elapsed(), secs(1000), "RestartSec=100ms, ten thousand times");
    assert!(app.shutdown().await.is_clean());
}

#[test]
fn unlimited_intensity_is_valid_and_the_most_restarts_that_there_are() {
    let Intensity { restarts, period } = Intensity::UNLIMITED;
    assert_eq!(restarts, u32::MAX);
    assert_eq!(Supervisor::new("app").intensity(restarts, period).check(), Ok(()));
}

#[test]
fn start_limit_with_a_zero_is_an_error_of_the_spec() {
    for (burst, interval) in [(0, INTERVAL), (BURST, Duration::ZERO)] {
        let tree = Supervisor::new("app").child(scripted("a").start_limit(burst, interval));
        assert_eq!(tree.check(), Err(SpecError::ZeroStartLimit { id: "a".into() }));
    }
    assert_eq!(Supervisor::new("app").child(scripted("a").start_limit(1, ms(1))).check(), Ok(()));
}
