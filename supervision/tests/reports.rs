//! The reports of supervisors and what they contain: OTP's reports, and those beyond OTP.

use std::time::Duration;

use perennial_actors::{Address, ExitReason, Subscription, System};
use perennial_supervision::{
    Backoff, DynamicSupervisor, LivenessFailure, ReportKind, Restart, Shutdown, Supervisor, SupervisorReport,
};
use tokio::time::sleep;

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, tell};

/// The next report, if it is of this incarnation of `app/a`.
async fn next(
    reports: &mut Subscription<SupervisorReport>,
    supervisor: &SupervisorReport,
    incarnation: u32,
) -> ReportKind {
    let SupervisorReport { supervisor: by, path, pid, kind: what, .. } =
        reports.next().await.expect("the system is there");
    assert_eq!((by, &*path), (supervisor.supervisor, "app/a"), "{what:?}");
    let of = pid.expect("there was one");
    assert_eq!(of.incarnation(), incarnation, "{what:?}");
    assert_eq!(Some(of.identity()), supervisor.pid.map(|pid| pid.identity()));
    what
}

/// Lets the first incarnation hang, and checks the reports up to the start of the second.
async fn hang(
    address: &Address<Msg>,
    reports: &mut Subscription<SupervisorReport>,
    first: &SupervisorReport,
) {
    tell(address, Msg::Hang);
    let ReportKind::Unresponsive { sign: LivenessFailure::Handler(time) } = next(reports, first, 1).await
    else {
        panic!()
    };
    assert_eq!(time, secs(1));
    assert!(matches!(next(reports, first, 1).await, ReportKind::Killed));
    assert!(matches!(
        next(reports, first, 1).await,
        ReportKind::Terminated { reason: ExitReason::Unresponsive }
    ));
    let ReportKind::Restarting { reason, restarts_left, delay, .. } = next(reports, first, 1).await else {
        panic!()
    };
    assert!(matches!(reason, ExitReason::Unresponsive));
    assert_eq!((restarts_left, delay), (2, ms(100)));
    assert!(matches!(next(reports, first, 2).await, ReportKind::Started));
}

/// The reports of a child that hangs, crashes, fails to start, and is killed.
#[tokio::test(start_paused = true)]
async fn a_report_names_its_subject_and_its_reason() {
    let script =
        Script::plain(&Log::new()).with_init(|n| if n == 3 { InitStep::Fail } else { InitStep::Succeed });
    let child = script.child("a").handler_deadline(secs(1)).shutdown(Shutdown::Timeout(secs(2)));
    let child = child.backoff(Backoff::new(ms(100), secs(1)));
    let (address, system) = (child.address(), System::new());
    let mut reports = system.subscribe::<SupervisorReport>();
    let tree = Supervisor::new("app").intensity(3, secs(60)).child(child);
    let app = tree.start(&system).await.expect("it starts");
    let first = reports.next().await.expect("the system is there");
    assert!(matches!(first.kind, ReportKind::Started));
    assert_eq!(
        (&*first.path, Some(first.supervisor), first.pid),
        ("app/a", app.handle().pid(), address.pid())
    );

    hang(&address, &mut reports, &first).await;

    tell(&address, Msg::crash());
    let ReportKind::Terminated { reason } = next(&mut reports, &first, 2).await else { panic!() };
    assert_eq!(reason.to_string(), "failed: on purpose");
    let ReportKind::Restarting { restarts_left, delay, .. } = next(&mut reports, &first, 2).await else {
        panic!()
    };
    assert_eq!((restarts_left, delay), (1, ms(200)));
    let ReportKind::StartFailed { reason } = next(&mut reports, &first, 3).await else { panic!() };
    assert_eq!(reason.to_string(), "failed: no luck");
    let ReportKind::Restarting { reason, restarts_left, delay } = next(&mut reports, &first, 3).await else {
        panic!()
    };
    assert_eq!(reason.to_string(), "failed: no luck");
    assert_eq!((restarts_left, delay), (0, ms(400)));
    assert!(matches!(next(&mut reports, &first, 4).await, ReportKind::Started));

    tell(&address, Msg::end(ExitReason::Killed));
    assert!(matches!(
        next(&mut reports, &first, 4).await,
        ReportKind::Terminated { reason: ExitReason::Killed }
    ));
    let last = reports.next().await.expect("the system is there");
    let ReportKind::GaveUp { child } = last.kind else { panic!("{last:?}") };
    assert_eq!((&*child, &*last.path), ("a", "app"));
    assert_eq!((last.pid, last.supervisor), (Some(first.supervisor), first.supervisor));
    app.join().await;
    assert!(reports.try_next().is_none());
}

