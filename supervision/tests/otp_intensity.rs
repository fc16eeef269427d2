//! OTP's cases 48 to 67: the restart intensity, restarts that fail, and the reports of a supervisor
//! that gives up.

use std::time::Duration;

use perennial_actors::{ExitReason, ProcessState, System};
use perennial_supervision::{
    Backoff, ChildError, ChildSpec, ChildStart, DynamicSupervisor, Restart, StartChildErrorKind, Strategy,
    SupervisionStats, Supervisor,
};
use tokio::time::sleep;

use crate::support::unit::{
    InitStep, Log, Msg, PERIOD, crash, end, incarnation, only_once, quiet, scripted, scripted_with, shape,
    soon, start,
};

const SECOND: Duration = Duration::from_secs(1);
const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

fn is_shutdown(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Shutdown(_))
}

#[tokio::test(start_paused = true)]
async fn c048_a_supervisor_ends_with_a_shutdown_when_one_restart_more_is_needed_than_it_tolerates() {
    for intensity in [0, 1, 2, 5] {
        let child = scripted("a", &Log::default());
        let address = child.address();
        let (system, app) = start(Supervisor::new("app").intensity(intensity, PERIOD).child(child)).await;
        for restart in 0..intensity {
            end(&address, crash()).await;
            assert_eq!(incarnation(&address).await, restart + 2);
        }
        end(&address, crash()).await;
        assert!(is_shutdown(&soon(app.join()).await), "{intensity} are tolerated, one more is not");
        assert_eq!(SupervisionStats::of(&system).restarts, u64::from(intensity));
        assert!(address.cast(Msg::Panic).is_err(), "no incarnation is due");
    }
}

#[tokio::test(start_paused = true)]
async fn c050_restarts_that_are_longer_ago_than_the_period_do_not_count() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").intensity(1, SECOND).child(child)).await;
    for restart in 2..=5 {
        end(&address, crash()).await;
        assert_eq!(incarnation(&address).await, restart);
        sleep(Duration::from_millis(2_100)).await;
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c051_two_restarts_within_a_period_are_too_many_where_one_is_tolerated() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").intensity(1, SECOND).child(child)).await;
    end(&address, crash()).await;
    sleep(Duration::from_millis(900)).await;
    end(&address, crash()).await;
    assert!(is_shutdown(&soon(app.join()).await));
}

#[tokio::test(start_paused = true)]
async fn c051_restarts_leave_the_window_one_by_one() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").intensity(2, SECOND).child(child)).await;
    for pause in [600, 500, 100] {
        end(&address, crash()).await;
        assert!(app.handle().pid().is_some());
        sleep(Duration::from_millis(pause)).await;
    }
    end(&address, crash()).await;
    assert!(
        is_shutdown(&soon(app.join()).await),
        "of the three before, only the first does not count any more"
    );
}

#[tokio::test(start_paused = true)]
async fn c052_restarts_of_different_children_add_up() {
    let log = Log::default();
    let children = ["a", "b", "c"].map(|id| scripted(id, &log));
    let addresses = children.each_ref().map(|child| child.address());
    let (_, app) = start(Supervisor::new("app").intensity(2, PERIOD).children(children)).await;
    for address in &addresses[..2] {
        end(address, crash()).await;
        assert_eq!(incarnation(address).await, 2);
    }
    end(&addresses[2], crash()).await;
    assert!(is_shutdown(&soon(app.join()).await));
}

#[tokio::test(start_paused = true)]
async fn c053_what_is_done_by_hand_does_not_count() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(0, PERIOD).child(child)).await;
    for n in 2..=6 {
        app.supervisor().terminate_child("a").await.expect("it is stopped");
        app.supervisor().restart_child("a").await.expect("it starts");
        assert_eq!(incarnation(&address).await, n);
    }
    for _ in 0..5 {
        app.supervisor().start_child(scripted("b", &Log::default())).await.expect("it starts");
        app.supervisor().terminate_child("b").await.expect("it is stopped");
        let deleted = app.supervisor().delete_child("b").await.expect("it is stopped");
        assert_eq!(&**deleted.id(), "b");
    }
    assert_eq!(SupervisionStats::of(&system).restarts, 0);
    end(&address, crash()).await;
    assert!(is_shutdown(&soon(app.join()).await));
}

