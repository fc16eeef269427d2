//! systemd, with its numbers: the rows of its table in `docs/PATTERN.md`.

use std::time::Duration;

use perennial::prelude::*;
use perennial::{App, Backoff, ReportKind, StartError, SupervisorHandle, SupervisorReport};
use tokio::time::{Instant, sleep};

use crate::pattern::{Life, MINUTE, SECOND, Timeline, failed, ms, service};

/// A supervisor that tolerates any number of restarts: a unit without a start limit.
fn manager() -> Supervisor {
    Supervisor::new("systemd").intensity(u32::MAX, SECOND)
}

async fn start(supervisor: Supervisor) -> App<SupervisorHandle> {
    supervisor.start(&System::new()).await.expect("the tree starts")
}

/// Returns the times at which units started.
fn starts(timeline: &Timeline) -> Vec<u64> {
    timeline.take().into_iter().filter(|(what, _)| what.starts_with("start")).map(|(_, at)| at).collect()
}

/// The table of `Restart=` in systemd.service(5): clean exit, failure, crash.
#[tokio::test(start_paused = true)]
async fn restart_no_on_failure_and_always_are_those_of_units() {
    let reasons = [ExitReason::Normal, ExitReason::shutdown(), failed(), ExitReason::Killed];
    for (restart, expected) in [
        (Restart::Temporary, [1, 1, 1, 1]),
        (Restart::Transient, [1, 1, 2, 2]),
        (Restart::Permanent, [2, 2, 2, 2]),
    ] {
        for (reason, expected) in reasons.iter().zip(expected) {
            let timeline = Timeline::new();
            let lives = [Life::End(SECOND, reason.clone()), Life::Run];
            let app = start(manager().child(service("unit", lives, &timeline).restart(restart))).await;
            sleep(MINUTE).await;
            assert_eq!(starts(&timeline).len(), expected, "{restart:?} after {reason:?}");
            assert!(app.shutdown().await.is_clean());
        }
    }
}

/// `Restart=on-failure`: a kill is what a signal is to a unit.
#[tokio::test(start_paused = true)]
async fn a_unit_with_restart_on_failure_is_restarted_after_it_was_killed() {
    let timeline = Timeline::new();
    let unit = service("unit", [Life::Run], &timeline).restart(Restart::Transient);
    let app = start(manager().child(unit)).await;
    app.supervisor().child("unit").expect("it runs").kill().expect("it runs");
    sleep(ms(1)).await;
    assert_eq!(starts(&timeline), [0, 0]);
    assert!(app.shutdown().await.is_clean());
}

/// `RestartSec=100ms`, the default: after a long run and after failures in a row.
#[tokio::test(start_paused = true)]
async fn a_unit_is_restarted_after_its_restart_sec_each_time() {
    let timeline = Timeline::new();
    let end = |time| Life::End(time, failed());
    let lives = [end(SECOND), end(Duration::ZERO), end(Duration::ZERO), end(SECOND), Life::Run];
    let unit = service("unit", lives, &timeline).backoff(Backoff::new(ms(100), ms(100)));
    let app = start(manager().child(unit)).await;
    sleep(MINUTE).await;
    assert_eq!(starts(&timeline), [0, 1_100, 1_200, 1_300, 2_400]);
    assert!(app.shutdown().await.is_clean());
}

/// `RestartSteps=3` and `RestartMaxDelaySec=` of 100 ms to 2.7 s: equal factors.
#[tokio::test(start_paused = true)]
async fn the_delay_grows_to_restart_max_delay_sec_in_restart_steps() {
    let timeline = Timeline::new();
    let backoff = Backoff::new(ms(100), ms(2_700)).factor(27_f64.powf(1.0 / 3.0));
    let unit = service("unit", [Life::End(Duration::ZERO, failed())], &timeline).backoff(backoff);
    let app = start(manager().child(unit)).await;
    sleep(ms(9_500)).await;
    let starts = starts(&timeline);
    let gaps: Vec<u64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [100, 300, 900, 2_700, 2_700, 2_700]);
    assert!(app.shutdown().await.is_clean());
}

