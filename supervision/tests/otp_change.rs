//! OTP's case 98, `code_change`: another spec for a supervisor that runs.

use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_supervision::{
    AutoShutdown, Backoff, ChangeError, ChildKind, ChildPolicy, Restart, Shutdown, SpecError, Strategy,
    Supervisor,
};

use crate::support::worker;
use crate::support::worker::{
    HOUR, InitStep, Log, SECOND, Script, crash, end, exit_of, gate, incarnation, pid, quiet, refused, shown,
    start, tolerant, tree_exit, worker,
};

#[tokio::test(start_paused = true)]
async fn c098_a_known_child_keeps_running_by_its_new_policy() {
    let log = Log::default();
    let (a, b) = (worker("a", &log), worker("b", &log));
    let (one, other) = (a.address(), b.address());
    let (_, app) = start(tolerant("app").child(a).child(b)).await;
    let before = [pid(&one).await, pid(&other).await];
    let another = worker("a", &log).restart(Restart::Temporary).shutdown(Shutdown::BrutalKill);
    let unserved = another.address();
    app.supervisor()
        .change(tolerant("other").child(another).child(worker("b", &log)))
        .await
        .expect("it does");
    assert_eq!([pid(&one).await, pid(&other).await], before);
    let policy = app.supervisor().get_childspec("a").await.expect("it is there");
    let mut expected = ChildPolicy::default();
    (expected.restart, expected.shutdown) = (Restart::Temporary, Shutdown::BrutalKill);
    assert_eq!(policy, expected);
    assert!(unserved.cast(crash()).is_err(), "what a child is does not change, nor its mailbox");
    log.take();
    let down = one.monitor();
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    assert_eq!((exit_of(down).await, log.take().len()), ("killed".to_owned(), 0));
    assert_eq!(
        refused(app.supervisor().restart_child("a").await),
        "the supervisor has no such child",
        "it was temporary"
    );
    assert_eq!(incarnation(&other).await, 1);
    assert_eq!(&*app.tree().id, "app");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c098_a_new_child_is_added_and_not_started() {
    let log = Log::default();
    let (_, app) = start(tolerant("app").child(worker("a", &log))).await;
    let new = worker("n", &log);
    let address = new.address();
    app.supervisor().change(tolerant("app").child(new).child(worker("a", &log))).await.expect("it does");
    quiet().await;
    let children = app.supervisor().which_children().await.expect("it lives");
    assert_eq!(shown(&children), ["n stopped", "a running"], "it is the last, wherever the spec has it");
    assert!(address.cast(crash()).is_err(), "no incarnation is due");
    app.supervisor().restart_child("n").await.expect("it starts");
    assert_eq!(incarnation(&address).await, 1);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["start a", "start n", "stop n", "stop a"]);
}

