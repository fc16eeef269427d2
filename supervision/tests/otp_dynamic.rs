//! OTP's `simple_one_for_one` and Elixir's `DynamicSupervisor`, case by case.

use std::time::Duration;

use perennial_actors::{ExitReason, Pid, System};
use perennial_supervision::{
    App, Backoff, ChildCounts, ChildKind, ChildPolicy, ChildStart, DynamicHandle, DynamicSupervisor, Restart,
    Shutdown, SpecError, StartChildErrorKind, SupervisionStats, Supervisor,
};
use tokio::time::Instant;

use crate::support::worker::{
    HOUR, InitStep, Log, Msg, SECOND, Script, crash, end, exit_of, incarnation, pid, quiet, refused, shown,
    start, tolerant, worker,
};

const NOT_FOUND: &str = "the supervisor has no such child";

async fn dynamic(supervisor: DynamicSupervisor) -> (System, App<DynamicHandle>) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app)
}

/// So many restarts are never needed here.
fn pool() -> DynamicSupervisor {
    DynamicSupervisor::new("pool").intensity(1_000_000, SECOND)
}

async fn children(app: &App<DynamicHandle>) -> Vec<String> {
    shown(&app.supervisor().which_children().await.expect("it lives"))
}

#[tokio::test(start_paused = true)]
async fn c009_a_child_that_declines_to_start_is_not_kept_whatever_its_restart_type() {
    let (log, (system, app)) = (Log::default(), dynamic(pool()).await);
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        let declines = Script::new("a", &log).with_init(|_| InitStep::Ignore).child().restart(restart);
        let address = declines.address();
        let started = app.supervisor().start_child(declines).await.expect("it is no failure");
        assert_eq!(started, ChildStart::Ignored);
        assert!(address.cast(crash()).is_err(), "no incarnation is due");
    }
    assert_eq!(app.supervisor().count_children().await.expect("it lives"), ChildCounts::default());
    let report = app.shutdown().await;
    assert!(report.is_clean() && report.reason.to_string() == "shutdown");
    assert_eq!(SupervisionStats::of(&system), SupervisionStats::default());
}

/// The types have no automatic shutdown for it.
#[tokio::test(start_paused = true)]
async fn c015_a_significant_child_is_refused() {
    let (_, app) = dynamic(pool()).await;
    let child = worker("a", &Log::default()).restart(Restart::Transient).significant();
    let refused = app.supervisor().start_child(child).await.expect_err("it is for nothing");
    assert!(matches!(refused.kind, StartChildErrorKind::Spec(SpecError::SignificantForNothing { .. })));
    let child = worker("a", &Log::default()).restart(Restart::Permanent).significant();
    let refused = app.supervisor().start_child(child).await.expect_err("it is never the case");
    assert!(matches!(refused.kind, StartChildErrorKind::Spec(SpecError::SignificantPermanent { .. })));
}