#[tokio::test(start_paused = true)]
async fn c055_a_restart_that_fails_is_tried_again_until_it_succeeds() {
    let child = scripted_with("a", &Log::default(), |n| {
        if matches!(n, 2 | 3) { InitStep::Fail } else { InitStep::Succeed }
    });
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(3, PERIOD).child(child)).await;
    end(&address, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 4"]);
    assert_eq!(SupervisionStats::of(&system).restarts, 3, "every try counts");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c055_a_group_whose_restart_fails_is_tried_again_as_its_strategy_says() {
    for (strategy, after) in [
        (Strategy::OneForAll, ["a 4", "b 4", "c 2"]),
        // The children before the failed one keep running.
        (Strategy::RestForOne, ["a 2", "b 4", "c 2"]),
    ] {
        let log = Log::default();
        let first = scripted("a", &log);
        let address = first.address();
        let failing =
            scripted_with("b", &log, |n| if matches!(n, 2 | 3) { InitStep::Fail } else { InitStep::Succeed });
        let tree = Supervisor::new("app").strategy(strategy).intensity(3, PERIOD);
        let (system, app) = start(tree.child(first).child(failing).child(scripted("c", &log))).await;
        end(&address, crash()).await;
        assert_eq!(shape(app.supervisor()).await, after, "{strategy:?}");
        assert_eq!(SupervisionStats::of(&system).restarts, 3, "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c056_tries_count_also_when_one_has_succeeded_in_the_end() {
    let child =
        scripted_with("a", &Log::default(), |n| if n == 2 { InitStep::Fail } else { InitStep::Succeed });
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").intensity(2, PERIOD).child(child)).await;
    end(&address, crash()).await;
    assert_eq!(incarnation(&address).await, 3);
    end(&address, crash()).await;
    assert!(is_shutdown(&soon(app.join()).await));
}

#[tokio::test(start_paused = true)]
async fn c057_a_restart_that_always_fails_ends_the_supervisor_with_all_of_its_children() {
    const TRY: [&str; 3] = ["start a", "fail b", "stop a: shutdown"];
    let up = ["start a", "start b", "start c", "stop b: failed: on purpose"];
    for (strategy, after) in [
        (Strategy::OneForOne, vec!["fail b", "fail b", "fail b", "stop c: shutdown", "stop a: shutdown"]),
        (Strategy::RestForOne, vec!["stop c: shutdown", "fail b", "fail b", "fail b", "stop a: shutdown"]),
        (Strategy::OneForAll, [&["stop c: shutdown", "stop a: shutdown"][..], &TRY, &TRY, &TRY].concat()),
    ] {
        let log = Log::default();
        let failing = scripted_with("b", &log, only_once);
        let address = failing.address();
        let tree = Supervisor::new("app").strategy(strategy).intensity(3, PERIOD).child(scripted("a", &log));
        let (_, app) = start(tree.child(failing).child(scripted("c", &log))).await;
        let down = app.handle().monitor();
        end(&address, crash()).await;
        assert!(is_shutdown(&soon(down).await.reason), "{strategy:?}");
        assert_eq!(log.take(), [&up[..], &after].concat(), "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c057_a_dynamic_child_whose_restart_always_fails_ends_its_supervisor_too() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").intensity(3, PERIOD).start(&system).await.expect("it starts");
    let failing = scripted_with("b", &log, only_once);
    let address = failing.address();
    app.supervisor().start_child(scripted("a", &log)).await.expect("it starts");
    app.supervisor().start_child(failing).await.expect("it starts");
    log.take();
    end(&address, crash()).await;
    assert!(is_shutdown(&soon(app.join()).await));
    assert_eq!(log.take()[1..], ["fail b", "fail b", "fail b", "stop a: shutdown"]);
    assert_eq!(address.state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn c060_a_child_that_declines_its_restart_stays_down_and_is_not_tried_again() {
    for (strategy, after) in [
        (Strategy::OneForOne, ["a stopped", "b 1"]),
        (Strategy::OneForAll, ["a stopped", "b 2"]),
        (Strategy::RestForOne, ["a stopped", "b 2"]),
    ] {
        let log = Log::default();
        let child = scripted_with("a", &log, |n| if n == 2 { InitStep::Ignore } else { InitStep::Succeed });
        let address = child.address();
        let tree = Supervisor::new("app").strategy(strategy).child(child).child(scripted("b", &log));
        let (system, app) = start(tree).await;
        end(&address, crash()).await;
        assert_eq!(shape(app.supervisor()).await, after, "{strategy:?}");
        assert_eq!(SupervisionStats::of(&system).restarts, 1, "{strategy:?}: it counts once");
        let again = app.supervisor().restart_child("a").await.expect("it is kept");
        assert!(matches!(again, ChildStart::Started(pid) if pid.incarnation() == 3), "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c063_to_stop_a_child_that_is_being_restarted_stops_the_restart_of_its_group() {
    let log = Log::default();
    let hanging =
        scripted_with("b", &log, |n| if n == 2 { InitStep::FailAfter(SECOND) } else { InitStep::Succeed });
    let address = hanging.address();
    let tree = Supervisor::new("app").strategy(Strategy::RestForOne).intensity(9, PERIOD);
    let (system, app) =
        start(tree.child(scripted("a", &log)).child(hanging).child(scripted("c", &log))).await;
    let supervisor = app.supervisor();
    end(&address, crash()).await;
    assert_eq!(shape(supervisor).await, ["a 1", "b restarting", "c waiting"]);
    supervisor.terminate_child("b").await.expect("it is stopped");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shape(supervisor).await, ["a 1", "b stopped", "c stopped"]);
    supervisor.restart_child("b").await.expect("it starts");
    assert_eq!(shape(supervisor).await, ["a 1", "b 3", "c stopped"]);
    assert_eq!(SupervisionStats::of(&system).restarts, 1, "it was not tried again");
    supervisor.restart_child("c").await.expect("it starts");
    assert_eq!(shape(supervisor).await, ["a 1", "b 3", "c 2"]);
    assert!(app.shutdown().await.is_clean());
}

/// The same of a child that waits between two tries.
#[tokio::test(start_paused = true)]
async fn c063_a_child_that_waits_for_its_next_try_is_restarting_until_it_is_stopped() {
    for (strategy, c, after) in
        [(Strategy::OneForOne, "c 1", "c 1"), (Strategy::RestForOne, "c waiting", "c stopped")]
    {
        let log = Log::default();
        let failing = scripted_with("b", &log, |n| if n == 2 { InitStep::Fail } else { InitStep::Succeed });
        let failing = failing.backoff(Backoff::new(10 * SECOND, 100 * SECOND));
        let address = failing.address();
        let tree = Supervisor::new("app").strategy(strategy).intensity(9, PERIOD).child(scripted("a", &log));
        let (system, app) = start(tree.child(failing).child(scripted("c", &log))).await;
        let supervisor = app.supervisor();
        end(&address, crash()).await;
        sleep(11 * SECOND).await;
        assert_eq!(shape(supervisor).await, ["a 1", "b restarting", c], "{strategy:?}");
        assert!(matches!(supervisor.restart_child("b").await, Err(ChildError::Restarting)));
        assert!(matches!(supervisor.delete_child("b").await, Err(ChildError::Restarting)));
        let again = supervisor.start_child(scripted("b", &log)).await.expect_err("it is there");
        assert!(matches!(again.kind, StartChildErrorKind::AlreadyPresent), "{again}");
        supervisor.terminate_child("b").await.expect("it is stopped");
        sleep(1_000 * SECOND).await;
        assert_eq!(shape(supervisor).await, ["a 1", "b stopped", after], "{strategy:?}");
        supervisor.restart_child("b").await.expect("it starts");
        assert_eq!(shape(supervisor).await, ["a 1", "b 3", after], "{strategy:?}");
        assert_eq!(SupervisionStats::of(&system).restarts, 2, "{strategy:?}: by hand does not count");
        assert!(app.shutdown().await.is_clean());
    }
}

/// No time passes between the tries: a stop that could not interrupt them would find the supervisor
/// ended.
#[tokio::test(start_paused = true)]
async fn c063_requests_get_in_between_the_tries_of_a_restart_that_fails_at_once() {
    for strategy in STRATEGIES {
        let log = Log::default();
        let failing = scripted_with("b", &log, only_once);
        let address = failing.address();
        let tree = Supervisor::new("app").strategy(strategy).intensity(2_000, PERIOD);
        let (system, app) =
            start(tree.child(scripted("a", &log)).child(failing).child(scripted("c", &log))).await;
        let supervisor = app.supervisor();
        address.cast(Msg::Panic).expect("it is served");
        while SupervisionStats::of(&system).restarts < 10 {
            assert!(app.handle().pid().is_some(), "{strategy:?}: it goes on trying");
            tokio::task::yield_now().await;
        }
        supervisor.terminate_child("b").await.expect("it gets in between");
        let tries = SupervisionStats::of(&system).restarts;
        quiet().await;
        assert_eq!(SupervisionStats::of(&system).restarts, tries, "{strategy:?}: it was not tried again");
        let counts = supervisor.count_children().await.expect("it lives");
        assert_eq!(counts.specs, 3, "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// To the supervisor above, one that gives up has ended in order.
#[tokio::test(start_paused = true)]
async fn c066_a_supervisor_that_gave_up_is_restarted_with_fresh_children_if_it_is_permanent() {
    for (restart, after) in [
        (Restart::Permanent, vec!["inner 2", "sibling 1"]),
        (Restart::Transient, vec!["inner stopped", "sibling 1"]),
        (Restart::Temporary, vec!["sibling 1"]),
    ] {
        let log = Log::default();
        let (a, b) = (scripted("a", &log), scripted("b", &log));
        let (crashing, other) = (a.address(), b.address());
        let inner = Supervisor::new("inner").intensity(0, PERIOD).restart(restart).child(a).child(b);
        let supervisor = inner.handle();
        let (system, app) = start(Supervisor::new("app").child(inner).child(scripted("sibling", &log))).await;
        let down = supervisor.handle().monitor();
        end(&crashing, crash()).await;
        assert!(is_shutdown(&soon(down).await.reason));
        assert_eq!(shape(app.supervisor()).await, after, "{restart:?}");
        assert_eq!(SupervisionStats::of(&system).escalations, 1);
        if restart == Restart::Permanent {
            assert_eq!(SupervisionStats::of(&system).restarts, 1, "it counts for the one above");
            assert_eq!(shape(&supervisor).await, ["a 2", "b 2"]);
        } else {
            assert!(other.cast(Msg::Panic).is_err(), "{restart:?}: no incarnation is due");
        }
        assert!(log.take().contains(&"stop b: shutdown".to_owned()));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c067_a_supervisor_that_is_killed_is_restarted_when_its_children_are_dead() {
    let log = Log::default();
    let (fixed, dynamic) = (Supervisor::new("fixed"), DynamicSupervisor::new("dynamic"));
    let (child, session) = (scripted("child", &log), scripted("session", &log));
    let (handle, sessions) = (fixed.handle(), dynamic.handle());
    let children = [ChildSpec::from(fixed.child(child)), dynamic.into()];
    let (_, app) = start(Supervisor::new("app").intensity(2, PERIOD).children(children)).await;
    sessions.start_child(session).await.expect("it starts");
    log.take();
    handle.handle().kill().expect("it lives");
    quiet().await;
    assert_eq!(log.take(), ["stop child: killed", "start child"]);
    sessions.handle().kill().expect("it lives");
    quiet().await;
    assert_eq!(log.take(), ["stop session: killed"]);
    assert_eq!(shape(app.supervisor()).await, ["fixed 2", "dynamic 2"]);
    assert_eq!(shape(&handle).await, ["child 2"]);
    assert_eq!(sessions.count_children().await.expect("it lives").specs, 0);
    assert!(app.shutdown().await.is_clean());
}
