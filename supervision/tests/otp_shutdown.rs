//! OTP's cases of section E: how children are stopped, and how a supervisor ends.

use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::{DynamicSupervisor, ReportKind, Restart, Shutdown, Supervisor, SupervisorReport};
use tokio::time::Instant;

use crate::support::worker;
use crate::support::worker::{
    HOUR, Log, Msg, SECOND, Script, StopStep, crash, end, exit_of, incarnation, quiet, refused, reported,
    start, tolerant, tree_exit, worker,
};

#[tokio::test(start_paused = true)]
async fn c068_a_child_that_is_killed_brutally_sees_no_signal_and_the_others_are_told_to_stop() {
    let log = Log::default();
    let brutal = Script::new("b", &log).with_slow_stop(HOUR).child().shutdown(Shutdown::BrutalKill);
    let children = [worker("a", &log), brutal, worker("c", &log)];
    let watched: Vec<_> = children.iter().map(|child| child.address()).collect();
    let (system, app) = start(Supervisor::new("app").children(children)).await;
    let mut reports = system.subscribe::<SupervisorReport>();
    let downs: Vec<_> = watched.iter().map(|address| address.monitor()).collect();
    log.take();
    let report = app.shutdown().await;
    assert!(report.is_clean() && report.reason.to_string() == "shutdown");
    assert_eq!(log.take(), ["stop c", "stop a"]);
    let mut reasons = Vec::new();
    for down in downs {
        reasons.push(exit_of(down).await);
    }
    assert_eq!(reasons, ["shutdown", "killed", "shutdown"]);
    assert!(reported(&mut reports).is_empty(), "all of it was as it should be");
}

