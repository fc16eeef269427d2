//! Ractor actors as children: how they end, with types, and how they are started and stopped.

use std::time::Duration;

use perennial_actors::{Address, ExitReason, LifecycleEvent, PanicLocations, System};
use perennial_supervision::{Restart, Shutdown, Supervisor};
use ractor::ActorStatus;

use crate::support::ractor_script;
use crate::support::ractor_script::{Msg, Script, Step, cast, disk_full, late, plain, scripted, start};

/// Why a temporary scripted ends when this is done to it.
async fn why(change: impl FnOnce(&mut Script), what: impl FnOnce(&Address<Msg>)) -> ExitReason {
    let (child, _journal) = scripted("scripted", change);
    let address = child.address();
    let app = start(Supervisor::new("app").child(child.restart(Restart::Temporary))).await;
    let down = address.monitor();
    what(&address);
    let reason = down.await.reason;
    assert!(app.shutdown().await.is_clean());
    reason
}

/// The same, for what it does in a handler.
async fn why_after(step: Step) -> ExitReason {
    why(|_| (), |address| cast(address, Msg::Do(step))).await
}

#[tokio::test(start_paused = true)]
async fn an_error_arrives_as_it_was_returned() {
    let reason = why_after(Step::Fail).await;
    assert!(disk_full(&reason), "{reason}");
    let stop = |address: &Address<Msg>| address.stop(ExitReason::shutdown()).expect("it lives");
    let reason = why(|script| script.post_stop = Step::Fail, stop).await;
    assert!(disk_full(&reason), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn to_fail_in_post_start_is_an_end_after_a_start() {
    let (system, (child, _journal)) =
        (System::new(), scripted("scripted", |script| script.post_start = Step::Fail));
    let mut events = system.subscribe::<LifecycleEvent>();
    let tree = Supervisor::new("app").child(child.restart(Restart::Temporary));
    let app = tree.start(&system).await.expect("it starts");
    loop {
        match events.next().await {
            Some(LifecycleEvent::Ended { label, reason, .. }) if &*label == "app/scripted" => {
                break assert!(disk_full(&reason));
            }
            other => assert!(other.is_some(), "it was to end"),
        }
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_panic_arrives_as_one_with_its_message_and_its_place() {
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let child = plain("scripted");
    let address = child.address();
    let tree = Supervisor::new("app").child(child.restart(Restart::Temporary));
    let app = tree.start(&system).await.expect("it starts");
    let down = address.monitor();
    cast(&address, Msg::Do(Step::Panic));
    let ExitReason::Panicked(panic) = down.await.reason else { panic!("not a panic") };
    assert_eq!(panic.message, "a bug");
    assert!(panic.location.as_ref().is_some_and(|place| place.contains("support")), "{panic}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_its_own_is_told_from_a_kill_whatever_its_text() {
    let table = [
        (Step::Stop(None), "normal"),
        (Step::Stop(Some("enough")), "shutdown: enough"),
        (Step::Stop(Some("killed")), "shutdown: killed"),
        (Step::Drain, "shutdown: Drained"),
        (Step::Kill, "killed"),
    ];
    for (step, expected) in table {
        assert_eq!(why_after(step).await.to_string(), expected, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_ours_ends_it_with_the_reason_that_we_give() {
    for reason in [ExitReason::shutdown(), ExitReason::Normal, ExitReason::failed("of no more use")] {
        let given = reason.to_string();
        let stop = |address: &Address<Msg>| address.stop(reason).expect("it lives");
        assert_eq!(why(|_| (), stop).await.to_string(), given);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_it_while_it_waits_and_in_a_handler() {
    let kill = |address: &Address<Msg>| address.kill().expect("it lives");
    assert!(matches!(why(|_| (), kill).await, ExitReason::Killed));
    for hangs in [Msg::Do(Step::Hang), Msg::DoInOwnMessage(Step::Hang, 0)] {
        let (child, mut probe) = scripted("scripted", |_| ());
        let address = child.address();
        let app = start(Supervisor::new("app").child(child.restart(Restart::Temporary))).await;
        let down = address.monitor();
        cast(&address, hangs);
        tokio::time::sleep(Duration::from_secs(1)).await;
        address.kill().expect("it lives");
        assert!(matches!(down.await.reason, ExitReason::Killed));
        assert_eq!(probe.since(), ["pre_start", "dropped"], "gone before the supervisor was notified");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_it_drops_its_state_replaces_the_reason() {
    for step in [Step::Stop(None), Step::Kill, Step::Nothing] {
        let kill = |address: &Address<Msg>| {
            if step == Step::Nothing {
                address.kill().expect("it lives");
            }
            let _ = address.cast(Msg::Do(step));
        };
        let reason = why(|script| script.drop = Step::Panic, kill).await;
        assert!(reason.to_string().contains("as it goes"), "{step:?}: {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn its_state_is_dropped_before_the_next_incarnation_starts() {
    for step in [Step::Stop(None), Step::Fail, Step::Kill] {
        let (child, mut probe) = scripted("scripted", |_| ());
        let address = child.address();
        let app = start(Supervisor::new("app").child(child)).await;
        cast(&address, Msg::Do(step));
        assert_eq!(ractor_script::notes(&address).await, Vec::<u32>::new());
        let mut lines = probe.since();
        lines.retain(|line| line != "post_stop");
        assert_eq!(lines, ["pre_start", "dropped", "pre_start"], "{step:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_says_why() {
    for step in [Step::Fail, Step::Panic, Step::Kill] {
        let (child, mut probe) = scripted("scripted", |script| script.pre_start = step);
        let started = Supervisor::new("app").child(child).start(&System::new()).await;
        let error = started.expect_err("it does not start").to_string();
        let expected = match step {
            Step::Fail => "failed: disk full",
            Step::Panic => "panicked: a bug",
            _ => "did not start: killed",
        };
        assert!(error.contains(expected), "{step:?}: {error}");
        assert_eq!(probe.since(), ["pre_start"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_too_long_is_given_up_and_fails() {
    let (child, _journal) = scripted("scripted", |script| script.pre_start = Step::Hang);
    let tree = Supervisor::new("app").child(child.start_timeout(Duration::from_secs(2)));
    let began = tokio::time::Instant::now();
    let error = tree.start(&System::new()).await.expect_err("it does not start").to_string();
    assert!(error.contains("timed out"), "{error}");
    assert_eq!(began.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_is_not_kept_from_stopping_by_a_child_that_does_not_start() {
    let (child, _journal) = scripted("scripted", |script| script.pre_start = Step::Hang);
    let tree = Supervisor::new("app").child(child.shutdown(Shutdown::Infinity));
    let handle = tree.handle();
    let starting = tokio::spawn(async move { tree.start(&System::new()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    handle.handle().stop(ExitReason::shutdown()).expect("it lives");
    starting.await.expect("it returns").expect_err("it was stopped");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_stop_in_time_is_killed() {
    let (child, mut probe) = scripted("scripted", |script| script.post_stop = Step::Hang);
    let address = child.address();
    let tree = Supervisor::new("app").child(child.shutdown(Shutdown::Timeout(Duration::from_secs(3))));
    let app = start(tree).await;
    let (down, began) = (address.monitor(), tokio::time::Instant::now());
    let report = app.shutdown().await;
    assert_eq!((late(&report), began.elapsed().as_secs()), (vec![("app/scripted", false)], 3));
    assert!(matches!(down.await.reason, ExitReason::Killed));
    assert_eq!(probe.since(), ["pre_start", "post_stop", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_handler_finish_and_runs_post_stop() {
    let (child, mut probe) = scripted("scripted", |_| ());
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    let cell = address.call(Msg::Cell).await.expect("it answers");
    assert_eq!(cell.get_status(), ActorStatus::Running);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(cell.get_status(), ActorStatus::Stopped);
    assert_eq!(probe.since(), ["pre_start", "post_stop", "dropped"]);
    assert!(address.cast(Msg::Note(1)).is_err(), "no incarnation is due");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_is_abandoned_and_does_nothing_to_the_next_incarnation() {
    let (child, mut probe) = scripted("scripted", |_| ());
    let address = child.address();
    let tree = Supervisor::new("app").abandon_after(Duration::ZERO);
    let app = start(tree.child(child.shutdown(Shutdown::BrutalKill))).await;
    let (release, held) = std::sync::mpsc::channel();
    cast(&address, Msg::Block(held));
    cast(&address, Msg::Note(1));
    assert_eq!((probe.next().await, probe.next().await), ("pre_start".to_owned(), "blocks".to_owned()));
    app.supervisor().terminate_child("scripted").await.expect("it is there");
    app.supervisor().restart_child("scripted").await.expect("it is down");
    assert_eq!(probe.next().await, "pre_start");
    release.send(()).expect("it waits");
    assert_eq!(probe.next().await, "dropped", "the old one is gone, and says nothing");
    cast(&address, Msg::Note(2));
    assert_eq!(ractor_script::notes(&address).await, [2], "what waited had gone when it was terminated");
    let _ = app.shutdown().await;
}
