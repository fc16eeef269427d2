//! Conditions that decide which exits cause a restart: systemd's `Restart=`, and lists of reasons.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use perennial_actors::{ExitReason, System};
use perennial_supervision::{
    App, AutoShutdown, Child, ChildSpec, ChildState, Restart, Shutdown, Strategy, Supervisor,
    SupervisorHandle,
};
use tokio::time::sleep;

use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, scripted, secs, start, tell};

/// systemd's exit causes.
#[derive(Clone, Copy, Debug)]
enum Cause {
    CleanExit,
    UncleanExit,
    UncleanSignal,
    Abort,
    Timeout,
    Watchdog,
}

/// The columns of systemd's table: `no`, `always`, `on-success`, `on-failure`, `on-abnormal`,
/// `on-abort`, `on-watchdog`.
const TABLE: [(Cause, [bool; 7]); 6] = [
    (Cause::CleanExit, [false, true, true, false, false, false, false]),
    (Cause::UncleanExit, [false, true, false, true, false, false, false]),
    (Cause::UncleanSignal, [false, true, false, true, true, true, false]),
    (Cause::Abort, [false, true, false, true, true, true, false]),
    (Cause::Timeout, [false, true, false, true, true, false, false]),
    (Cause::Watchdog, [false, true, false, true, true, false, true]),
];

type Condition = fn(&ExitReason) -> bool;

const CONDITIONS: [Condition; 7] = [
    |_| false,
    |_| true,
    Restart::on_success,
    Restart::on_failure,
    Restart::on_abnormal,
    Restart::on_abort,
    Restart::on_watchdog,
];

/// A task whose first incarnation ends in this way.
fn task(cause: Cause, condition: Condition) -> Child<Infallible> {
    let task = Child::task("a", move |ctx| async move {
        match cause {
            _ if ctx.pid().incarnation() > 1 => pending().await,
            Cause::CleanExit => Ok(()),
            Cause::UncleanExit => Err("no disk".into()),
            Cause::Abort => panic!("a bug"),
            _ => pending().await,
        }
    });
    task.restart_if(condition)
}

async fn state(app: &App<SupervisorHandle>, id: &str) -> ChildState {
    app.supervisor().which_child(id).await.expect("it is a child").state
}

/// Lets a child end by a cause in a tree of its own. Returns whether it was restarted.
async fn is_restarted(cause: Cause, condition: Condition) -> bool {
    let (_system, app) = match cause {
        Cause::CleanExit | Cause::UncleanExit | Cause::Abort => {
            start(Supervisor::new("app").child(task(cause, condition))).await
        }
        Cause::UncleanSignal => {
            let child = task(cause, condition);
            let address = child.address();
            let started = start(Supervisor::new("app").child(child)).await;
            address.kill().expect("it runs");
            started
        }
        Cause::Watchdog => {
            let child = scripted("a").handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill);
            let child = child.restart_if(condition);
            let address = child.address();
            let started = start(Supervisor::new("app").child(child)).await;
            tell(&address, Msg::Hang);
            started
        }
        // Its restart times out once.
        Cause::Timeout => {
            let hangs_once = |n| if n == 2 { InitStep::Hang } else { InitStep::Succeed };
            let child = Script::plain(&Log::new()).with_init(hangs_once).child("a").start_timeout(secs(1));
            let child = child.restart_if(move |reason| *reason == ExitReason::Normal || condition(reason));
            let address = child.address();
            let started = start(Supervisor::new("app").intensity(5, secs(60)).child(child)).await;
            tell(&address, Msg::end(ExitReason::Normal));
            started
        }
    };
    sleep(secs(10)).await;
    let is_running = match state(&app, "a").await {
        ChildState::Running => true,
        ChildState::Stopped => false,
        other => panic!("{cause:?} leaves it {other}"),
    };
    assert!(app.shutdown().await.is_clean());
    is_running
}

