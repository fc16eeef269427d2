//! Requests of supervisors at awkward moments: names that are taken, delays, restarts, kills.

use perennial_actors::{Address, CallError, ExitReason, System};
use perennial_registry::{Name, Whereis};
use perennial_supervision::{
    App, Backoff, ChildError, ChildStart, ChildState, DynamicSupervisor, Restart, StartChildErrorKind,
    Strategy, SupervisionStats, Supervisor, SupervisorHandle,
};

use crate::support::worker::{
    Gate, HOUR, InitStep, Log, MINUTE, Msg, SECOND, Script, crash, end, gate, incarnation, pid, quiet,
    refused, shown, start, tolerant, worker,
};

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

const TAKEN: Name<Msg> = Name::new("taken");

/// A child whose first start waits for the gate.
fn gated(id: &str, log: &Log, gate: &Gate) -> perennial_supervision::Child<Msg> {
    let gate = gate.clone();
    Script::new(id, log).with_init(move |_| InitStep::WaitFor(gate.clone())).child()
}

/// A supervisor below a root that restarts it as often as need be.
async fn below(nested: Supervisor) -> (System, App<SupervisorHandle>, SupervisorHandle) {
    let handle = nested.handle();
    let (system, app) = start(tolerant("app").child(nested)).await;
    (system, app, handle)
}

#[tokio::test(start_paused = true)]
async fn a_start_child_whose_spec_comes_back_can_be_started_again_elsewhere() {
    let log = Log::default();
    let child =
        Script::new("a", &log).with_init(|n| if n == 1 { InitStep::Fail } else { InitStep::Succeed }).child();
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").child(worker("a", &log))).await;
    let present = app.supervisor().start_child(child).await.expect_err("the id is taken");
    assert!(matches!(present.kind, StartChildErrorKind::AlreadyStarted(_)));
    assert!(address.cast(crash()).is_err(), "it was not taken in");
    let other = Supervisor::new("other").start(&system).await.expect("it starts");
    let failed = other.supervisor().start_child(present.child).await.expect_err("it fails");
    assert_eq!(failed.to_string(), "child \"a\": the child did not start: failed: no such luck");
    assert!(other.supervisor().which_children().await.expect("it lives").is_empty(), "it was not kept");
    assert!(address.cast(crash()).is_err(), "no incarnation is due");
    let dynamic = DynamicSupervisor::new("dynamic").start(&system).await.expect("it starts");
    let started = dynamic.supervisor().start_child(failed.child).await.expect("it starts");
    assert_eq!(started.pid(), address.pid());
    assert_eq!(incarnation(&address).await, 2);
    assert!(dynamic.shutdown().await.is_clean());
    assert!(address.cast(crash()).is_err(), "no incarnation is due");
}

