//! Delays of children among others: groups, dynamic supervisors, and supervisors that wait
//! themselves.

use perennial_actors::System;
use perennial_supervision::{
    Backoff, Child, ChildState, DynamicSupervisor, Restart, Shutdown, StartChildErrorKind, Strategy,
    Supervisor,
};
use tokio::time::{Instant, sleep};

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, tell};

fn backoff() -> Backoff {
    Backoff::new(ms(100), secs(1))
}

fn patient(strategy: Strategy) -> Supervisor {
    Supervisor::new("app").strategy(strategy).intensity(1000, secs(1000))
}

#[tokio::test(start_paused = true)]
async fn the_siblings_of_a_child_run_on_until_its_delay_is_over() {
    for (strategy, expected) in [
        (Strategy::OneForOne, vec!["100 b starts"]),
        (
            Strategy::OneForAll,
            vec!["100 c stops", "100 a stops", "100 a starts", "100 b starts", "100 c starts"],
        ),
        (Strategy::RestForOne, vec!["100 c stops", "100 b starts", "100 c starts"]),
    ] {
        let log = Log::new();
        let [first, middle, last] = ["a", "b", "c"].map(|id| Script::plain(&log).child(id));
        let [a, b, c] = [&first, &middle, &last].map(Child::address);
        let tree = patient(strategy).child(first).child(middle.backoff(backoff())).child(last);
        let app = tree.start(&System::new()).await.expect("it starts");
        tell(&b, Msg::crash());
        sleep(ms(99)).await;
        assert_eq!((incarnation(&a).await, incarnation(&c).await), (1, 1), "{strategy:?}");
        assert_eq!(log.take(), ["0 a starts", "0 b starts", "0 c starts", "0 b stops"]);
        assert_eq!(incarnation(&b).await, 2);
        incarnation(&c).await;
        assert_eq!(log.take(), expected, "{strategy:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// The group that a sibling takes down is started as a whole, and what was to happen later is void.
#[tokio::test(start_paused = true)]
async fn a_child_in_its_delay_comes_back_with_its_group() {
    let (log, system) = (Log::new(), System::new());
    let [first, second] = ["a", "b"].map(|id| Script::plain(&log).child(id));
    let (waits, crashes) = (first.address(), second.address());
    let tree = patient(Strategy::OneForAll).child(first.backoff(backoff())).child(second);
    let app = tree.start(&system).await.expect("it starts");
    tell(&waits, Msg::crash());
    sleep(ms(50)).await;
    tell(&crashes, Msg::crash());
    sleep(secs(10)).await;
    assert_eq!((incarnation(&waits).await, incarnation(&crashes).await), (2, 2));
    assert_eq!(log.take()[2..], ["0 a stops", "50 b stops", "50 a starts", "50 b starts"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_is_over_while_a_group_is_restarted_waits_for_the_end_of_that() {
    let (log, system) = (Log::new(), System::new());
    let script = Script::plain(&log);
    let first = script.clone().child("a").backoff(backoff());
    let second = script.clone().child("b");
    let slow = script.with_slow_stop(secs(1)).child("c");
    let (waits, crashes) = (first.address(), second.address());
    let tree = patient(Strategy::RestForOne).child(first).child(second).child(slow);
    let app = tree.start(&system).await.expect("it starts");
    log.take();
    tell(&waits, Msg::crash());
    tell(&crashes, Msg::crash());
    assert_eq!(incarnation(&waits).await, 2);
    sleep(secs(10)).await;
    let group = ["1000 c stops", "1000 b starts", "1000 c starts"];
    let all = ["2000 c stops", "2000 b stops", "2000 a starts", "2000 b starts", "2000 c starts"];
    let lines = log.take();
    assert_eq!((&lines[2..5], &lines[5..]), (&group.map(String::from)[..], &all.map(String::from)[..]));
    assert!(app.shutdown().await.is_clean());
}

/// The first delay ends while the group stops. The group start starts the child again, and it
/// crashes at once. The rest of the first delay does not shorten the second delay.
#[tokio::test(start_paused = true)]
async fn a_delay_that_its_group_has_made_void_does_not_cut_the_next_one_short() {
    let (log, system) = (Log::new(), System::new());
    let script = Script::plain(&log);
    let slow = script.clone().with_slow_stop(secs(1));
    let slow = slow
        .with_init(|n| if n == 2 { InitStep::SucceedAfter(secs(1)) } else { InitStep::Succeed })
        .child("c");
    let (first, second) = (script.clone().child("a").backoff(backoff()), script.child("b"));
    let (waits, crashes) = (first.address(), second.address());
    let tree = patient(Strategy::OneForAll).child(first).child(second).child(slow);
    let app = tree.start(&system).await.expect("it starts");
    for address in [&waits, &waits, &crashes] {
        tell(address, Msg::crash());
    }
    assert_eq!(incarnation(&waits).await, 3);
    let starts: Vec<_> = log.take().into_iter().filter(|line| line.ends_with("a starts")).collect();
    // 200 ms after the end of the round, and the second that the sibling takes to stop.
    assert_eq!(starts, ["0 a starts", "1000 a starts", "3200 a starts"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_member_of_a_group_that_does_not_start_is_tried_again_after_its_delay() {
    let (log, system) = (Log::new(), System::new());
    let script = Script::plain(&log);
    let fails = script.clone().with_init(|n| if n == 2 { InitStep::Fail } else { InitStep::Succeed });
    let tree = patient(Strategy::OneForAll).child(script.clone().child("a"));
    let (second, third) = (fails.child("b").backoff(backoff()), script.child("c"));
    let (crashes, waits) = (third.address(), second.address());
    let app = tree.child(second).child(third).start(&system).await.expect("it starts");
    log.take();
    tell(&crashes, Msg::crash());
    sleep(ms(50)).await;
    assert_eq!(log.take(), ["0 c stops", "0 b stops", "0 a stops", "0 a starts"]);
    assert_eq!(app.tree().at(["c"]).expect("it is there").state, ChildState::Waiting);
    assert_eq!((incarnation(&waits).await, incarnation(&crashes).await), (3, 2));
    assert_eq!(log.take(), ["100 a stops", "100 a starts", "100 b starts", "100 c starts"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hung_waits_like_one_that_crashed() {
    let (log, system) = (Log::new(), System::new());
    let child = Script::plain(&log).child("a").backoff(backoff()).shutdown(Shutdown::BrutalKill);
    let child = child.handler_deadline(secs(1));
    let address = child.address();
    let app = patient(Strategy::OneForOne).child(child).start(&system).await.expect("it starts");
    tell(&address, Msg::Hang);
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(log.take(), ["0 a starts", "1100 a starts"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_end_that_calls_for_no_restart_calls_for_no_delay() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let child = scripted("a").backoff(backoff()).restart(restart);
        let (address, system) = (child.address(), System::new());
        let app = patient(Strategy::OneForOne).child(child).start(&system).await.expect("it starts");
        let (down, begun) = (address.monitor(), Instant::now());
        tell(&address, Msg::end(perennial_actors::ExitReason::Normal));
        down.await;
        let closed = address.call(Msg::Incarnation).no_timeout().await;
        assert!(closed.is_err(), "no incarnation is due");
        assert_eq!(begun.elapsed(), ms(0));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_dynamic_supervisor_keeps_its_place_during_its_delay() {
    let system = System::new();
    let mut reports = Reports::of(&system);
    let app = DynamicSupervisor::new("app").max_children(1).start(&system).await.expect("it starts");
    let child = scripted("a").backoff(backoff());
    let address = child.address();
    let started = app.supervisor().start_child(child).await.expect("it starts");
    tell(&address, Msg::crash());
    reports.until("app/a: restarting: failed: on purpose").await;
    let refused = app.supervisor().start_child(scripted("b")).await.expect_err("there is no room");
    assert!(matches!(refused.kind, StartChildErrorKind::MaxChildren));
    let pid = started.pid().expect("it started");
    app.supervisor().terminate_child(pid).await.expect("its newest incarnation names it, living or not");
    assert!(address.cast(Msg::Hang).is_err());
    sleep(secs(10)).await;
    assert_eq!(reports.so_far(), [""; 0]);
    app.supervisor().start_child(scripted("b")).await.expect("there is room");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_waits_before_it_is_restarted_and_what_is_sent_below_waits_with_it() {
    let (log, system) = (Log::new(), System::new());
    let child = Script::plain(&log).child("a");
    let address = child.address();
    let inner = Supervisor::new("inner").intensity(0, secs(1)).backoff(backoff()).child(child);
    let app = patient(Strategy::OneForOne).child(inner).start(&system).await.expect("it starts");
    for (n, at) in [(2, "100 a starts"), (3, "300 a starts")] {
        tell(&address, Msg::crash());
        assert_eq!(incarnation(&address).await, n);
        assert_eq!(log.take().last().map(String::as_str), Some(at));
    }
    assert!(app.shutdown().await.is_clean());
}