#[tokio::test(start_paused = true)]
async fn c044_of_two_children_the_one_that_crashes_is_restarted_from_the_same_arguments() {
    let (system, app) = dynamic(pool()).await;
    let template = app.supervisor().template(|id: String| worker(id, &Log::default()));
    let a = template.start_child("a".to_owned()).await.expect("it starts");
    let b = template.start_child("b".to_owned()).await.expect("it starts");
    end(&a, ExitReason::failed("on purpose")).await;
    assert_eq!((incarnation(&a).await, incarnation(&b).await), (2, 1));
    assert_eq!(a.call(Msg::Id).await.expect("it answers"), "a");
    assert_eq!(children(&app).await, ["b running", "a running"]);
    assert_eq!(SupervisionStats::of(&system).restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn c045_what_a_child_was_started_with_it_is_restarted_with() {
    let (_, app) = dynamic(pool()).await;
    let template = app
        .supervisor()
        .template(|(common, own): (&str, u32)| worker(format!("{common} {own}"), &Log::default()));
    for own in 1..=3 {
        let address = template.start_child(("of all", own)).await.expect("it starts");
        for n in 1..=3 {
            assert_eq!(incarnation(&address).await, n);
            assert_eq!(address.call(Msg::Id).await.expect("it answers"), format!("of all {own}"));
            end(&address, ExitReason::Killed).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c046_a_child_that_declines_its_restart_is_gone() {
    let (log, (_, app)) = (Log::default(), dynamic(pool()).await);
    let init = |n| if n == 2 { InitStep::Ignore } else { InitStep::Succeed };
    let child = Script::new("a", &log).with_init(init).child();
    let address = child.address();
    app.supervisor().start_child(child).await.expect("it starts");
    end(&address, ExitReason::failed("on purpose")).await;
    quiet().await;
    assert_eq!(app.supervisor().count_children().await.expect("it lives"), ChildCounts::default());
    assert!(address.cast(crash()).is_err(), "no incarnation is due");
    let report = app.shutdown().await;
    assert!(report.is_clean() && report.reason.to_string() == "shutdown");
}

#[tokio::test(start_paused = true)]
async fn c161_there_are_as_many_children_as_there_may_be_and_those_being_restarted_count() {
    let (log, (_, app)) = (Log::default(), dynamic(pool().max_children(2)).await);
    let child = |id: &str| worker(id, &log).backoff(Backoff::new(HOUR, HOUR));
    let first = child("a");
    let address = first.address();
    let supervisor = app.supervisor();
    supervisor.start_child(first).await.expect("it starts");
    let second = supervisor.start_child(child("b")).await.expect("it starts").pid().expect("it has");
    end(&address, ExitReason::failed("on purpose")).await;
    assert_eq!(children(&app).await, ["b running", "a restarting"]);
    let refused = supervisor.start_child(child("c")).await.expect_err("there is no room");
    assert!(matches!(refused.kind, StartChildErrorKind::MaxChildren), "{refused}");
    supervisor.terminate_child(second).await.expect("it is stopped");
    supervisor.start_child(refused.child).await.expect("there is room now");
    assert!(supervisor.start_child(child("d")).await.is_err(), "and none is left");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_start_or_has_ended_for_good_takes_no_room() {
    let (log, (_, app)) = (Log::default(), dynamic(pool().max_children(1)).await);
    for init in [InitStep::Fail, InitStep::Panic, InitStep::Ignore] {
        let child = Script::new("a", &log).with_init(move |_| init.clone()).child();
        assert!(!matches!(app.supervisor().start_child(child).await, Ok(ChildStart::Started(_))));
    }
    let ends = worker("b", &log).restart(Restart::Transient);
    let address = ends.address();
    app.supervisor().start_child(ends).await.expect("there is room");
    end(&address, ExitReason::Normal).await;
    quiet().await;
    app.supervisor().start_child(worker("c", &log)).await.expect("there is room again");
    let (_, none) = dynamic(pool().max_children(0)).await;
    let refused = none.supervisor().start_child(worker("d", &log)).await.expect_err("there is none");
    assert!(matches!(refused.kind, StartChildErrorKind::MaxChildren));
}

#[tokio::test(start_paused = true)]
async fn c162_a_start_tells_what_came_of_it_and_keeps_only_what_runs() {
    let (log, (_, app)) = (Log::default(), dynamic(pool()).await);
    let child = |init: InitStep| Script::new("a", &log).with_init(move |_| init.clone()).child();
    let supervisor = app.supervisor();
    assert_eq!(supervisor.start_child(child(InitStep::Ignore)).await.expect("fine"), ChildStart::Ignored);
    let failed = supervisor.start_child(child(InitStep::Fail)).await.expect_err("it fails");
    assert!(matches!(failed.kind, StartChildErrorKind::Failed(ExitReason::Failed(_))), "{failed}");
    let panicked = supervisor.start_child(child(InitStep::Panic)).await.expect_err("it fails");
    assert!(matches!(panicked.kind, StartChildErrorKind::Failed(ExitReason::Panicked(_))), "{panicked}");
    let started =
        supervisor.start_child(child(InitStep::Succeed)).await.expect("fine").pid().expect("it has");
    let listed = supervisor.which_children().await.expect("it lives");
    assert_eq!(listed.iter().map(|child| child.pid).collect::<Vec<_>>(), [Some(started)]);
    let nested = Supervisor::new("nested").child(worker("b", &log));
    let nested = supervisor.start_child(nested).await.expect("fine").pid().expect("it has");
    let counts = supervisor.count_children().await.expect("it lives");
    assert_eq!((counts.specs, counts.active, counts.workers, counts.supervisors), (2, 2, 1, 1));
    let policy = supervisor.get_childspec(nested).await.expect("it is there");
    assert_eq!((policy.kind, policy.shutdown), (ChildKind::Supervisor, Shutdown::Infinity));
    let mut usual = ChildPolicy::default();
    usual.restart = Restart::Transient;
    assert_eq!(supervisor.get_childspec(started).await.expect("it is there"), usual);
    assert_eq!(policy.restart, Restart::Permanent);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c163_what_a_restart_comes_to_decides_whether_the_child_is_kept() {
    for (init, left) in [
        (InitStep::Succeed, vec!["a running"]),
        (InitStep::Ignore, vec![]),
        (InitStep::Fail, vec!["a restarting"]),
        (InitStep::Panic, vec!["a restarting"]),
    ] {
        let (log, (system, app)) = (Log::default(), dynamic(pool()).await);
        let init = move |n| if n == 1 { InitStep::Succeed } else { init.clone() };
        // The delay is for the test, to find it between two tries.
        let backoff = Backoff::new(SECOND, SECOND);
        let child = Script::new("a", &log).with_init(init).child().backoff(backoff);
        let address = child.address();
        app.supervisor().start_child(child).await.expect("it starts");
        end(&address, ExitReason::failed("on purpose")).await;
        tokio::time::sleep(3500 * SECOND / 1000).await;
        assert_eq!(children(&app).await, left);
        let tries = if left == ["a restarting"] { 4 } else { 1 };
        assert_eq!(SupervisionStats::of(&system).restarts, tries, "every try counts: {left:?}");
        assert_eq!(address.cast(Msg::EndLater(SECOND, ExitReason::Normal)).is_ok(), !left.is_empty());
        let report = app.shutdown().await;
        // The message of a child that is not up is dropped.
        assert!(report.unstopped.is_empty() && report.dropped_messages <= 1, "{report}");
    }
}

/// Starts a child whose restarts fail. Returns its first pid after so many restarts.
async fn restarting(app: &App<DynamicHandle>, tries: u32) -> Pid {
    let init = |n| if n == 1 { InitStep::Succeed } else { InitStep::Fail };
    let child =
        Script::new("a", &Log::default()).with_init(init).child().backoff(Backoff::new(SECOND, SECOND));
    let address = child.address();
    let known = app.supervisor().start_child(child).await.expect("it starts").pid().expect("it has");
    end(&address, ExitReason::failed("on purpose")).await;
    tokio::time::sleep(tries * SECOND + SECOND / 2).await;
    assert_eq!(children(app).await, ["a restarting"]);
    known
}

#[tokio::test(start_paused = true)]
async fn c164_a_child_that_is_being_restarted_is_stopped_by_the_pid_that_it_had() {
    for tries in [0, 1, 3] {
        let (_, app) = dynamic(pool()).await;
        let known = restarting(&app, tries).await;
        assert_eq!(
            app.supervisor().get_childspec(known).await.expect("it is there").restart,
            Restart::Transient
        );
        app.supervisor().terminate_child(known).await.expect("it is known by that");
        assert_eq!(refused(app.supervisor().terminate_child(known).await), NOT_FOUND);
        assert_eq!(app.supervisor().count_children().await.expect("it lives"), ChildCounts::default());
        tokio::time::sleep(HOUR).await;
        assert!(children(&app).await.is_empty(), "nothing resurrects it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_being_restarted_is_stopped_by_the_pid_that_is_listed_too() {
    let (_, app) = dynamic(pool()).await;
    restarting(&app, 2).await;
    let listed = app.supervisor().which_children().await.expect("it lives")[0].pid.expect("it has");
    app.supervisor().terminate_child(listed).await.expect("it is known by that");
    assert!(children(&app).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_is_stopped_by_the_pid_of_any_of_its_incarnations() {
    for restarts in [0, 1, 5] {
        let (_, app) = dynamic(pool()).await;
        let template = app.supervisor().template(|id: String| worker(id, &Log::default()));
        let address = template.start_child("a".to_owned()).await.expect("it starts");
        let beside = template.start_child("b".to_owned()).await.expect("it starts");
        let first = pid(&address).await;
        for _ in 0..restarts {
            end(&address, ExitReason::failed("on purpose")).await;
        }
        assert_eq!(incarnation(&address).await, restarts + 1);
        app.supervisor().terminate_child(first).await.expect("it is known by that");
        assert!(address.cast(crash()).is_err(), "no incarnation is due");
        assert_eq!((incarnation(&beside).await, children(&app).await), (1, vec!["b running".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn c165_what_all_children_are_given_comes_first_at_every_start() {
    let (log, (_, app)) = (Log::default(), dynamic(pool()).await);
    let common = "extra";
    let given = log.clone();
    let template = app.supervisor().template(move |own: &str| worker(format!("{common} {own}"), &given));
    let address = template.start_child("a").await.expect("it starts");
    end(&address, ExitReason::Killed).await;
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(log.take(), ["start extra a", "start extra a"]);
}

#[tokio::test(start_paused = true)]
async fn c166_children_stop_all_at_once_and_each_in_its_own_way() {
    let (log, (_, app)) = (Log::default(), dynamic(pool()).await);
    let lingers = |id: &str, seconds: u32| Script::new(id, &log).with_slow_stop(seconds * SECOND).child();
    let mut downs = Vec::new();
    for (child, reason) in [
        (lingers("brutal", 60).shutdown(Shutdown::BrutalKill), "killed"),
        (lingers("late", 60).shutdown(Shutdown::Timeout(2 * SECOND)), "killed"),
        (lingers("usual", 4), "shutdown"),
        (lingers("long", 8).shutdown(Shutdown::Timeout(10 * SECOND)), "shutdown"),
        (lingers("patient", 30).shutdown(Shutdown::Infinity), "shutdown"),
        (worker("plain", &log), "shutdown"),
    ] {
        downs.push((child.address().clone(), reason));
        app.supervisor().start_child(child).await.expect("it starts");
    }
    let nested = Supervisor::new("nested").child(lingers("deep", 3)).child(lingers("deeper", 3));
    app.supervisor().start_child(nested).await.expect("it starts");
    let downs: Vec<_> = downs.into_iter().map(|(address, reason)| (address.monitor(), reason)).collect();
    log.take();
    let began = Instant::now();
    let report = app.shutdown().await;
    let took = began.elapsed();
    assert!(took >= 30 * SECOND && took < 31 * SECOND, "as long as the longest, and no longer: {took:?}");
    assert_eq!(report.unstopped.iter().map(|child| &*child.path).collect::<Vec<_>>(), ["pool/late"]);
    for (down, reason) in downs {
        assert_eq!(exit_of(down).await, reason);
    }
    let told = ["stop plain", "stop deeper", "stop usual", "stop deep", "stop long", "stop patient"];
    assert_eq!(log.take(), told);
}

#[tokio::test(start_paused = true)]
async fn every_child_that_is_late_is_told_of_also_if_all_have_one_name_for_people() {
    let (_, app) = dynamic(pool()).await;
    let late = |(): ()| Script::new("session", &Log::default()).with_slow_stop(HOUR).child();
    let sessions = app.supervisor().template(late);
    for _ in 0..3 {
        sessions.start_child(()).await.expect("it starts");
    }
    let late = app.shutdown().await.unstopped;
    assert_eq!(late.iter().map(|child| &*child.path).collect::<Vec<_>>(), ["pool/session"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_late_child_that_was_removed_before_the_tree_stops_is_not_reported() {
    let (_, app) = dynamic(pool()).await;
    let late = |id: &'static str| Script::new(id, &Log::default()).with_slow_stop(HOUR).child();
    let gone = app.supervisor().start_child(late("gone")).await.expect("it starts").pid().expect("it has");
    app.supervisor().start_child(late("here")).await.expect("it starts");
    app.supervisor().terminate_child(gone).await.expect("it is stopped");
    let late = app.shutdown().await.unstopped;
    assert_eq!(late.iter().map(|child| &*child.path).collect::<Vec<_>>(), ["pool/here"]);
}

#[tokio::test(start_paused = true)]
async fn c100_ten_thousand_children_come_and_go_and_none_is_left() {
    const CHILDREN: u32 = 10_000;
    let log = Log::default();
    let pool = pool().restart(Restart::Transient);
    let handle = pool.handle();
    let (system, app) = start(tolerant("app").child(pool)).await;
    let child =
        |n: u32| Script::new("one", &Log::default()).with_slow_stop(Duration::from_millis(n.into())).child();
    let template = handle.template(child);
    let mut addresses = Vec::new();
    for n in 0..CHILDREN {
        addresses.push(template.start_child(n % 1000).await.expect("it starts"));
    }
    assert_eq!(handle.count_children().await.expect("it lives").active, CHILDREN as usize);
    for address in addresses.iter().step_by(3) {
        address.cast(crash()).expect("it is served");
    }
    for address in addresses.iter().step_by(4) {
        let pid = pid(address).await;
        handle.terminate_child(pid).await.expect("it is stopped");
    }
    let left = (CHILDREN - CHILDREN / 4) as usize;
    assert_eq!(handle.count_children().await.expect("it lives").active, left);
    let began = Instant::now();
    assert!(app.shutdown().await.is_clean());
    assert!(began.elapsed() < 2 * SECOND, "all at once");
    assert!(addresses.iter().all(|address| address.cast(crash()).is_err()), "all are gone");
    assert!(system.processes().iter().all(|process| process.pid().is_none()), "no process is left");
    assert!(system.counters().is_balanced());
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_that_gives_up_begins_anew_without_children() {
    let log = Log::default();
    let pool = DynamicSupervisor::new("pool").intensity(1, SECOND);
    let handle = pool.handle();
    let (_, app) = start(tolerant("app").child(pool)).await;
    let template = handle.template(|id: String| worker(id, &Log::default()));
    let a = template.start_child("a".to_owned()).await.expect("it starts");
    let b = template.start_child("b".to_owned()).await.expect("it starts");
    let down = handle.handle().monitor();
    end(&a, ExitReason::failed("on purpose")).await;
    end(&b, ExitReason::failed("on purpose")).await;
    assert_eq!(exit_of(down).await, "shutdown: reached the maximum restart intensity");
    quiet().await;
    assert!(handle.which_children().await.expect("it lives").is_empty());
    assert!(a.cast(crash()).is_err() && b.cast(crash()).is_err(), "no incarnation is due");
    let again = template.start_child("a".to_owned()).await.expect("it starts");
    assert_eq!(incarnation(&again).await, 1, "it is another one");
    handle.start_child(worker("c", &log)).await.expect("it starts");
    handle.handle().kill().expect("it lives");
    quiet().await;
    assert!(again.cast(crash()).is_err(), "no incarnation is due");
    assert!(handle.which_children().await.expect("it lives").is_empty());
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["start c"], "killed with it");
}
