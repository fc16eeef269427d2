//! OTP's cases 27 to 47: which children are restarted together, and in which order.

use perennial_actors::{Address, ExitReason, System};
use perennial_supervision::{
    App, ChildError, ChildState, DynamicSupervisor, Restart, Strategy, SupervisionStats, Supervisor,
    SupervisorHandle,
};

use crate::support::unit::{
    InitStep, Log, Msg, PERIOD, Script, crash, drawn, end, ids, incarnation, quiet, scripted, scripted_with,
    shape, soon, start,
};

/// A supervisor with three units, which tolerates one restart; their addresses.
async fn three(strategy: Strategy, log: &Log) -> (System, App<SupervisorHandle>, [Address<Msg>; 3]) {
    let children = ["a", "b", "c"].map(|id| scripted(id, log));
    let addresses = children.each_ref().map(|child| child.address());
    let (system, app) = start(Supervisor::new("app").strategy(strategy).children(children)).await;
    log.take();
    (system, app, addresses)
}

#[tokio::test(start_paused = true)]
async fn c027_one_for_one_restarts_the_crashed_child_and_no_other() {
    let log = Log::default();
    let (_, app, [_, b, _]) = three(Strategy::OneForOne, &log).await;
    end(&b, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 1", "b 2", "c 1"]);
    assert_eq!(log.take(), ["stop b: failed: on purpose", "start b"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c028_a_child_that_is_restarted_keeps_its_place_in_the_order() {
    let log = Log::default();
    let (_, app, [a, ..]) = three(Strategy::OneForOne, &log).await;
    end(&a, crash()).await;
    assert_eq!(incarnation(&a).await, 2);
    assert_eq!(ids(app.supervisor()).await, ["c", "b", "a"]);
    log.take();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["stop c: shutdown", "stop b: shutdown", "stop a: shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn c029_one_for_all_tells_the_others_to_stop_and_restarts_all() {
    let log = Log::default();
    let (_, app, [_, b, _]) = three(Strategy::OneForAll, &log).await;
    end(&b, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 2", "b 2", "c 2"]);
    let expected = ["stop b: failed: on purpose", "stop c: shutdown", "stop a: shutdown"];
    let log = log.take();
    assert_eq!(log[..3], expected);
    assert_eq!(log[3..], ["start a", "start b", "start c"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c031_a_child_that_is_not_restarted_disturbs_no_sibling_under_any_strategy() {
    let log = Log::default();
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for (restart, reason, after) in [
            (Restart::Transient, ExitReason::Normal, vec!["a 1", "b stopped", "c 1"]),
            (Restart::Temporary, crash(), vec!["a 1", "c 1"]),
        ] {
            let middle = scripted("b", &log).restart(restart);
            let address = middle.address();
            let tree = Supervisor::new("app").strategy(strategy).child(scripted("a", &log));
            let (system, app) = start(tree.child(middle).child(scripted("c", &log))).await;
            end(&address, reason).await;
            assert_eq!(shape(app.supervisor()).await, after, "{strategy:?}, {restart:?}");
            assert_eq!(SupervisionStats::of(&system).restarts, 0, "{strategy:?}, {restart:?}");
            assert!(app.shutdown().await.is_clean());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c033_rest_for_one_restarts_the_crashed_child_and_the_children_after_it() {
    let log = Log::default();
    let (_, app, [_, b, _]) = three(Strategy::RestForOne, &log).await;
    end(&b, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 1", "b 2", "c 2"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c033_a_group_restart_brings_those_of_it_back_that_had_been_stopped() {
    let log = Log::default();
    for (strategy, after) in [
        (Strategy::RestForOne, ["a stopped", "b 2", "c 2"]),
        (Strategy::OneForAll, ["a 2", "b 2", "c 2"]),
        (Strategy::OneForOne, ["a stopped", "b 2", "c stopped"]),
    ] {
        let (_, app, [_, b, _]) = three(strategy, &log).await;
        for id in ["a", "c"] {
            app.supervisor().terminate_child(id).await.expect("it is stopped");
        }
        end(&b, crash()).await;
        assert_eq!(shape(app.supervisor()).await, after, "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c035_a_child_that_was_added_later_is_the_last_and_restarted_with_an_earlier_one() {
    let log = Log::default();
    let (_, app, [_, b, _]) = three(Strategy::RestForOne, &log).await;
    app.supervisor().start_child(scripted("added", &log)).await.expect("it starts");
    assert_eq!(ids(app.supervisor()).await, ["added", "c", "b", "a"]);
    end(&b, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 1", "b 2", "c 2", "added 2"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c037_a_temporary_sibling_that_a_group_takes_with_it_is_gone() {
    for (strategy, after) in [
        (Strategy::OneForAll, vec!["crasher 2"]),
        (Strategy::RestForOne, vec!["before 1", "crasher 2"]),
        (Strategy::OneForOne, vec!["before 1", "crasher 2", "after 1"]),
    ] {
        let log = Log::default();
        let temporary = |id| scripted(id, &log).restart(Restart::Temporary);
        let (crasher, before, after_it) =
            (scripted("crasher", &log), temporary("before"), temporary("after"));
        let (address, first) = (crasher.address(), before.address());
        let tree = Supervisor::new("app").strategy(strategy);
        let (_, app) = start(tree.child(before).child(crasher).child(after_it)).await;
        end(&address, crash()).await;
        assert_eq!(shape(app.supervisor()).await, after, "{strategy:?}");
        let is_gone = !after.contains(&"before 1");
        assert_eq!(first.cast(Msg::End(ExitReason::Normal)).is_err(), is_gone, "{strategy:?}");
        assert_eq!(log.take().contains(&"stop before: shutdown".to_owned()), is_gone, "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c038_a_group_stops_in_reverse_and_starts_in_order() {
    let log = Log::default();
    let children = ["a", "b", "c", "d"].map(|id| scripted(id, &log));
    let address = children[1].address();
    let tree = Supervisor::new("app").strategy(Strategy::RestForOne).children(children);
    let (_, app) = start(tree).await;
    log.take();
    end(&address, crash()).await;
    let log = log.take();
    assert_eq!(log[..3], ["stop b: failed: on purpose", "stop d: shutdown", "stop c: shutdown"]);
    assert_eq!(log[3..], ["start b", "start c", "start d"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c039_a_group_that_is_restarted_counts_once() {
    let log = Log::default();
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let children = ["a", "b", "c", "d", "e"].map(|id| scripted(id, &log));
        let address = children[0].address();
        let tree = Supervisor::new("app").strategy(strategy).intensity(1, PERIOD).children(children);
        let (system, app) = start(tree).await;
        end(&address, crash()).await;
        assert_eq!(shape(app.supervisor()).await, ["a 2", "b 2", "c 2", "d 2", "e 2"], "{strategy:?}");
        assert_eq!(SupervisionStats::of(&system).restarts, 1, "{strategy:?}");
        end(&address, crash()).await;
        assert!(
            matches!(soon(app.join()).await, ExitReason::Shutdown(_)),
            "{strategy:?}: the next is too many"
        );
    }
}

/// Crashes the children in this order, before the supervisor handles any of it: there is one
/// thread.
async fn crash_at_once<'a>(units: impl IntoIterator<Item = &'a Address<Msg>>) {
    for unit in units {
        unit.cast(Msg::End(crash())).expect("it is served");
    }
    quiet().await;
}

#[tokio::test(start_paused = true)]
async fn c041_children_that_crash_at_once_are_as_many_restarts_under_one_for_one() {
    let log = Log::default();
    for (intensity, survives) in [(2, false), (3, true)] {
        let children = ["a", "b", "c"].map(|id| scripted(id, &log));
        let addresses = children.each_ref().map(|child| child.address());
        let tree = Supervisor::new("app").intensity(intensity, PERIOD).children(children);
        let (system, app) = start(tree).await;
        crash_at_once(&addresses).await;
        if survives {
            assert_eq!(shape(app.supervisor()).await, ["a 2", "b 2", "c 2"]);
            assert!(app.shutdown().await.is_clean());
        } else {
            assert!(matches!(soon(app.join()).await, ExitReason::Shutdown(_)));
        }
        assert_eq!(SupervisionStats::of(&system).restarts, u64::from(intensity));
    }
}

#[tokio::test(start_paused = true)]
async fn c041_a_child_that_crashes_while_its_group_is_stopped_is_no_restart_of_its_own() {
    let log = Log::default();
    for (strategy, order, restarts) in [
        (Strategy::OneForAll, [0, 1, 2], 1),
        (Strategy::OneForAll, [2, 1, 0], 1),
        (Strategy::RestForOne, [0, 1, 2], 1),
        (Strategy::RestForOne, [2, 0, 1], 2),
        (Strategy::RestForOne, [2, 1, 0], 3),
    ] {
        let children = ["a", "b", "c"].map(|id| scripted(id, &log));
        let addresses = children.each_ref().map(|child| child.address());
        let tree = Supervisor::new("app").strategy(strategy).intensity(9, PERIOD).children(children);
        let (system, app) = start(tree).await;
        crash_at_once(order.map(|number| &addresses[number])).await;
        assert_eq!(SupervisionStats::of(&system).restarts, restarts, "{strategy:?}, {order:?}");
        let running = app.tree().children.iter().all(|child| child.state == ChildState::Running);
        assert!(running, "{strategy:?}, {order:?}: {}", app.tree());
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c044_a_dynamic_child_that_crashes_is_replaced_from_the_same_arguments_and_its_sibling_left_alone() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let sessions = app.supervisor().template({
        let log = log.clone();
        move |user: &str| scripted(user, &log)
    });
    let ada = sessions.start_child("ada").await.expect("it starts");
    let bob = sessions.start_child("bob").await.expect("it starts");
    end(&ada, crash()).await;
    assert_eq!(log.take(), ["start ada", "start bob", "stop ada: failed: on purpose", "start ada"]);
    assert_eq!((incarnation(&ada).await, incarnation(&bob).await), (2, 1));
    let children = app.supervisor().which_children().await.expect("it lives");
    assert_eq!(drawn(children), ["ada 2", "bob 1"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c045_what_a_dynamic_child_was_given_of_its_own_it_is_given_again_at_every_restart() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").intensity(9, PERIOD).start(&system).await.expect("it starts");
    let sessions = app.supervisor().template({
        let log = log.clone();
        move |(user, extra): (&str, Vec<u8>)| Script::new(format!("{user} with {extra:?}"), &log).child()
    });
    let ada = sessions.start_child(("ada", vec![1])).await.expect("it starts");
    let bob = sessions.start_child(("bob", vec![2, 3])).await.expect("it starts");
    log.take();
    for (session, started) in
        [(&bob, "start bob with [2, 3]"), (&ada, "start ada with [1]"), (&bob, "start bob with [2, 3]")]
    {
        end(session, crash()).await;
        assert_eq!(log.take()[1..], [started]);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c046_a_dynamic_child_that_declines_its_restart_is_gone() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let once = scripted_with("once", &log, |n| if n == 1 { InitStep::Succeed } else { InitStep::Ignore });
    let address = once.address();
    let started = app.supervisor().start_child(once).await.expect("it starts");
    let pid = started.pid().expect("it has started");
    end(&address, crash()).await;
    let counts = app.supervisor().count_children().await.expect("it lives");
    assert_eq!((counts.specs, counts.active, counts.workers), (0, 0, 0));
    assert!(matches!(app.supervisor().terminate_child(pid).await, Err(ChildError::NotFound)));
    assert!(address.cast(Msg::Panic).is_err(), "no incarnation is due");
    let report = app.shutdown().await;
    assert!(report.is_clean() && matches!(report.reason, ExitReason::Shutdown(None)));
}

#[tokio::test(start_paused = true)]
async fn c047_a_subtree_that_is_restarted_has_its_planned_children_again_and_none_that_were_added() {
    for by_kill in [true, false] {
        let log = Log::default();
        let (worker, dynamic) = (scripted("worker", &log), DynamicSupervisor::new("sessions"));
        let planned = Supervisor::new("planned").child(scripted("a", &log)).child(scripted("b", &log));
        let (address, sessions, fixed) = (worker.address(), dynamic.handle(), planned.handle());
        let tree = Supervisor::new("app").strategy(Strategy::OneForAll);
        let (_, app) = start(tree.child(worker).child(planned).child(dynamic)).await;
        let (added, session) = (scripted("added", &log), scripted("session", &log));
        let gone = [added.address(), session.address()];
        fixed.start_child(added).await.expect("it starts");
        sessions.start_child(session).await.expect("it starts");
        assert_eq!(shape(&fixed).await, ["a 1", "b 1", "added 1"]);
        if by_kill {
            fixed.handle().kill().expect("it lives");
            quiet().await;
        } else {
            end(&address, crash()).await;
        }
        assert_eq!(shape(app.supervisor()).await, ["worker 2", "planned 2", "sessions 2"]);
        assert_eq!(shape(&fixed).await, ["a 2", "b 2"]);
        assert_eq!(drawn(sessions.which_children().await.expect("it lives")), [""; 0]);
        for address in gone {
            assert!(address.cast(Msg::Panic).is_err(), "no incarnation is due");
        }
        let stopped = if by_kill { "stop added: killed" } else { "stop added: shutdown" };
        assert!(log.take().contains(&stopped.to_owned()));
        fixed.start_child(scripted("added", &log)).await.expect("the id is free");
        assert!(app.shutdown().await.is_clean());
    }
}