#[tokio::test(start_paused = true)]
async fn each_exit_cause_restarts_as_in_the_table_of_systemd() {
    for (cause, row) in TABLE {
        for (column, expected) in row.into_iter().enumerate() {
            let restarted = is_restarted(cause, CONDITIONS[column]).await;
            assert_eq!(restarted, expected, "{cause:?} in column {column}");
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("status {0}")]
struct Status(u8);

fn status(reason: &ExitReason) -> Option<u8> {
    reason.error()?.downcast_ref().map(|Status(code)| *code)
}

/// Returns whether a child that fails with this status restarts.
async fn restarts_at(code: u8, condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) -> bool {
    let child = scripted("a").restart_if(condition);
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    tell(&address, Msg::end(ExitReason::failed(Status(code))));
    sleep(secs(1)).await;
    state(&app, "a").await == ChildState::Running
}

#[tokio::test(start_paused = true)]
async fn restart_prevent_and_restart_force_exit_status_are_lists_of_reasons() {
    // RestartPreventExitStatus=1 6
    let prevent = |reason: &ExitReason| Restart::on_failure(reason) && !matches!(status(reason), Some(1 | 6));
    // RestartForceExitStatus=75
    let force = |reason: &ExitReason| Restart::on_abort(reason) || status(reason) == Some(75);
    for (code, expected) in [(1, false), (6, false), (7, true)] {
        assert_eq!(restarts_at(code, prevent).await, expected, "status {code}");
    }
    for (code, expected) in [(75, true), (76, false)] {
        assert_eq!(restarts_at(code, force).await, expected, "status {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn condition_that_panics_restarts_the_child() {
    let child = scripted("a").restart_if(|_| panic!("a bug of the condition"));
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    tell(&address, Msg::end(ExitReason::Normal));
    assert_eq!(incarnation(&address).await, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn condition_is_not_asked_when_the_child_is_stopped() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let child = scripted("a").restart_if(move |_| count.fetch_add(1, Ordering::Relaxed) < 1000);
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    app.supervisor().terminate_child("a").await.expect("it is a child");
    app.supervisor().restart_child("a").await.expect("it starts");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    tell(&address, Msg::end(ExitReason::Normal));
    assert_eq!(incarnation(&address).await, 3);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn restart_that_a_condition_allows_counts_for_the_intensity() {
    let child = scripted("a").restart_if(Restart::on_failure);
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").intensity(1, secs(60)).child(child)).await;
    tell(&address, Msg::crash());
    assert_eq!(incarnation(&address).await, 2);
    tell(&address, Msg::crash());
    assert_eq!(app.join().await, ExitReason::shutdown_with("reached the maximum restart intensity"));
}

#[tokio::test(start_paused = true)]
async fn siblings_go_on_when_a_condition_ends_a_child_that_failed_in_a_group_restart() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::new();
        let a = Script::plain(&log).child("a");
        let fails_once = |n| if n == 2 { InitStep::Fail } else { InitStep::Succeed };
        let b = Script::plain(&log).with_init(fails_once).child("b").restart_if(Restart::on_abort);
        let (c, address) = (Script::plain(&log).child("c"), a.address());
        let last = c.address();
        let tree = Supervisor::new("app").strategy(strategy).child(a).child(b).child(c);
        let (_system, app) = start(tree).await;
        tell(&address, Msg::crash());
        assert_eq!((incarnation(&address).await, incarnation(&last).await), (2, 2), "{strategy:?}");
        assert_eq!(state(&app, "b").await, ChildState::Stopped);
        // It is started again with its group, as every stopped child.
        app.supervisor().restart_child("b").await.expect("it starts");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_of_restart_and_restart_if_counts() {
    let is_back = async |child: Child<Msg>| {
        let address = child.address();
        let (_system, app) = start(Supervisor::new("app").child(child)).await;
        tell(&address, Msg::end(ExitReason::Normal));
        sleep(secs(1)).await;
        state(&app, "a").await == ChildState::Running
    };
    assert!(is_back(scripted("a").restart_if(Restart::on_failure).restart(Restart::Permanent)).await);
    assert!(is_back(scripted("a").restart(Restart::Transient).restart_if(Restart::on_success)).await);
    assert!(!is_back(scripted("a").restart(Restart::Permanent).restart_if(Restart::on_failure)).await);
}

#[tokio::test(start_paused = true)]
async fn significant_child_with_a_condition_ends_its_supervisor_when_it_does_not_restart() {
    let child = scripted("a").restart_if(Restart::on_failure).significant();
    let address = child.address();
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(child);
    let app = tree.start(&System::new()).await.expect("a child with a condition is not permanent");
    tell(&address, Msg::crash());
    assert_eq!(incarnation(&address).await, 2);
    tell(&address, Msg::end(ExitReason::Normal));
    assert_eq!(app.join().await, ExitReason::shutdown_with("a significant child ended"));
}

#[tokio::test(start_paused = true)]
async fn condition_that_is_given_in_a_change_decides_from_then_on() {
    let child = scripted("a");
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    let changed: ChildSpec = scripted("a").restart_if(|_| false).into();
    app.supervisor().change(Supervisor::new("app").child(changed)).await.expect("it is valid");
    tell(&address, Msg::crash());
    sleep(secs(1)).await;
    assert_eq!(state(&app, "a").await, ChildState::Stopped);
    assert!(app.shutdown().await.is_clean());
}