/// Returns the reports of a child that ends by itself.
async fn told_of_an_end(restart: Restart, reason: ExitReason) -> Vec<String> {
    let (child, system) = (scripted("a").restart(restart), System::new());
    let address = child.address();
    let _app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    tell(&address, Msg::end(reason));
    sleep(secs(1)).await;
    reports.so_far()
}

/// OTP's `child_terminated`: for every end that calls for a restart or is abnormal.
#[tokio::test(start_paused = true)]
async fn an_end_that_was_to_be_expected_is_not_reported() {
    let clean =
        [ExitReason::Normal, ExitReason::shutdown(), ExitReason::shutdown_with("enough"), ExitReason::Ignore];
    let abnormal = [ExitReason::Killed, ExitReason::NoProcess, ExitReason::failed("no luck")];
    for reason in clean {
        assert_eq!(told_of_an_end(Restart::Transient, reason.clone()).await, [""; 0]);
        assert_eq!(told_of_an_end(Restart::Temporary, reason.clone()).await, [""; 0]);
        let lines = told_of_an_end(Restart::Permanent, reason.clone()).await;
        let expected = [format!("app/a: terminated: {reason}"), format!("app/a: restarting: {reason}")];
        assert_eq!(lines[..2], expected);
        assert_eq!(lines[2..], ["app/a: started"]);
    }
    for reason in abnormal {
        let terminated = format!("app/a: terminated: {reason}");
        assert_eq!(
            told_of_an_end(Restart::Temporary, reason.clone()).await,
            std::slice::from_ref(&terminated)
        );
        for restart in [Restart::Permanent, Restart::Transient] {
            let lines = told_of_an_end(restart, reason.clone()).await;
            assert_eq!(
                lines,
                [terminated.clone(), format!("app/a: restarting: {reason}"), "app/a: started".to_owned()]
            );
        }
    }
}

/// Returns the reports of a child that is stopped and ends for this reason.
async fn told_of_a_stop(restart: Restart, shutdown: Shutdown, reason: ExitReason) -> Vec<String> {
    let (child, system) = (scripted("a").restart(restart).shutdown(shutdown), System::new());
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    // It is in a handler that ends it for another reason than that of the stop.
    tell(&address, Msg::End(secs(1), reason));
    sleep(ms(500)).await;
    app.supervisor().terminate_child("a").await.expect("it stops, whatever its reason");
    reports.so_far()
}

