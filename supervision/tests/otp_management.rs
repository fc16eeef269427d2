//! OTP's cases of section G: what may be asked of a supervisor, and what it answers.

use perennial_actors::{ExitReason, System};
use perennial_supervision::{
    Backoff, ChildCounts, ChildError, ChildStart, ChildState, DynamicSupervisor, Restart, Shutdown,
    StartChildErrorKind, Strategy, SupervisionStats, Supervisor, SupervisorHandle,
};

use crate::support::worker;
use crate::support::worker::{
    HOUR, InitStep, Log, SECOND, Script, crash, end, gate, incarnation, pid, quiet, refused, shown, start,
    tolerant, tree_exit, worker,
};

const RUNS: &str = "the child is running";
const RESTARTS: &str = "the child is being restarted";
const NOT_FOUND: &str = "the supervisor has no such child";
const GONE: &str = "the supervisor has ended or is shutting down";
const PRESENT: &str = "child \"a\": a child with this id already exists";

#[tokio::test(start_paused = true)]
async fn c090_a_second_child_of_an_id_is_told_whether_the_first_runs_or_is_only_there() {
    let log = Log::default();
    let first = worker("a", &log).restart(Restart::Transient).backoff(Backoff::new(HOUR, HOUR));
    let address = first.address();
    let (_, app) = start(tolerant("app").child(first)).await;
    let supervisor = app.supervisor();
    let first = pid(&address).await;
    let running = supervisor.start_child(worker("a", &log)).await.expect_err("it runs");
    assert!(matches!(running.kind, StartChildErrorKind::AlreadyStarted(pid) if pid == first), "{running}");
    end(&address, ExitReason::failed("on purpose")).await;
    let restarting = supervisor.start_child(running.child).await.expect_err("it is being restarted");
    assert_eq!(restarting.to_string(), PRESENT);
    assert!(matches!(restarting.kind, StartChildErrorKind::AlreadyPresent));
    supervisor.terminate_child("a").await.expect("it is stopped");
    let stopped = supervisor.start_child(restarting.child).await.expect_err("it is there");
    assert_eq!(stopped.to_string(), PRESENT);
    supervisor.restart_child("a").await.expect("it starts");
    end(&address, ExitReason::Normal).await;
    let ended = supervisor.start_child(stopped.child).await.expect_err("it is there");
    assert_eq!(ended.to_string(), PRESENT, "a transient one that ended well is kept");
    drop(supervisor.delete_child("a").await.expect("it is down"));
    supervisor.start_child(ended.child).await.expect("the id is free");
    assert_eq!(log.take(), ["start a", "stop a: failed: on purpose", "start a", "stop a: normal", "start a"]);
}

#[tokio::test(start_paused = true)]
async fn c091_to_stop_a_child_twice_is_to_stop_it_once_and_one_that_is_not_there_is_not_found() {
    let log = Log::default();
    let tree =
        Supervisor::new("app").child(worker("a", &log)).child(worker("t", &log).restart(Restart::Temporary));
    let (_, app) = start(tree).await;
    let supervisor = app.supervisor();
    supervisor.terminate_child("a").await.expect("it is stopped");
    supervisor.terminate_child("a").await.expect("it is stopped already");
    assert_eq!(supervisor.which_child("a").await.expect("it is kept").state, ChildState::Stopped);
    assert_eq!(refused(supervisor.terminate_child("b").await), NOT_FOUND);
    drop(supervisor.delete_child("a").await.expect("it is down"));
    assert_eq!(refused(supervisor.terminate_child("a").await), NOT_FOUND);
    supervisor.terminate_child("t").await.expect("it is stopped");
    assert_eq!(refused(supervisor.terminate_child("t").await), NOT_FOUND, "a temporary one is gone");
    assert_eq!(refused(supervisor.restart_child("t").await), NOT_FOUND);
    assert_eq!(supervisor.count_children().await.expect("it answers"), ChildCounts::default());
}