#[tokio::test(start_paused = true)]
async fn a_nested_supervisor_that_does_not_start_comes_back_as_a_whole() {
    let log = Log::default();
    let failing =
        Script::new("b", &log).with_init(|n| if n == 1 { InitStep::Fail } else { InitStep::Succeed }).child();
    let (a, nested) = (worker("a", &log), Supervisor::new("nested"));
    let (one, other) = (a.address(), failing.address());
    let (_, app) = start(Supervisor::new("app")).await;
    let failed = app.supervisor().start_child(nested.child(a).child(failing)).await.expect_err("it fails");
    assert_eq!(log.take(), ["start a", "stop a"]);
    assert!(one.cast(crash()).is_err() && other.cast(crash()).is_err(), "no incarnation is due");
    app.supervisor().start_child(failed.child).await.expect("it starts");
    assert_eq!((incarnation(&one).await, incarnation(&other).await), (2, 2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_an_error_of_its_own_and_stays_with_its_owner() {
    let (log, quiet_log) = (Log::default(), Log::default());
    let holder = worker("holder", &log).named(TAKEN);
    let held = holder.address();
    let (system, app) = start(Supervisor::new("app").child(holder)).await;
    let rival = worker("rival", &quiet_log).named(TAKEN);
    let address = rival.address();
    let taken = app.supervisor().start_child(rival).await.expect_err("the name is taken");
    assert!(matches!(taken.kind, StartChildErrorKind::Open(_)), "{taken}");
    assert!(address.cast(crash()).is_err(), "no incarnation is due");
    let nested =
        Supervisor::new("nested").child(worker("x", &quiet_log)).child(worker("y", &quiet_log).named(TAKEN));
    let below = app.supervisor().start_child(nested).await.expect_err("the name is taken");
    assert!(matches!(below.kind, StartChildErrorKind::Open(_)), "{below}");
    assert_eq!(quiet_log.take(), [""; 0], "nothing of it was started");
    assert_eq!(system.whereis(TAKEN).expect("it is bound").pid(), held.pid());
    app.supervisor().terminate_child("holder").await.expect("it is stopped");
    app.supervisor().start_child(taken.child).await.expect("the name is free");
    assert_eq!(system.whereis(TAKEN).expect("it is bound").pid(), address.pid());
    let back = app.supervisor().restart_child("holder").await.expect_err("the name is taken now");
    assert!(matches!(back, ChildError::StartFailed(_)), "{back}");
    assert!(held.cast(crash()).is_err(), "no incarnation is due");
    assert_eq!(incarnation(&address).await, 1);
    assert!(app.shutdown().await.is_clean());
    assert!(system.whereis(TAKEN).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_while_it_waits_for_its_restart_is_not_resurrected() {
    for strategy in STRATEGIES {
        let log = Log::default();
        let waits = worker("b", &log).backoff(Backoff::new(SECOND, SECOND));
        let (address, last) = (waits.address(), worker("c", &log));
        let beside = last.address();
        let tree = tolerant("app").strategy(strategy).child(worker("a", &log)).child(waits).child(last);
        let (system, app) = start(tree).await;
        end(&address, ExitReason::failed("on purpose")).await;
        address.cast(crash()).expect("it is due");
        let caller = tokio::spawn({
            let address = address.clone();
            async move { address.call(Msg::Incarnation).await }
        });
        quiet().await;
        assert_eq!(
            app.supervisor().which_child("b").await.expect("it is there").state,
            ChildState::Restarting
        );
        app.supervisor().terminate_child("b").await.expect("it is stopped");
        assert!(matches!(caller.await.expect("it ends well"), Err(CallError::Ended(_, _))), "it is told");
        assert!(address.cast(crash()).is_err(), "no incarnation is due");
        tokio::time::sleep(HOUR).await;
        let children = app.supervisor().which_children().await.expect("it lives");
        assert_eq!(shown(&children), ["c running", "b stopped", "a running"], "{strategy:?}");
        assert_eq!(incarnation(&beside).await, 1, "its siblings have not noticed");
        app.supervisor().restart_child("b").await.expect("it starts, without a delay");
        assert_eq!(incarnation(&address).await, 2);
        assert_eq!(SupervisionStats::of(&system).restarts, 1, "it was counted when it was decided");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_stops_while_a_child_waits_for_its_restart_starts_no_child() {
    let log = Log::default();
    let waits = worker("a", &log).backoff(Backoff::new(HOUR, HOUR));
    let address = waits.address();
    let (_, app) = start(tolerant("app").child(waits)).await;
    end(&address, ExitReason::failed("on purpose")).await;
    log.take();
    let before = tokio::time::Instant::now();
    assert!(app.shutdown().await.is_clean());
    assert!(before.elapsed() < SECOND, "nor waits");
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(log.take(), [""; 0]);
}

/// Ends a supervisor while it starts a child by request and another request waits.
async fn ended_while_it_starts_a_child(strategy: Strategy, kill: bool) {
    let (log, gate) = (Log::default(), gate());
    let nested = Supervisor::new("nested").strategy(strategy).child(worker("a", &log));
    let (system, app, handle) = below(nested).await;
    let children = [gated("slow", &log, &gate), gated("next", &log, &gate)];
    let addresses: Vec<Address<Msg>> = children.iter().map(|child| child.address()).collect();
    let asked: Vec<_> = children
        .into_iter()
        .map(|child| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.start_child(child).await })
        })
        .collect();
    quiet().await;
    let end = if kill { handle.handle().kill() } else { handle.handle().stop(ExitReason::shutdown()) };
    end.expect("it lives");
    let mut back = Vec::new();
    for asked in asked {
        let refused = asked.await.expect("it ends well").expect_err("it is interrupted");
        assert!(matches!(refused.kind, StartChildErrorKind::ShuttingDown), "{strategy:?}, {kill}: {refused}");
        back.push(refused.child);
    }
    quiet().await;
    gate.add_permits(2);
    quiet().await;
    for address in &addresses {
        assert!(address.cast(crash()).is_err() && address.pid().is_none(), "no orphan");
    }
    assert!(!log.take().iter().any(|what| what.ends_with("slow") || what.ends_with("next")), "none was up");
    let children = handle.which_children().await.expect("it was restarted");
    assert_eq!(shown(&children), ["a running"]);
    for child in back {
        handle.start_child(child).await.expect("it starts");
    }
    assert_eq!(incarnation(&addresses[0]).await, 2);
    assert!(app.shutdown().await.is_clean());
    assert!(system.processes().iter().all(|process| process.pid().is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_killed_while_it_starts_a_child_answers_and_leaves_no_orphan() {
    for strategy in STRATEGIES {
        ended_while_it_starts_a_child(strategy, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_stopped_while_it_starts_a_child_answers_and_leaves_no_orphan() {
    for strategy in STRATEGIES {
        ended_while_it_starts_a_child(strategy, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_by_request_may_be_cancelled_where_no_caller_waits_for_it() {
    let (log, gate) = (Log::default(), gate());
    let (_, app) = start(Supervisor::new("app")).await;
    let supervisor = app.supervisor().clone();
    let slow = gated("slow", &log, &gate);
    let asked = tokio::spawn(async move { supervisor.start_child(slow).await });
    quiet().await;
    app.supervisor().terminate_child("slow").await.expect("it is stopped");
    let interrupted = asked.await.expect("it ends well").expect_err("it is stopped");
    assert_eq!(interrupted.to_string(), "child \"slow\": the child did not start: shutdown");
    assert_eq!(refused(app.supervisor().terminate_child("slow").await), "the supervisor has no such child");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_executed_also_if_no_caller_waits_for_the_answer() {
    let (log, gate) = (Log::default(), gate());
    let (_, app) = start(Supervisor::new("app").strategy(Strategy::OneForAll)).await;
    let child = gated("a", &log, &gate);
    let address = child.address();
    let asked = tokio::time::timeout(SECOND, app.supervisor().start_child(child)).await;
    assert!(asked.is_err(), "it was given up");
    gate.add_permits(1);
    assert_eq!(incarnation(&address).await, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_brought_goes_with_its_supervisor_and_one_of_its_spec_stays() {
    for killed in [true, false] {
        let log = Log::default();
        let planned = worker("a", &log);
        let nested = Supervisor::new("nested").intensity(0, SECOND).backoff(Backoff::new(MINUTE, MINUTE));
        let (stays, deep, brought) =
            (planned.address(), worker("deep", &log), worker("b", &log).named(TAKEN));
        let (goes, below_it) = (brought.address(), deep.address());
        let (system, app, handle) = below(nested.child(planned)).await;
        handle.start_child(brought).await.expect("it starts");
        handle.start_child(Supervisor::new("c").child(deep)).await.expect("it starts");
        goes.cast(Msg::EndLater(HOUR, ExitReason::Normal)).expect("it is served");
        let waits = tokio::spawn({
            let goes = goes.clone();
            async move { goes.call(Msg::Incarnation).timeout(2 * MINUTE).await }
        });
        quiet().await;
        if killed {
            handle.handle().kill().expect("it lives");
        } else {
            end(&stays, ExitReason::failed("on purpose")).await;
        }
        // It may be in its handler for five seconds when it is asked to stop.
        tokio::time::sleep(6 * SECOND).await;
        assert!(handle.handle().pid().is_none(), "it waits for its restart");
        assert!(
            matches!(waits.await.expect("it ends well"), Err(CallError::Ended(_, _))),
            "the waiting request is answered"
        );
        assert!(goes.cast(crash()).is_err() && below_it.cast(crash()).is_err(), "no incarnation is due");
        assert!(system.whereis(TAKEN).is_err(), "its name is free");
        let next = stays.call(Msg::Incarnation).timeout(2 * MINUTE).await;
        assert_eq!(next.expect("it is due"), 2);
        let children = handle.which_children().await.expect("it lives");
        assert_eq!(shown(&children), ["a running"]);
        assert!(goes.cast(crash()).is_err() && goes.counters().is_balanced());
        handle.start_child(worker("b", &log).named(TAKEN)).await.expect("its id and its name are free");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_while_a_supervisor_is_restarted_is_answered_by_the_next_incarnation() {
    let log = Log::default();
    let nested = Supervisor::new("nested").backoff(Backoff::new(HOUR, HOUR)).child(worker("a", &log));
    let (_, app, handle) = below(nested).await;
    handle.terminate_child("a").await.expect("it is stopped");
    handle.handle().kill().expect("it lives");
    quiet().await;
    assert!(handle.handle().pid().is_none());
    let began = tokio::time::Instant::now();
    let child = worker("b", &log);
    let (children, counts, running, started, stopped) = tokio::join!(
        handle.which_children(),
        handle.count_children(),
        handle.restart_child("a"),
        handle.start_child(child),
        handle.terminate_child("a"),
    );
    assert!(began.elapsed() >= HOUR - SECOND);
    assert_eq!(shown(&children.expect("it lives")), ["a starting"], "it begins anew");
    assert_eq!(counts.expect("it lives").specs, 1);
    assert!(matches!(running, Err(ChildError::Running)));
    assert!(matches!(started, Ok(ChildStart::Started(_))));
    stopped.expect("it is stopped");
    assert_eq!(shown(&handle.which_children().await.expect("it lives")), ["b running", "a stopped"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_supervisor_that_is_not_restarted_is_refused() {
    let log = Log::default();
    let slow = Script::new("slow", &log).with_slow_stop(2 * SECOND).child();
    let nested = Supervisor::new("nested").restart(Restart::Temporary).child(slow);
    let (_, app, handle) = below(nested).await;
    handle.handle().stop(ExitReason::shutdown()).expect("it lives");
    quiet().await;
    let child = handle.start_child(worker("b", &log)).await.expect_err("it is on its way out");
    assert!(matches!(child.kind, StartChildErrorKind::ShuttingDown));
    assert!(matches!(handle.terminate_child("slow").await, Err(ChildError::ShuttingDown)));
    let children = handle.which_children().await.expect("it looks at itself to the end");
    assert_eq!(shown(&children), ["slow stopping"]);
    tokio::time::sleep(3 * SECOND).await;
    assert!(matches!(handle.which_children().await, Err(ChildError::ShuttingDown)));
    assert!(app.shutdown().await.is_clean());
}

/// The child is restarted with its supervisor, so a sender does not notice.
#[tokio::test(start_paused = true)]
async fn a_temporary_child_of_the_spec_is_reached_across_the_restart_of_its_supervisor_too() {
    for killed in [true, false] {
        let log = Log::default();
        let temporary = worker("t", &log).restart(Restart::Temporary).named(TAKEN);
        let (address, crashing) = (temporary.address(), worker("a", &log));
        let other = crashing.address();
        let nested = Supervisor::new("nested").intensity(0, SECOND).backoff(Backoff::new(MINUTE, MINUTE));
        let (system, app, handle) = below(nested.child(temporary).child(crashing)).await;
        if killed {
            handle.handle().kill().expect("it lives");
        } else {
            end(&other, ExitReason::failed("on purpose")).await;
        }
        quiet().await;
        assert!(handle.handle().pid().is_none(), "it waits for its restart");
        let found = system.whereis(TAKEN).expect("its name has no gap");
        assert_eq!(
            found.call(Msg::Pid).timeout(2 * MINUTE).await.expect("it is due").incarnation(),
            2,
            "{killed}"
        );
        assert_eq!(pid(&address).await.incarnation(), 2);
        assert!(app.shutdown().await.is_clean());
        assert!(address.cast(crash()).is_err(), "no incarnation is due");
    }
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_that_does_not_start_is_named_like_any_other() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        let child = Script::new("a", &Log::default()).with_init(|_| InitStep::Fail).child().restart(restart);
        let failed = Supervisor::new("app").child(child).start(&System::new()).await.expect_err("it fails");
        let said = "the tree did not start: failed: child \"a\" did not start: failed: no such luck";
        assert_eq!(failed.to_string(), said, "{restart:?}");
    }
}
