//! Restarts through the facade: which children restart, with which others, how often, and when a
//! supervisor shuts down.

use std::time::Duration;

use perennial::prelude::*;
use perennial::{ChildState, SupervisionStats};

use crate::support::{Behavior, Log, Msg, crash, incarnation, scripted, scripted_with, start};

/// OTP cases 29, 33 and 38.
#[tokio::test(start_paused = true)]
async fn a_group_is_stopped_in_reverse_and_started_in_order() {
    for (strategy, expected) in [
        (Strategy::OneForOne, vec!["stop b", "start b"]),
        (Strategy::OneForAll, vec!["stop b", "stop c", "stop a", "start a", "start b", "start c"]),
        (Strategy::RestForOne, vec!["stop b", "stop c", "start b", "start c"]),
    ] {
        let log = Log::default();
        let middle = scripted("b", &log);
        let (address, last) = (middle.address(), scripted("c", &log));
        let end = last.address();
        let tree =
            Supervisor::new("app").strategy(strategy).child(scripted("a", &log)).child(middle).child(last);
        let (system, app) = start(tree).await;
        log.take();
        address.cast(crash()).expect("the mailbox is open");
        assert_eq!(incarnation(&address).await, 2);
        incarnation(&end).await;
        assert_eq!(log.take(), expected, "{strategy:?}");
        assert_eq!(SupervisionStats::of(&system).restarts, 1, "a group counts once");
        assert!(app.shutdown().await.is_clean());
    }
}

/// OTP cases 19 to 24.
#[tokio::test(start_paused = true)]
async fn restart_type_and_exit_reason_decide_which_children_restart() {
    for (restart, reason, comes_back) in [
        (Restart::Permanent, ExitReason::Normal, true),
        (Restart::Permanent, ExitReason::shutdown(), true),
        (Restart::Transient, ExitReason::Normal, false),
        (Restart::Transient, ExitReason::shutdown_with("a note"), false),
        (Restart::Transient, ExitReason::Killed, true),
        (Restart::Temporary, ExitReason::failed("x"), false),
    ] {
        let child = scripted("a", &Log::default()).restart(restart);
        let address = child.address();
        let (_, app) = start(Supervisor::new("app").child(child)).await;
        address.cast(Msg::End(reason.clone())).expect("the mailbox is open");
        let answer = address.call(Msg::Pid).await;
        assert_eq!(answer.is_ok(), comes_back, "{restart:?} after {reason}: {answer:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// OTP cases 48 and 51.
#[tokio::test(start_paused = true)]
async fn supervisor_shuts_down_at_the_first_restart_above_its_intensity() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(2, Duration::from_secs(1)).child(child)).await;
    for n in 2..=3 {
        address.cast(crash()).expect("the mailbox is open");
        assert_eq!(incarnation(&address).await, n);
    }
    tokio::time::advance(Duration::from_millis(1001)).await;
    address.cast(crash()).expect("the first restarts are outside the period");
    assert_eq!(incarnation(&address).await, 4);
    address.cast(crash()).expect("the mailbox is open");
    address.cast(crash()).expect("the child is pending");
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
    assert_eq!(SupervisionStats::of(&system).escalations, 1);
    assert!(address.cast(crash()).is_err());
}

/// OTP case 66, and the different behavior of a transient supervisor.
#[tokio::test(start_paused = true)]
async fn nested_supervisor_above_its_intensity_restarts_only_if_it_is_permanent() {
    for (restart, comes_back) in
        [(Restart::Permanent, true), (Restart::Transient, false), (Restart::Temporary, false)]
    {
        let child = scripted("a", &Log::default());
        let address = child.address();
        let inner =
            Supervisor::new("inner").intensity(0, Duration::from_secs(1)).restart(restart).child(child);
        let (_, app) = start(Supervisor::new("app").child(inner)).await;
        address.cast(crash()).expect("the mailbox is open");
        let answer = address.call(Msg::Pid).await;
        assert_eq!(answer.ok(), comes_back.then_some(2), "{restart:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// OTP case 55: retries continue until one succeeds or the intensity is exceeded.
#[tokio::test(start_paused = true)]
async fn failed_restart_is_retried_and_every_attempt_counts() {
    let child = scripted_with("a", &Log::default(), Behavior::FailsFrom(2));
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(3, Duration::from_secs(1)).child(child)).await;
    address.cast(crash()).expect("the mailbox is open");
    app.join().await;
    assert_eq!(SupervisionStats::of(&system).restarts, 3);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_ids_states_and_restarts() {
    let log = Log::default();
    let child = scripted("a", &log);
    let (address, resting) = (child.address(), scripted("r", &log).restart(Restart::Transient));
    let rest = resting.address();
    let tree = Supervisor::new("app").child(Supervisor::new("inner").child(child)).child(resting);
    let (_, app) = start(tree).await;
    address.cast(crash()).expect("the mailbox is open");
    assert_eq!(incarnation(&address).await, 2);
    rest.cast(Msg::End(ExitReason::Normal)).expect("the mailbox is open");
    rest.call(Msg::Pid).await.expect_err("the child is closed");
    let tree = app.tree();
    let shown: Vec<_> = tree.walk().map(|node| (&*node.id, node.state, node.restarts)).collect();
    assert_eq!(
        shown,
        [
            ("app", ChildState::Running, 0),
            ("inner", ChildState::Running, 0),
            ("a", ChildState::Running, 1),
            ("r", ChildState::Stopped, 0),
        ]
    );
    let drawn = tree.to_string();
    assert_eq!(drawn.lines().nth(2), Some("│  └─ a  running <3.2>, 1 restart"), "{drawn}");
    assert_eq!(drawn.lines().nth(3), Some("└─ r  stopped"), "{drawn}");
    assert!(app.shutdown().await.is_clean());
    assert!(app.tree().walk().all(|node| node.state == ChildState::Stopped));
}

/// OTP case 67 and 77.
#[tokio::test(start_paused = true)]
async fn killed_supervisor_has_ended_only_after_all_its_descendants() {
    let log = Log::default();
    let lingering = scripted_with("deep", &log, Behavior::Lingers(Duration::from_secs(2)));
    let address = lingering.address();
    let middle =
        Supervisor::new("middle").child(Supervisor::new("inner").child(lingering)).child(scripted("b", &log));
    let (_, app) = start(Supervisor::new("app").child(middle)).await;
    log.take();
    let down = address.monitor();
    app.tree().at(["middle"]).expect("it exists").handle.kill().expect("an incarnation runs");
    down.await;
    assert_eq!(incarnation(&address).await, 2);
    app.tree().at(["middle", "b"]).expect("it exists").handle.pid().expect("an incarnation runs");
    // The worker of the killed supervisor was killed at once. The nested supervisor stopped its own
    // child cleanly.
    assert_eq!(log.take()[..2], ["stop deep", "start deep"]);
    assert!(app.shutdown().await.is_clean());
}
