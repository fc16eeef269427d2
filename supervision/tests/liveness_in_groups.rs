//! Children that hang: the effect on siblings, on the supervisors above and below, and on
//! management requests meanwhile.

use perennial_actors::System;
use perennial_supervision::{
    Child, ChildError, ChildState, Shutdown, Strategy, SupervisionStats, Supervisor,
};
use tokio::time::sleep;

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, tell};

/// A child that is found to hang after a second and killed two seconds later.
fn watched(script: Script, id: &'static str) -> Child<Msg> {
    script.child(id).handler_deadline(secs(1)).shutdown(Shutdown::Timeout(secs(2)))
}

#[tokio::test(start_paused = true)]
async fn siblings_are_restarted_with_a_child_that_hung_as_with_any_that_ended() {
    for (strategy, expected) in [
        (Strategy::OneForOne, vec!["3000 b starts"]),
        (
            Strategy::OneForAll,
            vec!["3000 c stops", "3000 a stops", "3000 a starts", "3000 b starts", "3000 c starts"],
        ),
        (Strategy::RestForOne, vec!["3000 c stops", "3000 b starts", "3000 c starts"]),
    ] {
        let (log, system) = (Log::new(), System::new());
        let script = Script::plain(&log);
        let (middle, last) = (watched(script.clone(), "b"), script.clone().child("c"));
        let (address, end) = (middle.address(), last.address());
        let tree =
            Supervisor::new("app").strategy(strategy).child(script.child("a")).child(middle).child(last);
        let app = tree.start(&system).await.expect("it starts");
        log.take();
        tell(&address, Msg::Hang);
        assert_eq!(incarnation(&address).await, 2);
        incarnation(&end).await;
        assert_eq!(log.take(), expected, "{strategy:?}");
        assert_eq!(SupervisionStats::of(&system).restarts, 1, "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// The round waits for the child that is on its way out, and starts it with the others.
#[tokio::test(start_paused = true)]
async fn a_child_that_is_found_to_hang_while_its_group_is_stopped_is_restarted_with_it() {
    let (log, system) = (Log::new(), System::new());
    let script = Script::plain(&log);
    let (first, hanging) = (script.clone().child("a"), watched(script.clone(), "b"));
    let (crashes, hangs) = (first.address(), hanging.address());
    let slow = script.with_slow_stop(secs(10)).child("c").shutdown(Shutdown::Infinity);
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).child(first).child(hanging).child(slow);
    let mut reports = Reports::of(&system);
    let app = tree.start(&system).await.expect("it starts");
    reports.until("app/c: started").await;
    log.take();
    tell(&hangs, Msg::Hang);
    tell(&crashes, Msg::crash());
    let lines = reports.until("app/c: started").await;
    let notes = ["0 a stops", "10000 c stops", "10000 a starts", "10000 b starts", "10000 c starts"];
    assert_eq!(log.take(), notes);
    assert_eq!((incarnation(&crashes).await, incarnation(&hangs).await), (2, 2));
    for line in ["app/b: unresponsive: handler", "app/b: killed", "app/a: restarting: failed: on purpose"] {
        assert_eq!(lines.iter().filter(|it| *it == line).count(), 1, "{line} in {lines:#?}");
    }
    assert!(!lines.contains(&"app/b: restarting: unresponsive".to_owned()), "{lines:#?}");
    assert_eq!(SupervisionStats::of(&system).restarts, 1, "the group once");
    assert!(app.shutdown().await.is_clean());
}

/// The round has passed it by, and goes on with its siblings: it is dealt with after that.
#[tokio::test(start_paused = true)]
async fn a_child_that_is_found_to_hang_while_others_are_restarted_is_restarted_after_them() {
    let (log, system) = (Log::new(), System::new());
    let script = Script::plain(&log);
    let (hanging, second) = (watched(script.clone(), "a"), script.clone().child("b"));
    let (hangs, crashes) = (hanging.address(), second.address());
    let slow = script.with_slow_stop(secs(10)).child("c").shutdown(Shutdown::Infinity);
    let tree = Supervisor::new("app").strategy(Strategy::RestForOne).intensity(2, secs(60));
    let app = tree.child(hanging).child(second).child(slow).start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    tell(&hangs, Msg::Hang);
    tell(&crashes, Msg::crash());
    assert_eq!(incarnation(&hangs).await, 2);
    let lines = reports.until("app/a: started").await;
    let place =
        |line: &str| lines.iter().position(|it| it == line).unwrap_or_else(|| panic!("{line} in {lines:#?}"));
    assert!(place("app/a: killed") < place("app/c: started"), "it was gone by then");
    assert!(place("app/c: started") < place("app/a: terminated: unresponsive"));
    assert!(place("app/a: terminated: unresponsive") < place("app/a: restarting: unresponsive"));
    assert_eq!(incarnation(&crashes).await, 3, "with the first, after it had come back by itself");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_by_hand_while_it_is_ended_for_hanging_stays_down() {
    let child = watched(Script::plain(&Log::new()), "a");
    let (address, system) = (child.address(), System::new());
    let mut reports = Reports::of(&system);
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    tell(&address, Msg::Hang);
    reports.until("app/a: unresponsive: handler").await;
    assert!(matches!(app.supervisor().restart_child("a").await, Err(ChildError::Running)));
    assert_eq!(app.tree().at(["a"]).expect("it is there").state, ChildState::Stopping);
    let begun = tokio::time::Instant::now();
    app.supervisor().terminate_child("a").await.expect("it is down");
    assert_eq!(begun.elapsed().as_secs(), 2, "when it was killed");
    assert!(address.cast(Msg::Hang).is_err(), "no incarnation is due");
    sleep(secs(10)).await;
    assert_eq!(reports.so_far(), ["app/a: killed"], "and nothing of a restart");
    app.supervisor().restart_child("a").await.expect("it starts");
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(SupervisionStats::of(&system).restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_child_that_is_being_ended_and_names_it() {
    let log = Log::new();
    let child = watched(Script::plain(&log), "a");
    let (address, system) = (child.address(), System::new());
    let mut reports = Reports::of(&system);
    let app =
        Supervisor::new("app").child(child).child(scripted("b")).start(&system).await.expect("it starts");
    tell(&address, Msg::Hang);
    reports.until("app/a: unresponsive: handler").await;
    let report = app.shutdown().await;
    let late: Vec<_> = report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect();
    assert_eq!(late, [("app/a", false)]);
    assert_eq!(log.take(), ["0 a starts"], "and not again");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_is_never_given_up_however_long_it_takes_to_stop() {
    let (log, system) = (Log::new(), System::new());
    let slow = Script::plain(&log).with_slow_stop(secs(3600)).child("slow").shutdown(Shutdown::Infinity);
    let inner = Supervisor::new("inner").child(slow);
    let tree = Supervisor::new("app").abandon_after(ms(1)).child(inner);
    let app = tree.start(&system).await.expect("it starts");
    let mut reports = Reports::of(&system);
    app.supervisor().terminate_child("inner").await.expect("it stops");
    assert_eq!(log.take(), ["0 slow starts", "3600000 slow stops"]);

    app.supervisor().restart_child("inner").await.expect("it starts");
    // Killed itself, it still waits for what is below.
    let inner = app.tree().at(["inner"]).expect("it is there").handle.clone();
    let slow = app.tree().at(["inner", "slow"]).expect("it is there").handle.clone();
    let (down, gone) = (inner.monitor(), slow.monitor());
    inner.kill().expect("it lives");
    gone.await;
    down.await;
    assert!(app.shutdown().await.is_clean());
    assert_eq!(SupervisionStats::of(&system).abandoned, 0);
    let told = reports.so_far();
    let given_up = |line: &String| ["app/inner: killed", "app/inner: abandoned"].contains(&&**line);
    assert!(!told.iter().any(given_up), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_concerns_its_own_supervisor_alone() {
    let (log, system) = (Log::new(), System::new());
    let child = watched(Script::plain(&log), "a");
    let address = child.address();
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).intensity(0, secs(1));
    let tree = tree.child(Supervisor::new("inner").child(child)).child(Script::plain(&log).child("b"));
    let app = tree.start(&system).await.expect("it starts");
    log.take();
    tell(&address, Msg::Hang);
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(log.take(), ["3000 a starts"]);
    assert!(app.shutdown().await.is_clean());
}

/// A start is not watched: what it may take is said apart.
#[tokio::test(start_paused = true)]
async fn an_init_that_hangs_is_for_the_start_timeout() {
    for timeout in [None, Some(secs(30))] {
        let script =
            Script::plain(&Log::new()).with_init(|n| if n == 2 { InitStep::Hang } else { InitStep::Succeed });
        let mut child = watched(script, "a");
        if let Some(timeout) = timeout {
            child = child.start_timeout(timeout);
        }
        let (address, system) = (child.address(), System::new());
        let tree = Supervisor::new("app").intensity(2, secs(60)).child(child);
        let app = tree.start(&system).await.expect("it starts");
        let mut reports = Reports::of(&system);
        tell(&address, Msg::crash());
        sleep(secs(40)).await;
        let again: &[&str] = &[
            "app/a: start failed: the start timed out",
            "app/a: restarting: the start timed out",
            "app/a: started",
        ];
        let told = reports.so_far();
        assert_eq!(told[2..], if timeout.is_some() { again } else { &[] }[..], "{timeout:?}");
        assert!(app.shutdown().await.is_clean());
    }
}
