//! Delays before restarts: how long they are, what counts before them, and what goes on during
//! them.

use std::time::Duration;

use perennial_actors::{Address, System};
use perennial_registry::{Name, Registry};
use perennial_supervision::{
    App, Backoff, Child, ChildError, ChildState, ReportKind, Shutdown, Supervisor, SupervisorHandle,
};
use tokio::time::{Instant, sleep};

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, tell};

fn backoff() -> Backoff {
    Backoff::new(ms(100), secs(1))
}

/// A supervisor that never gives up.
fn patient() -> Supervisor {
    Supervisor::new("app").intensity(1000, secs(1000))
}

async fn start(tree: Supervisor) -> (Reports, App<SupervisorHandle>) {
    let system = System::new();
    let app = tree.start(&system).await.expect("it starts");
    (Reports::of(&system), app)
}

/// Returns the delay of the next restart, and the number of further tolerated restarts.
async fn next_restart(reports: &mut Reports) -> (Duration, u32) {
    loop {
        if let ReportKind::Restarting { delay, restarts_left, .. } = reports.next().await.kind {
            return (delay, restarts_left);
        }
    }
}

/// The delays of so many crashes, each as soon as the child is back.
async fn delays(address: &Address<Msg>, reports: &mut Reports, crashes: usize) -> Vec<Duration> {
    let mut delays = Vec::new();
    for _ in 0..crashes {
        tell(address, Msg::crash());
        delays.push(next_restart(reports).await.0);
        incarnation(address).await;
    }
    delays
}