#[tokio::test(start_paused = true)]
async fn c098_a_child_that_is_not_in_the_new_spec_stays_until_the_supervisor_is_restarted() {
    for (killed, reason) in [(true, "killed"), (false, "shutdown: reached the maximum restart intensity")] {
        let log = Log::default();
        let (a, b, new) = (worker("a", &log), worker("b", &log), worker("n", &log));
        let (kept, dropped, added) = (a.address(), b.address(), new.address());
        let inner = Supervisor::new("inner").intensity(0, SECOND).child(a).child(b);
        let handle = inner.handle();
        let (_, app) = start(tolerant("app").child(inner)).await;
        let other = Supervisor::new("inner").intensity(0, SECOND).child(new).child(worker("a", &log));
        handle.change(other).await.expect("it does");
        assert_eq!((incarnation(&kept).await, incarnation(&dropped).await), (1, 1));
        dropped.cast(worker::Msg::EndLater(HOUR, ExitReason::Normal)).expect("it is served");
        dropped.cast(crash()).expect("it waits");
        let down = handle.handle().monitor();
        if killed {
            handle.handle().kill().expect("it lives");
        } else {
            end(&kept, ExitReason::failed("on purpose")).await;
        }
        assert_eq!(exit_of(down).await, reason);
        quiet().await;
        assert_eq!((incarnation(&added).await, incarnation(&kept).await), (1, 2));
        let children = handle.which_children().await.expect("it lives");
        assert_eq!(shown(&children), ["a running", "n running"], "in the order of the new spec");
        assert!(dropped.cast(crash()).is_err(), "no incarnation is due");
        assert_eq!((dropped.counters().queued, dropped.counters().is_balanced()), (0, true));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c098_what_is_said_of_the_supervisor_holds_at_once() {
    let log = Log::default();
    let (a, b) = (worker("a", &log), worker("b", &log));
    let (one, other) = (a.address(), b.address());
    let (_, app) = start(tolerant("app").child(a).child(b)).await;
    let change = async |supervisor: Supervisor| {
        let supervisor = supervisor.children([worker("a", &log), worker("b", &log)]);
        app.supervisor().change(supervisor).await.expect("it does");
    };
    end(&one, ExitReason::failed("on purpose")).await;
    assert_eq!((incarnation(&one).await, incarnation(&other).await), (2, 1));
    change(Supervisor::new("app").intensity(2, HOUR).strategy(Strategy::OneForAll)).await;
    end(&one, ExitReason::failed("on purpose")).await;
    assert_eq!((incarnation(&one).await, incarnation(&other).await), (3, 2));
    end(&one, ExitReason::failed("on purpose")).await;
    assert_eq!(tree_exit(&app).await, "shutdown: reached the maximum restart intensity", "the first counts");
}

#[tokio::test(start_paused = true)]
async fn c098_a_longer_intensity_forgives_what_a_shorter_one_had_not() {
    let child = worker("a", &Log::default());
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").intensity(1, HOUR).child(child)).await;
    end(&address, ExitReason::failed("on purpose")).await;
    let next = Supervisor::new("app").intensity(2, HOUR).child(worker("a", &Log::default()));
    app.supervisor().change(next).await.expect("it does");
    end(&address, ExitReason::failed("on purpose")).await;
    assert_eq!(incarnation(&address).await, 3);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c098_auto_shutdown_holds_for_the_next_end() {
    let log = Log::default();
    let child = worker("a", &log).restart(Restart::Transient);
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child).child(worker("b", &log))).await;
    let change = async |mode| {
        let significant = worker("a", &log).restart(Restart::Transient).significant();
        let next = Supervisor::new("app").auto_shutdown(mode).child(significant).child(worker("b", &log));
        app.supervisor().change(next).await
    };
    let wrong = change(AutoShutdown::Never).await.expect_err("it is wrong");
    assert!(matches!(wrong, ChangeError::Spec(SpecError::SignificantForNothing { .. })));
    change(AutoShutdown::AnySignificant).await.expect("it does");
    end(&address, ExitReason::Normal).await;
    assert_eq!(tree_exit(&app).await, "shutdown: a significant child ended");
}

#[tokio::test(start_paused = true)]
async fn c098_a_wrong_spec_changes_nothing() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    let twice = Supervisor::new("app")
        .strategy(Strategy::OneForAll)
        .child(worker("a", &log).restart(Restart::Temporary))
        .child(worker("n", &log))
        .child(worker("n", &log));
    let wrong = app.supervisor().change(twice).await.expect_err("it is wrong");
    assert!(matches!(wrong, ChangeError::Spec(SpecError::DuplicateId { id, .. }) if &*id == "n"));
    let never = Supervisor::new("app").intensity(5, Duration::ZERO).child(worker("n", &log));
    let wrong = app.supervisor().change(never).await.expect_err("it is wrong");
    assert!(matches!(wrong, ChangeError::Spec(SpecError::ZeroPeriod { .. })));
    let children = app.supervisor().which_children().await.expect("it lives");
    assert_eq!(shown(&children), ["a running"]);
    assert_eq!(app.supervisor().get_childspec("a").await.expect("it is there"), ChildPolicy::default());
    end(&address, ExitReason::Normal).await;
    assert_eq!(incarnation(&address).await, 2, "it is permanent, and once is tolerated");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_worker_stays_a_worker_whatever_has_its_id_now() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let inner = Supervisor::new("inner").child(child);
    let handle = inner.handle();
    let (_, app) = start(tolerant("app").child(inner)).await;
    let other = Supervisor::new("inner").child(Supervisor::new("a").child(worker("b", &log)));
    handle.change(other).await.expect("it does");
    for n in 1..=2 {
        assert_eq!(incarnation(&address).await, n);
        let policy = handle.get_childspec("a").await.expect("it is there");
        assert_eq!(
            (policy.kind, policy.shutdown),
            (ChildKind::Worker, Shutdown::Infinity),
            "incarnation {n}"
        );
        handle.handle().kill().expect("it lives");
        quiet().await;
    }
    assert!(app.shutdown().await.is_clean());
}