#[tokio::test(start_paused = true)]
async fn c092_a_child_that_is_not_down_can_neither_be_started_nor_deleted() {
    let log = Log::default();
    let child = worker("a", &log).backoff(Backoff::new(HOUR, HOUR));
    let address = child.address();
    let (_, app) = start(tolerant("app").child(child)).await;
    let supervisor = app.supervisor();
    for (expected, id) in [(RUNS, "a"), (NOT_FOUND, "b")] {
        assert_eq!(refused(supervisor.restart_child(id).await), expected);
        assert_eq!(refused(supervisor.delete_child(id).await), expected);
    }
    assert_eq!(refused(supervisor.which_child("b").await), NOT_FOUND);
    assert_eq!(refused(supervisor.get_childspec("b").await), NOT_FOUND);
    assert_eq!(incarnation(&address).await, 1, "nothing has happened to it");
    end(&address, ExitReason::Killed).await;
    assert_eq!(refused(supervisor.restart_child("a").await), RESTARTS);
    assert_eq!(refused(supervisor.delete_child("a").await), RESTARTS);
    assert_eq!(shown(&[supervisor.which_child("a").await.expect("it is there")]), ["a restarting"]);
    supervisor.terminate_child("a").await.expect("it is stopped");
    let started = supervisor.restart_child("a").await.expect("it starts");
    assert_eq!(started, ChildStart::Started(pid(&address).await));
    assert_eq!(incarnation(&address).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_deleted_is_returned_to_the_caller_with_its_mailbox() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child).child(worker("b", &log))).await;
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    let spec = app.supervisor().delete_child("a").await.expect("it is down");
    assert!(address.cast(crash()).is_err(), "no incarnation is due");
    app.supervisor().start_child(spec).await.expect("it starts");
    assert_eq!(incarnation(&address).await, 2);
    let children = app.supervisor().which_children().await.expect("it answers");
    assert_eq!(shown(&children), ["a running", "b running"], "it is the last now");
}