#[tokio::test(start_paused = true)]
async fn c070_an_infinite_shutdown_waits_as_long_as_it_takes_for_a_worker_too() {
    let log = Log::default();
    let patient = Script::new("patient", &log).with_slow_stop(24 * HOUR).child().shutdown(Shutdown::Infinity);
    let down = patient.address();
    let (_, app) = start(Supervisor::new("app").child(worker("a", &log)).child(patient)).await;
    let (down, began) = (down.monitor(), Instant::now());
    log.take();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["stop patient", "stop a"]);
    assert_eq!(exit_of(down).await, "shutdown");
    assert!(began.elapsed() >= 24 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_has_not_stopped_in_its_time_is_killed_and_not_before() {
    let log = Log::default();
    let child = |id, time| {
        Script::new(id, &log)
            .with_slow_stop(Duration::from_millis(time))
            .child()
            .shutdown(Shutdown::Timeout(Duration::from_millis(1000)))
    };
    let (system, app) =
        start(Supervisor::new("app").child(child("late", 1100)).child(child("good", 900))).await;
    let mut reports = system.subscribe::<SupervisorReport>();
    log.take();
    let late = app.shutdown().await.unstopped;
    assert_eq!(late.iter().map(|child| &*child.path).collect::<Vec<_>>(), ["app/late"]);
    assert_eq!(log.take(), ["stop good"]);
    let reports = reported(&mut reports);
    assert!(matches!(reports[0].kind, ReportKind::Killed), "{reports:?}");
    assert!(
        matches!(&reports[1].kind, ReportKind::ShutdownError { reason: ExitReason::Killed }),
        "{reports:?}"
    );
    assert_eq!(reports.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn c071_a_child_that_is_given_no_time_to_stop_is_killed() {
    let log = Log::default();
    let hurried =
        Script::new("a", &log).with_slow_stop(HOUR).child().shutdown(Shutdown::Timeout(Duration::ZERO));
    let address = hurried.address();
    let (_, app) = start(Supervisor::new("app").child(hurried)).await;
    let (down, began) = (address.monitor(), Instant::now());
    log.take();
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    assert_eq!(exit_of(down).await, "killed");
    assert_eq!(log.take(), [""; 0], "it did not get to its last words");
    assert!(began.elapsed() < SECOND);
    assert_eq!(app.shutdown().await.reason.to_string(), "shutdown");
}

/// A child that is in a handler when it is asked to stop may end for another reason before it
/// handles the stop.
fn ends() -> [(ExitReason, &'static str); 4] {
    [
        (ExitReason::Normal, "normal"),
        (ExitReason::shutdown(), "shutdown"),
        (ExitReason::shutdown_with("a note"), "shutdown: a note"),
        (ExitReason::failed("on purpose"), "failed: on purpose"),
    ]
}

#[tokio::test(start_paused = true)]
async fn c073_children_that_end_otherwise_than_they_are_told_do_not_change_how_their_supervisor_ends() {
    for (restart, errors) in [
        (Restart::Permanent, vec!["app/4", "app/3", "app/2", "app/0"]),
        (Restart::Transient, vec!["app/4", "app/3"]),
    ] {
        let log = Log::default();
        let mut tree = Supervisor::new("app");
        let mut watched = Vec::new();
        for (number, (reason, seen)) in ends().into_iter().enumerate() {
            let child = worker(number.to_string(), &log).restart(restart);
            // The last child is asked to stop first. Each is asked in order, while it is still in
            // its handler.
            let time = SECOND * (4 - number as u32);
            watched.push((child.address(), Msg::EndLater(time, reason), seen));
            tree = tree.child(child);
        }
        let panics = Script::new("4", &log).with_stop(StopStep::Panic).child().restart(restart);
        let last = panics.address();
        let (system, app) = start(tree.child(panics)).await;
        let mut downs = vec![(last.monitor(), "panicked: no such luck")];
        for (address, message, seen) in watched {
            downs.push((address.monitor(), seen));
            address.cast(message).expect("it is served");
        }
        quiet().await;
        let mut reports = system.subscribe::<SupervisorReport>();
        assert_eq!(app.shutdown().await.reason.to_string(), "shutdown");
        for (down, seen) in downs {
            assert_eq!(exit_of(down).await, seen);
        }
        let reports = reported(&mut reports);
        assert!(
            reports.iter().all(|report| matches!(report.kind, ReportKind::ShutdownError { .. })),
            "{reports:?}"
        );
        assert_eq!(reports.iter().map(|report| &*report.path).collect::<Vec<_>>(), errors, "{restart:?}");
    }
}

/// In OTP such a child is asked to stop without effect, and reported for that.
#[tokio::test(start_paused = true)]
async fn a_child_that_ends_otherwise_while_another_is_being_stopped_is_reported_too() {
    for (reason, expected) in [(ExitReason::failed("on purpose"), 1), (ExitReason::shutdown(), 0)] {
        let log = Log::default();
        let child = worker("a", &log);
        let (address, slow) = (child.address(), Script::new("b", &log).with_slow_stop(SECOND).child());
        let (system, app) = start(Supervisor::new("app").child(child).child(slow)).await;
        let mut reports = system.subscribe::<SupervisorReport>();
        address.cast(Msg::EndLater(SECOND / 2, reason)).expect("it is served");
        assert!(app.shutdown().await.is_clean());
        let reports = reported(&mut reports);
        assert_eq!(reports.len(), expected, "{reports:?}");
        let told = |report: &SupervisorReport| {
            &*report.path == "app/a" && matches!(report.kind, ReportKind::ShutdownError { .. })
        };
        assert!(reports.iter().all(told), "{reports:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c073_children_of_a_dynamic_supervisor_that_end_otherwise_do_not_change_how_it_ends() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let children =
        app.supervisor().template(|id: String| worker(id, &Log::default()).restart(Restart::Temporary));
    let mut downs = Vec::new();
    for (reason, seen) in ends() {
        let address = children.start_child("busy".to_owned()).await.expect("it starts");
        downs.push((address.monitor(), seen));
        address.cast(Msg::EndLater(SECOND, reason)).expect("it is served");
    }
    let panics = Script::new("panics", &log).with_stop(StopStep::Panic).child();
    let address = panics.address();
    app.supervisor().start_child(panics).await.expect("it starts");
    downs.push((address.monitor(), "panicked: no such luck"));
    quiet().await;
    let report = app.shutdown().await;
    assert!(report.is_clean() && report.reason.to_string() == "shutdown");
    for (down, seen) in downs {
        assert_eq!(exit_of(down).await, seen);
    }
}

#[tokio::test(start_paused = true)]
async fn c077_a_killed_supervisor_leaves_nested_ones_to_stop_in_good_order() {
    let log = Log::default();
    let slow = Script::new("c", &log).with_slow_stop(2 * SECOND).child();
    let deep = Supervisor::new("deep").child(worker("a", &log)).child(worker("b", &log));
    let nested = Supervisor::new("nested").child(deep).child(slow);
    let plain = worker("plain", &log);
    let (address, below) = (plain.address(), nested.handle());
    let (_, app) = start(Supervisor::new("app").child(plain).child(nested)).await;
    let (killed, nested, deep) = (
        address.monitor(),
        below.handle().monitor(),
        below.tree().at(["deep"]).expect("it is there").handle.monitor(),
    );
    log.take();
    app.handle().kill().expect("it lives");
    assert_eq!(tree_exit(&app).await, "killed");
    // The end is reported once every part of the tree has ended.
    assert_eq!(log.take(), ["stop c", "stop b", "stop a"]);
    assert_eq!(exit_of(killed).await, "killed");
    assert_eq!(exit_of(nested).await, "killed");
    assert_eq!(exit_of(deep).await, "shutdown", "its own supervisor stopped it in good order");
    assert!(address.cast(crash()).is_err(), "the tree is gone");
}

#[tokio::test(start_paused = true)]
async fn c078_a_child_that_unlinks_itself_from_its_supervisor_is_stopped_all_the_same() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let (_, app) = start(tolerant("app").child(child)).await;
    let unlink = |reply| Msg::Unlink(app.handle(), reply);
    address.call(unlink).await.expect("it does");
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    assert_eq!(log.take(), ["start a", "stop a"]);
    app.supervisor().restart_child("a").await.expect("it starts");
    address.call(unlink).await.expect("it does");
    end(&address, ExitReason::failed("on purpose")).await;
    assert_eq!(incarnation(&address).await, 3, "nor does it hide its end");
    address.call(unlink).await.expect("it does");
    assert!(app.shutdown().await.is_clean());
    assert!(address.cast(crash()).is_err());
}

#[tokio::test(start_paused = true)]
async fn c079_what_strangers_send_a_supervisor_changes_nothing() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").child(child)).await;
    let before = app.handle().pid();
    for reason in [ExitReason::Normal, ExitReason::shutdown(), ExitReason::failed("x"), ExitReason::Killed] {
        app.handle().send_exit(reason).expect("it lives");
    }
    let stranger = system.spawn::<worker::Worker>(Script::new("stranger", &log)).await.expect("it starts");
    let supervisor = app.handle();
    stranger.call(move |reply| Msg::Link(supervisor, reply)).await.expect("it does");
    end(&stranger, ExitReason::failed("on purpose")).await;
    quiet().await;
    assert_eq!(app.handle().pid(), before);
    assert_eq!(app.supervisor().count_children().await.expect("it answers").active, 1);
    assert_eq!(incarnation(&address).await, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_link_to_a_supervisor_is_told_of_its_end() {
    let log = Log::default();
    let (system, app) = start(Supervisor::new("app").child(worker("a", &log))).await;
    let partner = system.spawn::<worker::Worker>(Script::new("partner", &log)).await.expect("it starts");
    let supervisor = app.handle();
    partner.call(move |reply| Msg::Link(supervisor, reply)).await.expect("it does");
    let down = partner.monitor();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(exit_of(down).await, "shutdown");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_told_to_stop_ends_with_the_reason_that_it_is_given_and_stops_its_children_with_shutdown()
 {
    for reason in [ExitReason::Normal, ExitReason::failed("mine"), ExitReason::shutdown_with("a note")] {
        let log = Log::default();
        let (_, app) = start(Supervisor::new("app").child(worker("a", &log)).child(worker("b", &log))).await;
        log.take();
        app.handle().stop(reason.clone()).expect("it lives");
        assert_eq!(tree_exit(&app).await, reason.to_string());
        assert_eq!(log.take(), ["stop b", "stop a"]);
        assert_eq!(
            refused(app.supervisor().count_children().await),
            "the supervisor has ended or is shutting down"
        );
    }
}
