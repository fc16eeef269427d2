//! Trees through the facade: how they start, and how they stop.

mod support;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use perennial::prelude::*;
use perennial::start::TreeError;
use perennial::{ChildError, ChildFailedError, ChildState, SpecError, SupervisionStats};
use support::{Habit, Log, Msg, crash, incarnation, start, unit, unit_that};
use tokio::sync::Notify;

/// OTP cases 3 and 4.
#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    let log = Log::default();
    let inner = Supervisor::new("inner").child(unit("b", &log)).child(unit("c", &log));
    let tree = Supervisor::new("app").child(unit("a", &log)).child(inner).child(unit("d", &log));
    let (_, app) = start(tree).await;
    assert_eq!(log.take(), ["start a", "start b", "start c", "start d"]);
    let report = app.shutdown().await;
    assert_eq!(log.take(), ["stop d", "stop c", "stop b", "stop a"]);
    assert!(report.is_clean() && matches!(report.reason, ExitReason::Shutdown(None)));
    assert!(matches!(app.join().await, ExitReason::Shutdown(None)));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_start_has_those_before_it_stopped_again() {
    let log = Log::default();
    let failing = unit_that("bad", &log, Habit::FailsFrom(1));
    let address = failing.address();
    let inner = Supervisor::new("inner").child(unit("b", &log)).child(failing).child(unit("never", &log));
    let system = System::new();
    let started = Supervisor::new("app").child(unit("a", &log)).child(inner).start(&system).await;
    let Err(TreeError::Failed(reason)) = started else { panic!("it does not start") };
    assert_eq!(log.take(), ["start a", "start b", "stop b", "stop a"]);
    let outer = reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailedError>())
        .expect("the child is named");
    let inner = outer
        .reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailedError>())
        .expect("and the one below");
    assert_eq!((&*outer.child, &*inner.child), ("inner", "bad"));
    assert!(address.cast(crash()).is_err(), "nobody is due");
}