/// A change of the spec does not change a child's code: for that, the child is deleted first.
#[tokio::test(start_paused = true)]
async fn a_child_that_was_deleted_is_another_one_from_the_change_on() {
    let log = Log::default();
    let (first, second) = (worker("a", &log), worker("a", &log));
    let (old, new) = (first.address(), second.address());
    let inner = Supervisor::new("inner").child(first);
    let handle = inner.handle();
    let (_, app) = start(tolerant("app").child(inner)).await;
    handle.terminate_child("a").await.expect("it is stopped");
    drop(handle.delete_child("a").await.expect("it is down"));
    handle.change(Supervisor::new("inner").child(second)).await.expect("it does");
    handle.restart_child("a").await.expect("it starts");
    for n in 1..=3 {
        assert_eq!(incarnation(&new).await, n);
        assert!(old.cast(crash()).is_err(), "incarnation {n}");
        handle.handle().kill().expect("it lives");
        quiet().await;
    }
    assert!(app.shutdown().await.is_clean());
    assert!(new.cast(crash()).is_err(), "no incarnation is due");
}

#[tokio::test(start_paused = true)]
async fn a_change_knows_the_children_that_were_started_while_it_waited() {
    let (log, gate) = (Log::default(), gate());
    let waits = gate.clone();
    let init = move |n| if n == 2 { InitStep::WaitFor(waits.clone()) } else { InitStep::Succeed };
    let (first, second) = (worker("x", &log), worker("x", &log));
    let (known, unserved) = (first.address(), second.address());
    let a = Script::new("a", &log).with_init(init).child();
    let address = a.address();
    let inner = tolerant("inner").strategy(Strategy::OneForAll).child(a);
    let handle = inner.handle();
    let (_, app) = start(tolerant("app").child(inner)).await;
    end(&address, ExitReason::failed("on purpose")).await;
    let next = tolerant("inner").child(worker("a", &log)).child(second);
    let opens = async {
        quiet().await;
        gate.add_permits(1);
    };
    let (started, changed, ()) = tokio::join!(handle.start_child(first), handle.change(next), opens);
    started.expect("it starts");
    changed.expect("it does");
    for n in 1..=3 {
        assert_eq!(incarnation(&known).await, n);
        assert!(unserved.cast(crash()).is_err(), "incarnation {n}");
        handle.handle().kill().expect("it lives");
        quiet().await;
    }
    assert!(app.shutdown().await.is_clean());
    assert!(known.cast(crash()).is_err(), "no incarnation is due");
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_a_group_restart_and_one_in_a_backoff_knows_what_is_new() {
    let (log, gate) = (Log::default(), gate());
    let waits = gate.clone();
    let init = move |n| if n == 2 { InitStep::WaitFor(waits.clone()) } else { InitStep::Succeed };
    let a = Script::new("a", &log).with_init(init).child();
    let b = worker("b", &log).backoff(Backoff::new(HOUR, HOUR));
    let (one, other) = (a.address(), b.address());
    let (_, app) = start(tolerant("app").strategy(Strategy::OneForAll).child(a).child(b)).await;
    end(&one, ExitReason::failed("on purpose")).await;
    let supervisor = app.supervisor().clone();
    let next = tolerant("app").children([worker("a", &log), worker("b", &log).restart(Restart::Transient)]);
    let change = tokio::spawn(async move { supervisor.change(next).await });
    quiet().await;
    assert!(!change.is_finished());
    gate.add_permits(1);
    change.await.expect("it ends well").expect("it does");
    assert_eq!((incarnation(&one).await, incarnation(&other).await), (2, 2));
    end(&one, ExitReason::failed("on purpose")).await;
    assert_eq!((incarnation(&one).await, incarnation(&other).await), (3, 2), "one for one now");
    end(&other, ExitReason::Normal).await;
    quiet().await;
    let children = app.supervisor().which_children().await.expect("it lives");
    assert_eq!(shown(&children), ["b stopped", "a running"]);
    assert!(app.shutdown().await.is_clean());
}