#[tokio::test(start_paused = true)]
async fn each_delay_is_twice_the_one_before_up_to_the_cap() {
    let log = Log::new();
    let child = Script::plain(&log).child("a").backoff(backoff());
    let address = child.address();
    let (mut reports, _app) = start(patient().child(child)).await;
    let expected = [100, 200, 400, 800, 1000, 1000].map(ms);
    assert_eq!(delays(&address, &mut reports, 6).await, expected);
    let times = log.take().into_iter().filter_map(|line| Some(line.strip_suffix(" a starts")?.to_owned()));
    assert_eq!(
        times.collect::<Vec<_>>(),
        ["0", "100", "300", "700", "1500", "2500", "3500"],
        "so long it took"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_backoff_there_is_no_delay() {
    let (child, begun) = (scripted("a"), Instant::now());
    let address = child.address();
    let (mut reports, _app) = start(patient().child(child)).await;
    assert_eq!(delays(&address, &mut reports, 20).await, [Duration::ZERO; 20]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// The delays of a child in a tree of its own.
async fn delays_with(backoff: Backoff, older_siblings: usize) -> Vec<Duration> {
    let child = scripted("a").backoff(backoff);
    let address = child.address();
    let siblings = ["x", "y", "z"].into_iter().take(older_siblings).map(scripted);
    let (mut reports, _app) = start(patient().children(siblings).child(child)).await;
    delays(&address, &mut reports, 8).await
}

#[tokio::test(start_paused = true)]
async fn jitter_adds_up_to_its_part_and_the_same_with_the_same_seed() {
    let bare = delays_with(backoff(), 0).await;
    for part in [0.2, 1.0] {
        let jittery = backoff().jitter(part);
        let first = delays_with(jittery.seed(7), 0).await;
        assert_eq!(delays_with(jittery.seed(7), 0).await, first, "the same seed, and the same place");
        assert_ne!(delays_with(jittery.seed(8), 0).await, first, "another seed");
        assert_ne!(delays_with(jittery.seed(7), 1).await, first, "another child");
        assert_ne!(delays_with(jittery, 0).await, delays_with(jittery, 0).await, "no seed");
        for (delay, bare) in first.iter().zip(&bare) {
            assert!(delay > bare && *delay <= bare.mul_f64(1.0 + part), "{delay:?} for {bare:?}");
        }
    }
}

#[test]
fn a_delay_is_within_its_bounds_whatever_it_is_asked() {
    for (first, cap) in [(0, 0), (1, 10), (100, 1), (1, u64::MAX), (u64::MAX, u64::MAX)] {
        let (first, cap) = (secs(first), secs(cap));
        for part in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, 0.3, 1.0, 7.0, f64::INFINITY] {
            let jittery = Backoff::new(first, cap).jitter(part);
            for failures in [0, 1, 2, 31, 32, 33, u32::MAX] {
                let bare = Backoff::new(first, cap).delay(failures, 1.0);
                assert!(bare >= first && bare <= cap.max(first));
                for draw in [f64::NAN, -1.0, 0.0, 0.5, 1.0, 7.0] {
                    let delay = jittery.delay(failures, draw);
                    assert!(
                        delay >= bare && delay <= bare.saturating_mul(2),
                        "{jittery:?}, {failures}, {draw}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_healthy_begins_anew() {
    for (up, expected) in [(ms(2999), 400), (ms(3000), 100)] {
        let child = scripted("a").backoff(backoff().reset_after(secs(3)));
        let address = child.address();
        let (mut reports, _app) = start(patient().child(child)).await;
        delays(&address, &mut reports, 2).await;
        sleep(up).await;
        assert_eq!(delays(&address, &mut reports, 1).await, [ms(expected)], "up for {up:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_healthy_begins_anew_whatever_ended_it() {
    use perennial_supervision::Strategy::OneForAll;
    let backoff = backoff().reset_after(secs(3));
    let child = scripted("a").backoff(backoff).handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill);
    let (address, sibling) = (child.address(), scripted("b"));
    let crashes = sibling.address();
    let (mut reports, app) = start(patient().strategy(OneForAll).child(child).child(sibling)).await;

    delays(&address, &mut reports, 3).await;
    sleep(secs(3)).await;
    tell(&address, Msg::Hang);
    assert_eq!(next_restart(&mut reports).await.0, ms(100), "it hung");
    incarnation(&address).await;

    delays(&address, &mut reports, 3).await;
    sleep(secs(3)).await;
    tell(&crashes, Msg::crash());
    incarnation(&crashes).await;
    next_restart(&mut reports).await;
    assert_eq!(delays(&address, &mut reports, 1).await, [ms(100)], "it was stopped for its sibling");

    sleep(secs(3)).await;
    app.supervisor().terminate_child("a").await.expect("it is down");
    app.supervisor().restart_child("a").await.expect("it starts");
    assert_eq!(delays(&address, &mut reports, 1).await, [ms(100)], "it was stopped by hand");
}

#[tokio::test(start_paused = true)]
async fn a_restart_counts_before_its_delay_and_a_supervisor_gives_up_at_once() {
    let child = scripted("a").backoff(backoff());
    let (address, begun) = (child.address(), Instant::now());
    let (mut reports, app) = start(Supervisor::new("app").intensity(2, secs(60)).child(child)).await;
    for (delay, left) in [(100, 1), (200, 0)] {
        tell(&address, Msg::crash());
        assert_eq!(next_restart(&mut reports).await, (ms(delay), left));
        incarnation(&address).await;
    }
    tell(&address, Msg::crash());
    app.join().await;
    assert_eq!(begun.elapsed(), ms(300), "without a delay");
    assert_eq!(reports.until("app: gave up: a").await.len(), 3, "started, terminated, and that");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_gives_up_during_a_delay_when_a_sibling_ends_too() {
    let (child, sibling) = (scripted("a").backoff(backoff()), scripted("b"));
    let (address, other) = (child.address(), sibling.address());
    let (mut reports, app) = start(Supervisor::new("app").child(child).child(sibling)).await;
    tell(&address, Msg::crash());
    next_restart(&mut reports).await;
    let begun = Instant::now();
    tell(&other, Msg::crash());
    app.join().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(
        reports.until("app: gave up: b").await.contains(&"app/b: terminated: failed: on purpose".to_owned())
    );
}

/// A tree with one child, at the beginning of a delay of 100 ms.
async fn delayed(child: Child<Msg>) -> (Address<Msg>, Reports, App<SupervisorHandle>) {
    let child = child.backoff(backoff());
    let address = child.address();
    let (mut reports, app) = start(patient().child(child)).await;
    tell(&address, Msg::crash());
    next_restart(&mut reports).await;
    (address, reports, app)
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_by_hand_during_its_delay_does_not_come_back() {
    let (address, mut reports, app) = delayed(scripted("a")).await;
    let (supervisor, begun) = (app.supervisor(), Instant::now());
    assert_eq!(app.tree().at(["a"]).expect("it is there").state, ChildState::Restarting);
    assert!(matches!(supervisor.restart_child("a").await, Err(ChildError::Restarting)));
    assert!(matches!(supervisor.delete_child("a").await, Err(ChildError::Restarting)));
    supervisor.terminate_child("a").await.expect("it is down");
    assert!(address.cast(Msg::Hang).is_err(), "no incarnation is due");
    sleep(secs(10)).await;
    assert_eq!(reports.so_far(), [""; 0]);
    assert_eq!(begun.elapsed(), secs(10));

    supervisor.restart_child("a").await.expect("it starts");
    assert_eq!(begun.elapsed(), secs(10), "at once");
    assert_eq!(incarnation(&address).await, 2);
    sleep(secs(10)).await;
    assert_eq!(reports.so_far(), ["app/a: started"], "nothing is left of the delay");

    supervisor.terminate_child("a").await.expect("it is down");
    assert!(supervisor.delete_child("a").await.is_ok(), "it is down");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_started_by_hand_during_its_old_delay_is_not_started_twice() {
    let (address, mut reports, app) = delayed(scripted("a")).await;
    app.supervisor().terminate_child("a").await.expect("it is down");
    app.supervisor().restart_child("a").await.expect("it starts");
    sleep(secs(1)).await;
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(reports.so_far(), ["app/a: started"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_a_delay_is_prompt() {
    let (address, mut reports, app) = delayed(scripted("a")).await;
    let begun = Instant::now();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(address.cast(Msg::Hang).is_err());
    sleep(secs(10)).await;
    assert_eq!(reports.so_far(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn messages_wait_during_a_delay_and_are_handled_after_it() {
    let log = Log::new();
    let (address, _, _app) = delayed(Script::plain(&log).child("a")).await;
    for note in ["first", "second", "third"] {
        tell(&address, Msg::Note(note));
    }
    assert!(
        address.stop(perennial_actors::ExitReason::shutdown()).is_err(),
        "no incarnation is left to stop"
    );
    assert_eq!(incarnation(&address).await, 2, "a call waits too");
    let notes = ["0 a starts", "0 a stops", "100 a starts", "100 a first", "100 a second", "100 a third"];
    assert_eq!(log.take(), notes);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_found_during_a_delay() {
    const NAME: Name<Msg> = Name::new("a");
    let child = scripted("a").named(NAME).backoff(backoff());
    let (address, system) = (child.address(), System::new());
    let _app = patient().child(child).start(&system).await.expect("it starts");
    let down = address.monitor();
    tell(&address, Msg::crash());
    down.await;
    assert!(address.pid().is_none(), "it is down");
    let begun = Instant::now();
    let found = Registry::of(&system).whereis(&NAME).expect("it is found");
    assert_eq!(incarnation(&found).await, 2);
    assert_eq!(begun.elapsed(), ms(100));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_tried_again_after_a_longer_delay() {
    let log = Log::new();
    let script = Script::plain(&log)
        .with_init(|n| if (2..=4).contains(&n) { InitStep::Fail } else { InitStep::Succeed });
    let child = script.child("a").backoff(backoff());
    let address = child.address();
    let (mut reports, _app) = start(patient().child(child)).await;
    tell(&address, Msg::crash());
    let mut delays = Vec::new();
    for _ in 0..4 {
        delays.push(next_restart(&mut reports).await);
    }
    assert_eq!(delays, [(ms(100), 999), (ms(200), 998), (ms(400), 997), (ms(800), 996)], "each counts");
    assert_eq!(incarnation(&address).await, 5);
    assert_eq!(log.take(), ["0 a starts", "0 a stops", "1500 a starts"]);
}

#[tokio::test(start_paused = true)]
async fn a_first_start_that_fails_is_not_tried_again() {
    let child = Script::plain(&Log::new()).with_init(|_| InitStep::Fail).child("a").backoff(backoff());
    let begun = Instant::now();
    assert!(patient().child(child).start(&System::new()).await.is_err());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