/// `StartLimitBurst=5` in `StartLimitIntervalSec=10s`, the defaults: a first start and four
/// restarts.
#[tokio::test(start_paused = true)]
async fn five_starts_in_10_seconds_are_the_limit_and_slower_restarts_go_on() {
    // The fifth start is at most 10 seconds after the first, or more.
    for (restart_sec, expected) in [(100, Some(5)), (2_500, Some(5)), (2_501, None)] {
        let timeline = Timeline::new();
        let unit = service("unit", [Life::End(Duration::ZERO, failed())], &timeline)
            .backoff(Backoff::new(ms(restart_sec), ms(restart_sec)));
        let units = Supervisor::new("units").intensity(4, 10 * SECOND).restart(Restart::Temporary);
        let app = start(manager().child(units.child(unit))).await;
        sleep(10 * MINUTE).await;
        let starts = starts(&timeline);
        match expected {
            Some(expected) => {
                assert_eq!(starts, (0..expected).map(|n| n * restart_sec).collect::<Vec<u64>>());
                assert!(app.tree().at(["units"]).is_none(), "the unit has failed");
            }
            None => assert_eq!(starts.len(), 240, "one in each 2.501 seconds"),
        }
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_exceeds_its_start_limit_leaves_other_units_alone() {
    let (system, timeline) = (System::new(), Timeline::new());
    let mut reports = system.subscribe::<SupervisorReport>();
    let unit = service("failing", [Life::End(Duration::ZERO, failed())], &timeline);
    let units = Supervisor::new("limited").intensity(4, 10 * SECOND).restart(Restart::Temporary);
    let other = service("other", [Life::Run], &timeline);
    let manager = manager().child(units.child(unit)).child(other);
    let app = manager.start(&system).await.expect("the tree starts");
    sleep(MINUTE).await;
    let names = timeline.names();
    let count = |name: &str| names.iter().filter(|other| *other == name).count();
    assert_eq!((count("start failing"), count("start other"), count("stop other")), (5, 1, 0));
    let kinds: Vec<_> = std::iter::from_fn(|| reports.try_next()).map(|report| report.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| matches!(kind, ReportKind::GaveUp { .. })).count(), 1);
    assert!(app.shutdown().await.is_clean());
}

/// `WatchdogSec=20`.
#[tokio::test(start_paused = true)]
async fn a_unit_that_makes_no_progress_within_its_watchdog_sec_is_restarted() {
    let timeline = Timeline::new();
    let hung = service("hung", [Life::Hang, Life::Run], &timeline)
        .handler_deadline(20 * SECOND)
        .shutdown(Shutdown::BrutalKill);
    let well = service("well", [Life::Run], &timeline).handler_deadline(20 * SECOND);
    let app = start(manager().child(hung).child(well)).await;
    sleep(10 * MINUTE).await;
    let expected = [("start hung", 0), ("start well", 0), ("start hung", 20_000)];
    assert_eq!(timeline.take(), expected.map(|(what, at)| (what.to_owned(), at)));
    assert!(app.shutdown().await.is_clean());
}

/// `TimeoutStartSec=90`, the default.
#[tokio::test(start_paused = true)]
async fn a_unit_that_does_not_start_within_90_seconds_has_failed() {
    let (timeline, before) = (Timeline::new(), Instant::now());
    let unit = service("unit", [Life::NeverStarts], &timeline).start_timeout(90 * SECOND);
    let failed = manager().child(unit).start(&System::new()).await.expect_err("it does not start");
    assert!(matches!(failed, StartError::Failed(_)), "{failed}");
    assert_eq!(before.elapsed(), 90 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_takes_90_seconds_is_repeated() {
    let timeline = Timeline::new();
    let lives = [Life::End(SECOND, failed()), Life::NeverStarts, Life::Run];
    let unit = service("unit", lives, &timeline).start_timeout(90 * SECOND);
    let app = start(manager().child(unit)).await;
    sleep(10 * MINUTE).await;
    assert_eq!(starts(&timeline), [0, 1_000, 91_000]);
    assert!(app.shutdown().await.is_clean());
}

/// `TimeoutStopSec=90`, the default, and `SIGKILL` after it.
#[tokio::test(start_paused = true)]
async fn a_unit_has_90_seconds_to_stop_and_is_killed_then() {
    for (life, expected, is_noted) in
        [(Life::Stop(89 * SECOND), 89 * SECOND, true), (Life::NeverStops, 90 * SECOND, false)]
    {
        let timeline = Timeline::new();
        let unit = service("unit", [life], &timeline).shutdown(Shutdown::Timeout(90 * SECOND));
        let app = start(manager().child(unit)).await;
        let before = Instant::now();
        let report = app.shutdown().await;
        assert_eq!(report.unstopped.is_empty(), is_noted, "{report}");
        assert!(report.unstopped.iter().all(|child| !child.abandoned), "{report}");
        assert_eq!(before.elapsed(), expected);
        assert_eq!(timeline.names().contains(&"stop unit".to_owned()), is_noted);
    }
}

/// `After=`: units start in order and stop in reverse order.
#[tokio::test(start_paused = true)]
async fn units_start_in_order_and_stop_in_reverse_order() {
    let timeline = Timeline::new();
    let units = ["database", "cache", "web"].map(|name| service(name, [Life::Stop(SECOND)], &timeline));
    let app = start(manager().children(units)).await;
    assert!(app.shutdown().await.is_clean());
    let expected = [
        ("start database", 0),
        ("start cache", 0),
        ("start web", 0),
        ("stop web", 1_000),
        ("stop cache", 2_000),
        ("stop database", 3_000),
    ];
    assert_eq!(timeline.take(), expected.map(|(what, at)| (what.to_owned(), at)));
}