/// OTP's `shutdown_error`.
#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_and_ends_otherwise_is_reported() {
    let patient = Shutdown::Timeout(secs(5));
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for shutdown in [patient, Shutdown::Infinity] {
            let told = told_of_a_stop(restart, shutdown, ExitReason::shutdown()).await;
            assert_eq!(told, [""; 0], "{restart:?}: so it was told");
            for reason in [ExitReason::Normal, ExitReason::shutdown_with("enough")] {
                let told = told_of_a_stop(restart, shutdown, reason.clone()).await;
                let expected = format!("app/a: shutdown error: {reason}");
                let expected = (restart == Restart::Permanent).then_some(expected);
                assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{restart:?}");
            }
            let told = told_of_a_stop(restart, shutdown, ExitReason::failed("no luck")).await;
            assert_eq!(told, ["app/a: shutdown error: failed: no luck"], "{restart:?}");
        }
        let told = told_of_a_stop(restart, Shutdown::BrutalKill, ExitReason::Normal).await;
        assert_eq!(told, [""; 0], "{restart:?}: it was killed, as it was to be");
        let told = told_of_a_stop(restart, Shutdown::Timeout(ms(100)), ExitReason::Normal).await;
        assert_eq!(told, ["app/a: killed", "app/a: shutdown error: killed"], "{restart:?}: it was late");
        let told = told_of_a_stop(restart, Shutdown::Timeout(Duration::ZERO), ExitReason::Normal).await;
        assert_eq!(told, ["app/a: killed", "app/a: shutdown error: killed"], "{restart:?}: it had no time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_reported_and_one_that_is_declined_is_not() {
    let system = System::new();
    let mut reports = Reports::of(&system);
    let fails = Script::plain(&Log::new()).with_init(|_| InitStep::Fail);
    let tree = Supervisor::new("app").child(scripted("a")).child(fails.clone().child("b"));
    assert!(tree.start(&system).await.is_err());
    assert_eq!(reports.so_far(), ["app/a: started", "app/b: start failed: failed: no luck"]);

    let app = Supervisor::new("app").start(&system).await.expect("it starts");
    assert!(app.supervisor().start_child(fails.child("c")).await.is_err());
    assert_eq!(reports.so_far(), ["app/c: start failed: failed: no luck"]);
    let child = Script::plain(&Log::new()).with_init(|_| InitStep::DeferReady).child("d");
    let (address, supervisor) = (child.address(), app.supervisor().clone());
    let starting = tokio::spawn(async move { supervisor.start_child(child).await });
    sleep(ms(1)).await;
    tell(&address, Msg::end(ExitReason::Ignore));
    assert!(starting.await.expect("it ends well").is_ok());
    assert_eq!(reports.so_far(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_by_hand_is_not_reported_but_for_the_start() {
    let system = System::new();
    let app = Supervisor::new("app").child(scripted("a")).start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    app.supervisor().terminate_child("a").await.expect("it stops");
    app.supervisor().restart_child("a").await.expect("it starts");
    app.supervisor().start_child(scripted("b")).await.expect("it starts");
    assert!(app.shutdown().await.is_clean());
    assert_eq!(reports.so_far(), ["app/a: started", "app/b: started"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_below_is_reported_by_its_own_supervisor_with_its_path() {
    let (child, system) = (scripted("a"), System::new());
    let address = child.address();
    let workers = DynamicSupervisor::new("workers");
    let dynamic = workers.handle();
    let inner = Supervisor::new("inner").intensity(0, secs(1)).child(child).child(workers);
    let mut reports = Reports::of(&system);
    let app = Supervisor::new("app").child(inner).start(&system).await.expect("it starts");
    dynamic.start_child(scripted("job")).await.expect("it starts");
    let started = [
        "app/inner/a: started",
        "app/inner/workers: started",
        "app/inner: started",
        "app/inner/workers/job: started",
    ];
    assert_eq!(reports.until(started[3]).await, started);
    let below = app.tree().at(["inner"]).expect("it is there").pid;

    tell(&address, Msg::crash());
    let terminated = reports.next().await;
    assert_eq!((&*terminated.path, Some(terminated.supervisor)), ("app/inner/a", below));
    let gave_up = reports.next().await;
    assert_eq!((&*gave_up.path, Some(gave_up.supervisor), gave_up.pid), ("app/inner", below, below));
    let ended = reports.next().await;
    assert_eq!((&*ended.path, Some(ended.supervisor), ended.pid), ("app/inner", app.handle().pid(), below));
    assert_eq!(reports.until("app/inner: started").await.len(), 4, "restarting, and three starts");
    assert_eq!(incarnation(&address).await, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_report_names_the_late_children_and_no_other() {
    let log = Log::new();
    let slow = || Script::plain(&log).with_slow_stop(secs(10));
    let late = |id| slow().child(id).shutdown(Shutdown::Timeout(secs(1)));
    let inner = Supervisor::new("inner").child(late("b")).child(scripted("c"));
    let tree = Supervisor::new("app")
        .child(late("a"))
        .child(inner)
        .child(slow().child("patient").shutdown(Shutdown::Infinity))
        .child(slow().child("brutal").shutdown(Shutdown::BrutalKill))
        .child(late("before"));
    let system = System::new();
    let app = tree.start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    app.supervisor().terminate_child("before").await.expect("it stops");
    assert_eq!(reports.so_far()[0], "app/before: killed");

    let report = app.shutdown().await;
    assert!(matches!(report.reason, ExitReason::Shutdown(None)));
    let late: Vec<_> = report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect();
    assert_eq!(late, [("app/a", false), ("app/inner/b", false)]);
    assert!(!report.is_clean());
    let again = app.shutdown().await;
    assert_eq!(again.unstopped, report.unstopped, "for every caller");
}
