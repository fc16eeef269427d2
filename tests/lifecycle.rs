//! Starts and stops of trees, through the facade.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use perennial::StartError;
use perennial::prelude::*;
use perennial::{ChildError, ChildFailedError, ChildState, SpecError, SupervisionStats};
use tokio::sync::Notify;

use crate::support::{Behavior, Log, Msg, crash, incarnation, scripted, scripted_with, start};

/// OTP cases 3 and 4.
#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    let log = Log::default();
    let inner = Supervisor::new("inner").child(scripted("b", &log)).child(scripted("c", &log));
    let tree = Supervisor::new("app").child(scripted("a", &log)).child(inner).child(scripted("d", &log));
    let (_, app) = start(tree).await;
    assert_eq!(log.take(), ["start a", "start b", "start c", "start d"]);
    let report = app.shutdown().await;
    assert_eq!(log.take(), ["stop d", "stop c", "stop b", "stop a"]);
    assert!(report.is_clean() && matches!(report.reason, ExitReason::Shutdown(None)));
    assert!(matches!(app.join().await, ExitReason::Shutdown(None)));
}

#[tokio::test(start_paused = true)]
async fn failed_start_of_a_child_stops_the_children_started_before() {
    let log = Log::default();
    let failing = scripted_with("bad", &log, Behavior::FailsFrom(1));
    let address = failing.address();
    let inner =
        Supervisor::new("inner").child(scripted("b", &log)).child(failing).child(scripted("never", &log));
    let system = System::new();
    let started = Supervisor::new("app").child(scripted("a", &log)).child(inner).start(&system).await;
    let Err(StartError::Failed(reason)) = started else { panic!("expected a failed start") };
    assert_eq!(log.take(), ["start a", "start b", "stop b", "stop a"]);
    let outer = reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailedError>())
        .expect("the child is named");
    let inner = outer
        .reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailedError>())
        .expect("the nested child is named");
    assert_eq!((&*outer.child, &*inner.child), ("inner", "bad"));
    assert!(address.cast(crash()).is_err(), "the mailbox is closed");
}

/// OTP cases 12 and 13.
#[tokio::test(start_paused = true)]
async fn a_wrong_spec_starts_nothing() {
    let (log, system) = (Log::default(), System::new());
    let twice = Supervisor::new("inner").child(scripted("a", &log)).child(scripted("a", &log));
    let started = Supervisor::new("app").child(scripted("b", &log)).child(twice).start(&system).await;
    assert!(matches!(started, Err(StartError::Spec(SpecError::DuplicateId { id, .. })) if &*id == "a"));
    let never =
        Supervisor::new("app").intensity(1, Duration::ZERO).child(scripted("a", &log)).start(&system).await;
    assert!(matches!(never, Err(StartError::Spec(SpecError::ZeroPeriod { .. }))));
    let late = scripted("a", &log);
    let _address = late.address();
    let late = Supervisor::new("app").child(late.mailbox(MailboxConfig::unbounded())).start(&system).await;
    assert!(matches!(late, Err(StartError::Spec(SpecError::MailboxTooLate { .. }))));
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn init_that_exceeds_its_timeout_fails_the_start() {
    let (log, system) = (Log::default(), System::new());
    let slow = scripted_with("slow", &log, Behavior::HangsFrom(1)).start_timeout(Duration::from_secs(3));
    let Err(StartError::Failed(reason)) = Supervisor::new("app").child(slow).start(&system).await else {
        panic!("expected a failed start");
    };
    let failed = reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailedError>())
        .expect("the child is named");
    assert!(matches!(failed.reason, ExitReason::StartTimedOut));
}

#[tokio::test(start_paused = true)]
async fn dropped_start_is_rolled_back() {
    let (log, system) = (Log::default(), System::new());
    let tree = Supervisor::new("app").child(scripted("a", &log)).child(scripted_with(
        "slow",
        &log,
        Behavior::HangsFrom(1),
    ));
    let timed_out = tokio::time::timeout(Duration::from_secs(1), tree.start(&system)).await;
    assert!(timed_out.is_err());
    while log.0.lock().expect("not poisoned").len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.take(), ["start a", "stop a"]);
}