/// OTP cases 12 and 13.
#[tokio::test(start_paused = true)]
async fn a_wrong_spec_starts_nothing() {
    let (log, system) = (Log::default(), System::new());
    let twice = Supervisor::new("inner").child(unit("a", &log)).child(unit("a", &log));
    let started = Supervisor::new("app").child(unit("b", &log)).child(twice).start(&system).await;
    assert!(matches!(started, Err(TreeError::Spec(SpecError::DuplicateId { id, .. })) if &*id == "a"));
    let never =
        Supervisor::new("app").intensity(1, Duration::ZERO).child(unit("a", &log)).start(&system).await;
    assert!(matches!(never, Err(TreeError::Spec(SpecError::ZeroPeriod { .. }))));
    let late = unit("a", &log);
    let _address = late.address();
    let late = Supervisor::new("app").child(late.mailbox(MailboxConfig::unbounded())).start(&system).await;
    assert!(matches!(late, Err(TreeError::Spec(SpecError::MailboxTooLate { .. }))));
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_init_that_takes_too_long_is_a_start_that_failed() {
    let (log, system) = (Log::default(), System::new());
    let slow = unit_that("slow", &log, Habit::HangsFrom(1)).start_timeout(Duration::from_secs(3));
    let Err(TreeError::Failed(reason)) = Supervisor::new("app").child(slow).start(&system).await else {
        panic!("it does not start");
    };
    let failed = reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailedError>())
        .expect("the child is named");
    assert!(matches!(failed.reason, ExitReason::StartTimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_nobody_waits_for_any_more_is_taken_back() {
    let (log, system) = (Log::default(), System::new());
    let tree =
        Supervisor::new("app").child(unit("a", &log)).child(unit_that("slow", &log, Habit::HangsFrom(1)));
    let given_up = tokio::time::timeout(Duration::from_secs(1), tree.start(&system)).await;
    assert!(given_up.is_err());
    while log.0.lock().expect("not poisoned").len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.take(), ["start a", "stop a"]);
}

/// OTP cases 68, 70 and 71.
#[tokio::test(start_paused = true)]
async fn every_child_is_stopped_in_its_own_way_and_who_is_late_is_named() {
    let (log, long) = (Log::default(), Duration::from_secs(3600));
    let lingering = |id| unit_that(id, &log, Habit::Lingers(long));
    let tree = Supervisor::new("app")
        .child(lingering("patient").shutdown(Shutdown::Infinity))
        .child(
            Supervisor::new("inner")
                .child(lingering("late").shutdown(Shutdown::Timeout(Duration::from_secs(1)))),
        )
        .child(lingering("brutal").shutdown(Shutdown::BrutalKill));
    let (_, app) = start(tree).await;
    log.take();
    let report = app.shutdown().await;
    assert_eq!(log.take(), ["stop patient"]);
    let late: Vec<_> = report.stragglers.iter().map(|who| (&*who.path, who.abandoned)).collect();
    assert_eq!(late, [("app/inner/late", false)]);
}

#[tokio::test(start_paused = true)]
async fn a_tree_can_be_stopped_while_a_child_of_it_starts() {
    let log = Log::default();
    let child = unit_that("a", &log, Habit::HangsFrom(2));
    let address = child.address();
    let inner = Supervisor::new("inner").strategy(Strategy::OneForAll).child(unit("b", &log)).child(child);
    let (_, app) = start(Supervisor::new("app").child(inner)).await;
    let down = address.monitor();
    address.cast(crash()).expect("it is served");
    down.await;
    while address.pid().is_none_or(|pid| pid.incarnation() != 2) {
        tokio::task::yield_now().await;
    }
    let tree = app.tree();
    assert_eq!(
        tree.at(["inner", "a"]).expect("it is there").state,
        ChildState::Restarting,
        "until its init returns"
    );
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["start b", "start a", "stop a", "stop b", "start b", "stop b"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_by_hand_is_closed_and_opens_again_with_the_same_mailbox() {
    let child = unit("a", &Log::default());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(0, Duration::from_secs(1)).child(child)).await;
    for n in 2..=4 {
        app.supervisor().terminate_child("a").await.expect("it is stopped");
        app.supervisor().terminate_child("a").await.expect("it is stopped already");
        assert!(address.cast(crash()).is_err(), "nobody is due");
        app.supervisor().restart_child("a").await.expect("it starts");
        assert_eq!(incarnation(&address).await, n);
    }
    assert!(matches!(app.supervisor().restart_child("a").await, Err(ChildError::Running)));
    assert!(matches!(app.supervisor().terminate_child("b").await, Err(ChildError::NotFound)));
    assert_eq!(SupervisionStats::of(&system).restarts, 0, "by hand does not count");
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(app.supervisor().terminate_child("a").await, Err(ChildError::ShuttingDown)));
}

/// In real time: the child blocks a thread of the runtime, and paused time needs a runtime of one thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_that_never_awaits_is_abandoned_and_its_mailbox_goes_on() {
    let child = unit("a", &Log::default()).shutdown(Shutdown::BrutalKill);
    let address = child.address();
    let tree = Supervisor::new("app").abandon_after(Duration::from_millis(20)).child(child);
    let (system, app) = start(tree).await;
    let ((go, hang), begun) = (mpsc::channel(), Arc::new(Notify::new()));
    address.cast(Msg::Hang(begun.clone(), hang)).expect("it is served");
    begun.notified().await;
    let waiting = tokio::spawn({
        let address = address.clone();
        async move { address.call(Msg::Pid).await }
    });
    while address.counters().queued != 2 {
        tokio::task::yield_now().await;
    }
    // Killed from outside it does not die. Its supervisor finds out when it stops it.
    let (stop, handle) = (app.supervisor().terminate_child("a"), app.clone());
    stop.await.expect("it is given up");
    assert_eq!(SupervisionStats::of(&system).abandoned, 1);
    assert!(waiting.await.expect("it ends well").is_err(), "the mailbox was closed by hand");
    handle.supervisor().restart_child("a").await.expect("the next incarnation starts beside it");
    assert_eq!(incarnation(&address).await, 2);
    go.send(()).expect("the old one still hangs");
    assert_eq!(incarnation(&address).await, 2, "the old one can do nothing more");
    let report = app.shutdown().await;
    assert_eq!(report.stragglers.iter().filter(|who| who.abandoned).count(), 1);
    assert!(address.counters().is_balanced());
}