#[tokio::test(start_paused = true)]
async fn c094_the_pid_of_no_child_is_not_found_and_nothing_happens_to_its_process() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let children = app.supervisor().template(|id: String| worker(id, &Log::default()));
    let child = children.start_child("a".to_owned()).await.expect("it starts");
    let foreign = system.spawn::<worker::Worker>(Script::new("foreign", &log)).await.expect("it starts");
    let stranger = pid(&foreign).await;
    assert_eq!(refused(app.supervisor().terminate_child(stranger).await), NOT_FOUND);
    assert_eq!(refused(app.supervisor().get_childspec(stranger).await), NOT_FOUND);
    assert_eq!((incarnation(&child).await, incarnation(&foreign).await), (1, 1), "both live");
    let gone = pid(&child).await;
    app.supervisor().terminate_child(gone).await.expect("it is stopped");
    // As Elixir has it; OTP says that it is done already.
    assert_eq!(refused(app.supervisor().terminate_child(gone).await), NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn c095_a_child_that_is_being_restarted_counts_but_is_not_active() {
    let system = System::new();
    let app = DynamicSupervisor::new("app").intensity(10, SECOND).start(&system).await.expect("it starts");
    let children =
        app.supervisor().template(|id: String| worker(id, &Log::default()).backoff(Backoff::new(HOUR, HOUR)));
    let mut addresses = Vec::new();
    for id in ["a", "b", "c"] {
        addresses.push(children.start_child(id.to_owned()).await.expect("it starts"));
    }
    end(&addresses[1], ExitReason::Killed).await;
    let counts = app.supervisor().count_children().await.expect("it answers");
    assert_eq!((counts.specs, counts.active, counts.workers, counts.supervisors), (3, 2, 3, 0));
    let all = app.supervisor().which_children().await.expect("it answers");
    assert_eq!(shown(&all), ["c running", "b restarting", "a running"]);
}

async fn everything_is_refused(supervisor: &SupervisorHandle) {
    assert_eq!(refused(supervisor.which_children().await), GONE);
    assert_eq!(refused(supervisor.which_child("a").await), GONE);
    assert_eq!(refused(supervisor.count_children().await), GONE);
    assert_eq!(refused(supervisor.get_childspec("a").await), GONE);
    assert_eq!(refused(supervisor.terminate_child("a").await), GONE);
    assert_eq!(refused(supervisor.restart_child("a").await), GONE);
    assert_eq!(refused(supervisor.delete_child("a").await), GONE);
    assert_eq!(refused(supervisor.change(Supervisor::new("app")).await), GONE);
    let child = supervisor.start_child(worker("x", &Log::default())).await.expect_err("it is gone");
    assert!(matches!(child.kind, StartChildErrorKind::ShuttingDown));
    assert_eq!(&**child.child.id(), "x", "the spec comes back");
}

#[tokio::test(start_paused = true)]
async fn c096_whatever_is_asked_of_a_supervisor_that_is_gone_is_refused_at_once() {
    let system = System::new();
    let tree = Supervisor::new("app").child(worker("a", &Log::default()));
    let handle = tree.handle();
    everything_is_refused(&handle).await;
    let app = tree.start(&system).await.expect("it starts");
    assert_eq!(handle.count_children().await.expect("it lives").active, 1);
    app.handle().kill().expect("it lives");
    tree_exit(&app).await;
    everything_is_refused(&handle).await;

    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let some = system.spawn::<worker::Worker>(Script::new("some", &Log::default())).await.expect("it starts");
    let some = some.pid().expect("it lives");
    assert!(app.shutdown().await.is_clean());
    assert_eq!(refused(app.supervisor().which_children().await), GONE);
    assert_eq!(refused(app.supervisor().count_children().await), GONE);
    assert_eq!(refused(app.supervisor().get_childspec(some).await), GONE);
    assert_eq!(refused(app.supervisor().terminate_child(some).await), GONE);
    let child = app.supervisor().start_child(worker("x", &Log::default())).await.expect_err("it is gone");
    assert!(matches!(child.kind, StartChildErrorKind::ShuttingDown));
}

#[tokio::test(start_paused = true)]
async fn c097_a_child_that_does_not_start_by_hand_stays_down_and_is_not_tried_again() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for init in [InitStep::Fail, InitStep::Panic] {
            let log = Log::default();
            let init = move |n| if n == 2 { init.clone() } else { InitStep::Succeed };
            let child = Script::new("a", &log).with_init(init).child();
            let (address, beside) = (child.address(), worker("b", &log));
            let tree = Supervisor::new("app").intensity(0, SECOND).strategy(strategy);
            let (system, app) = start(tree.child(child).child(beside)).await;
            app.supervisor().terminate_child("a").await.expect("it is stopped");
            let failed = app.supervisor().restart_child("a").await.expect_err("it fails");
            assert!(matches!(&failed, ChildError::StartFailed(why) if why.is_abnormal()), "{failed}");
            assert!(failed.to_string().ends_with("no such luck"), "{failed}");
            quiet().await;
            let children = app.supervisor().which_children().await.expect("it lives");
            assert_eq!(shown(&children), ["b running", "a stopped"], "{strategy:?}");
            assert!(address.cast(crash()).is_err(), "no incarnation is due");
            assert_eq!(SupervisionStats::of(&system).restarts, 0, "by hand does not count");
            app.supervisor().restart_child("a").await.expect("it starts");
            assert_eq!(incarnation(&address).await, 3);
            assert!(app.shutdown().await.is_clean());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c099_a_start_by_hand_is_done_when_the_init_is_and_not_before() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let (log, gate) = (Log::default(), gate());
        let (_, app) = start(Supervisor::new("app").strategy(strategy).child(worker("a", &log))).await;
        let waits = gate.clone();
        let slow = Script::new("slow", &log).with_init(move |_| InitStep::WaitFor(waits.clone())).child();
        let supervisor = app.supervisor().clone();
        let slow = tokio::spawn(async move { supervisor.start_child(slow).await });
        tokio::time::sleep(HOUR).await;
        let supervisor = app.supervisor().clone();
        let quick = worker("quick", &log);
        let quick = tokio::spawn(async move { supervisor.start_child(quick).await });
        quiet().await;
        assert!(!slow.is_finished());
        // Where siblings are independent, no request waits for another's init, as it would in OTP.
        assert_eq!(quick.is_finished(), strategy == Strategy::OneForOne, "{strategy:?}");
        gate.add_permits(1);
        slow.await.expect("it ends well").expect("it starts");
        quick.await.expect("it ends well").expect("it starts");
        let children = app.supervisor().which_children().await.expect("it lives");
        assert_eq!(shown(&children), ["quick running", "slow running", "a running"]);
        assert!(app.shutdown().await.is_clean());
        assert_eq!(log.take()[3..], ["stop quick", "stop slow", "stop a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn c100_ten_thousand_children_are_taken_in_and_let_go_one_by_one() {
    const CHILDREN: usize = 10_000;
    let (log, quiet) = (Log::default(), Log::default());
    let (system, app) = start(Supervisor::new("app").child(worker("first", &log))).await;
    let supervisor = app.supervisor();
    for n in 0..CHILDREN {
        let child = worker(n.to_string(), &quiet).restart(Restart::Temporary).shutdown(Shutdown::BrutalKill);
        supervisor.start_child(child).await.expect("it starts");
    }
    assert_eq!(supervisor.count_children().await.expect("it answers").active, CHILDREN + 1);
    for n in 0..CHILDREN {
        supervisor.terminate_child(n.to_string()).await.expect("it is stopped");
    }
    let children = supervisor.which_children().await.expect("it answers");
    assert_eq!(shown(&children), ["first running"]);
    assert!(app.shutdown().await.is_clean());
    assert!(system.processes().iter().all(|process| process.pid().is_none()), "no process is left");
    assert!(system.counters().is_balanced());
}