/// OTP cases 68, 70 and 71.
#[tokio::test(start_paused = true)]
async fn each_child_stops_by_its_own_shutdown_and_late_ones_are_reported() {
    let (log, long) = (Log::default(), Duration::from_secs(3600));
    let lingering = |id| scripted_with(id, &log, Behavior::Lingers(long));
    let tree = Supervisor::new("app")
        .child(lingering("unlimited").shutdown(Shutdown::Infinity))
        .child(
            Supervisor::new("inner")
                .child(lingering("late").shutdown(Shutdown::Timeout(Duration::from_secs(1)))),
        )
        .child(lingering("brutal").shutdown(Shutdown::BrutalKill));
    let (_, app) = start(tree).await;
    log.take();
    let report = app.shutdown().await;
    assert_eq!(log.take(), ["stop unlimited"]);
    let late: Vec<_> = report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect();
    assert_eq!(late, [("app/inner/late", false)]);
}

#[tokio::test(start_paused = true)]
async fn a_tree_can_be_stopped_while_a_child_of_it_starts() {
    let log = Log::default();
    let child = scripted_with("a", &log, Behavior::HangsFrom(2));
    let address = child.address();
    let inner =
        Supervisor::new("inner").strategy(Strategy::OneForAll).child(scripted("b", &log)).child(child);
    let (_, app) = start(Supervisor::new("app").child(inner)).await;
    let down = address.monitor();
    address.cast(crash()).expect("the mailbox is open");
    down.await;
    while address.pid().is_none_or(|pid| pid.incarnation() != 2) {
        tokio::task::yield_now().await;
    }
    let tree = app.tree();
    assert_eq!(
        tree.at(["inner", "a"]).expect("it exists").state,
        ChildState::Restarting,
        "until its init returns"
    );
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["start b", "start a", "stop a", "stop b", "start b", "stop b"]);
}

#[tokio::test(start_paused = true)]
async fn terminated_child_is_closed_and_restarts_with_the_same_mailbox() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(0, Duration::from_secs(1)).child(child)).await;
    for n in 2..=4 {
        app.supervisor().terminate_child("a").await.expect("the child stops");
        app.supervisor().terminate_child("a").await.expect("the child is stopped");
        assert!(address.cast(crash()).is_err(), "the mailbox is closed");
        app.supervisor().restart_child("a").await.expect("the child starts");
        assert_eq!(incarnation(&address).await, n);
    }
    assert!(matches!(app.supervisor().restart_child("a").await, Err(ChildError::Running)));
    assert!(matches!(app.supervisor().terminate_child("b").await, Err(ChildError::NotFound)));
    assert_eq!(SupervisionStats::of(&system).restarts, 0, "restarts by request do not count");
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(app.supervisor().terminate_child("a").await, Err(ChildError::ShuttingDown)));
}

/// Runs in real time: the child blocks a thread of the runtime, and paused time needs a runtime
/// with one thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child_that_never_awaits_is_abandoned_and_its_mailbox_is_kept() {
    let child = scripted("a", &Log::default()).shutdown(Shutdown::BrutalKill);
    let address = child.address();
    let tree = Supervisor::new("app").abandon_after(Duration::from_millis(20)).child(child);
    let (system, app) = start(tree).await;
    let ((go, hang), begun) = (mpsc::channel(), Arc::new(Notify::new()));
    address.cast(Msg::Hang(begun.clone(), hang)).expect("the mailbox is open");
    begun.notified().await;
    let waiting = tokio::spawn({
        let address = address.clone();
        async move { address.call(Msg::Pid).await }
    });
    while address.counters().queued != 2 {
        tokio::task::yield_now().await;
    }
    // A kill from outside does not end it. Its supervisor finds that out when it stops the child.
    let (stop, handle) = (app.supervisor().terminate_child("a"), app.clone());
    stop.await.expect("the child is abandoned");
    assert_eq!(SupervisionStats::of(&system).abandoned, 1);
    assert!(waiting.await.expect("the task succeeds").is_err(), "terminate_child closed the mailbox");
    handle.supervisor().restart_child("a").await.expect("the next incarnation starts");
    assert_eq!(incarnation(&address).await, 2);
    go.send(()).expect("the old incarnation still hangs");
    assert_eq!(incarnation(&address).await, 2, "the old incarnation handles no message");
    let report = app.shutdown().await;
    assert_eq!(report.unstopped.iter().filter(|child| child.abandoned).count(), 1);
    assert!(address.counters().is_balanced());
}
