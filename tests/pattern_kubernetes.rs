//! Kubernetes, with its numbers: the rows of its table in `docs/PATTERN.md`.

use std::time::Duration;

use perennial::prelude::*;
use perennial::{Backoff, Probe};
use tokio::time::{Instant, sleep};

use crate::pattern;
use crate::pattern::{
    Life, MINUTE, Running, SECOND, ScriptedPool, Step, Timeline, failed, job, ms, outcome, quick, service,
    start_pool,
};

/// A supervisor that tolerates any number of restarts, as a kubelet does.
fn kubelet() -> Supervisor {
    Supervisor::new("kubelet").intensity(u32::MAX, SECOND)
}

/// `CrashLoopBackOff`: 10 seconds, doubling up to 5 minutes, reset after 10 minutes.
const CRASH_LOOP: Backoff =
    Backoff::new(Duration::from_secs(10), Duration::from_secs(300)).reset_after(Duration::from_secs(600));

/// Returns the seconds of milliseconds that are whole seconds.
fn secs(times: &[u64]) -> Vec<u64> {
    assert!(times.iter().all(|time| time % 1000 == 0), "{times:?}");
    times.iter().map(|time| time / 1000).collect()
}

#[tokio::test(start_paused = true)]
async fn replicas_that_were_killed_are_running_again_at_once() {
    let pods = start_pool(3, Duration::ZERO, |pool| pool).await;
    (0..3).for_each(|slot| pods.kill(slot));
    sleep(ms(1)).await;
    assert_eq!((pods.jobs.stats().workers.running, pods.incarnations(3)), (3, vec![2, 2, 2]));
    pods.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_deleted_by_hand_is_replaced() {
    let pods = start_pool(3, Duration::ZERO, |pool| pool).await;
    pods.jobs.supervisor().terminate_child("1").await.expect("it runs");
    assert_eq!(pods.jobs.stats().workers.running, 2);
    sleep(ms(99)).await;
    assert_eq!(pods.jobs.stats().workers.running, 2);
    sleep(ms(2)).await;
    assert_eq!(pods.jobs.stats().workers.running, 3);
    pods.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_is_restarted_after_10_seconds_doubling_to_5_minutes() {
    let timeline = Timeline::new();
    let pod = service("pod", [Life::End(Duration::ZERO, failed())], &timeline).backoff(CRASH_LOOP);
    let app = kubelet().child(pod).start(&System::new()).await.expect("the tree starts");
    sleep(30 * MINUTE).await;
    let events = timeline.take();
    let starts: Vec<u64> = events.iter().filter(|(what, _)| what == "start pod").map(|(_, at)| *at).collect();
    assert_eq!(secs(&starts), [0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_workers_of_a_pool_have_the_back_off_of_a_crash_loop_too() {
    let pods = start_pool(1, Duration::ZERO, |pool| pool.backoff(CRASH_LOOP).attempts(10)).await;
    let crashing = outcome(pods.submit(job("crash", [Step::Crash])));
    assert_eq!(crashing.await, ["panicked"; 10].join(", "));
    assert_eq!(secs(&pods.timeline.times()), [0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510]);
    pods.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_back_off_of_a_crash_loop_is_reset_after_10_minutes_of_running() {
    for (ran, expected) in [(599, 20), (600, 10)] {
        let timeline = Timeline::new();
        let lives = [0, ran, 10 * 3600].map(|secs| Life::End(secs * SECOND, failed()));
        let pod = service("pod", lives, &timeline).backoff(CRASH_LOOP);
        let app = kubelet().child(pod).start(&System::new()).await.expect("the tree starts");
        sleep(20 * MINUTE).await;
        let starts: Vec<u64> = timeline
            .take()
            .iter()
            .filter(|(what, _)| what == "start pod")
            .map(|(_, at)| *at / 1000)
            .collect();
        assert_eq!(starts, [0, 10, 10 + u64::from(ran) + expected]);
        assert!(app.shutdown().await.is_clean());
    }
}

/// `periodSeconds: 10`, `timeoutSeconds: 1`, `failureThreshold: 3`.
#[tokio::test(start_paused = true)]
async fn a_container_that_misses_3_liveness_probes_of_10_seconds_is_restarted() {
    let timeline = Timeline::new();
    let probed = |name, lives: &[Life]| {
        let container = service(name, lives, &timeline).probe(Probe::new(pattern::ServiceMsg::Ping));
        container.shutdown(Shutdown::BrutalKill)
    };
    let hung = probed("hung", &[Life::Hang, Life::Run]);
    // It answers once, at 10 seconds.
    let hangs_later = probed("later", &[Life::HangAfter(15 * SECOND), Life::Run]);
    let well = probed("well", &[Life::Run]);
    let app = kubelet().children([hung, hangs_later, well]).start(&System::new()).await;
    let app = app.expect("the tree starts");
    sleep(10 * MINUTE).await;
    let first = ["hung", "later", "well"].map(|name| (name, 0));
    // Here the period begins with the missed answer: three times 10 seconds and 1 second.
    let starts = first.into_iter().chain([("hung", 33_000), ("later", 43_000)]);
    let expected: Vec<_> = starts.map(|(name, at)| (format!("start {name}"), at)).collect();
    assert_eq!(timeline.take(), expected);
    assert!(app.shutdown().await.is_clean());
}

/// A `startupProbe` with `periodSeconds: 10` and `failureThreshold: 30`.
#[tokio::test(start_paused = true)]
async fn a_container_has_300_seconds_to_start_and_is_killed_then() {
    for (starts_after, expected) in [(299, Ok(299)), (301, Err(300))] {
        let pod = ScriptedPool::new("pod", 1, (Timeline::new(), starts_after * SECOND));
        let before = Instant::now();
        let started = pod.start_timeout(300 * SECOND).start(&System::new()).await;
        let after = before.elapsed().as_secs();
        assert_eq!(started.as_ref().map(|_| after).map_err(|_| after), expected);
        if let Ok(app) = started {
            assert!(app.shutdown().await.is_clean());
        }
    }
}

/// `terminationGracePeriodSeconds: 30`, and the default here.
#[tokio::test(start_paused = true)]
async fn a_container_has_30_seconds_to_terminate_and_is_killed_then() {
    let grace = Shutdown::Timeout(30 * SECOND);
    for (life, grace, expected, is_noted) in [
        (Life::Stop(29 * SECOND), Some(grace), 29 * SECOND, true),
        (Life::NeverStops, Some(grace), 30 * SECOND, false),
        (Life::NeverStops, None, 5 * SECOND, false),
    ] {
        let timeline = Timeline::new();
        let pod = service("pod", [life], &timeline);
        let pod = if let Some(grace) = grace { pod.shutdown(grace) } else { pod };
        let app = kubelet().child(pod).start(&System::new()).await.expect("the tree starts");
        let before = Instant::now();
        let report = app.shutdown().await;
        assert_eq!(report.unstopped.is_empty(), is_noted, "{report}");
        assert!(report.unstopped.iter().all(|child| !child.abandoned), "{report}");
        assert_eq!(before.elapsed(), expected);
        assert_eq!(timeline.names().contains(&"stop pod".to_owned()), is_noted);
    }
}

/// Returns the fewest workers at any time until a future ends, checked each 100 ms, and how long it
/// took.
async fn fewest_workers(pods: &Running, change: impl Future) -> (usize, Duration) {
    let (before, mut fewest) = (Instant::now(), usize::MAX);
    tokio::pin!(change);
    loop {
        tokio::select! {
            biased;
            _ = &mut change => return (fewest, before.elapsed()),
            () = sleep(ms(100)) => fewest = fewest.min(pods.jobs.stats().workers.running),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_replaces_every_replica_one_after_the_other() {
    let pods = start_pool(3, 5 * SECOND, |pool| pool).await;
    let rollout = async { pods.jobs.rolling_restart().await.expect("the workers restart") };
    let (fewest, time) = fewest_workers(&pods, rollout).await;
    assert_eq!(pods.incarnations(3), [2, 2, 2], "each is a new one");
    assert_eq!((fewest, time), (2, 15 * SECOND), "at most one is down at any time");
    pods.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_under_load_loses_no_job() {
    let pods = start_pool(3, SECOND, |pool| pool).await;
    // A worker has 5 seconds to finish its job. The longer ones start again on another.
    let load = (0..30).map(|n| if n % 10 == 0 { 20 * SECOND } else { SECOND });
    let batch = pods.jobs.submit_many(load.map(|time| job("load", [Step::Work(time)])));
    let batch = batch.await.expect("the jobs are accepted");
    sleep(ms(1)).await;
    pods.jobs.rolling_restart().await.expect("the workers restart");
    let results = batch.join_all().await;
    assert!(pods.jobs.stats().retried_interrupted > 0);
    assert!(results.len() == 30 && results.iter().all(Result::is_ok));
    assert!(results.into_iter().flatten().any(|incarnation| incarnation == 2), "new ones worked");
    pods.close().await;
}

/// A `Job` with `backoffLimit: 6`: its pods are made again after 10 s, 20 s, 40 s, up to 6 minutes.
#[tokio::test(start_paused = true)]
async fn a_job_is_tried_again_6_times_with_its_back_off_and_has_failed_then() {
    const DELAYS: [u64; 9] = [10, 20, 40, 80, 160, 320, 360, 360, 360];
    for backoff_limit in [6, 9] {
        let delay = Backoff::new(10 * SECOND, 6 * MINUTE);
        let set = |pool: ScriptedPool| pool.attempts(backoff_limit as u32 + 1).retry_after(delay);
        let pods = start_pool(1, Duration::ZERO, set).await;
        let failing = outcome(pods.submit(job("job", [Step::Crash])));
        assert_eq!(failing.await, vec!["panicked"; backoff_limit + 1].join(", "));
        assert_eq!(secs(&pods.timeline.gaps()), DELAYS[..backoff_limit]);
        assert_eq!(pods.jobs.drain_dead_jobs().len(), 1);
        pods.close().await;
    }
}

/// `activeDeadlineSeconds`.
#[tokio::test(start_paused = true)]
async fn a_job_is_ended_at_its_deadline() {
    let pods = start_pool(1, Duration::ZERO, |pool| pool.attempts(1).time_limit(100 * SECOND)).await;
    let before = Instant::now();
    assert_eq!(outcome(pods.submit(job("job", [Step::Hang]))).await, "timed out");
    assert_eq!(before.elapsed(), 100 * SECOND);
    pods.close().await;
}

/// A `HorizontalPodAutoscaler`: up under load, down after a quiet time, one at a time.
#[tokio::test(start_paused = true)]
async fn the_number_of_replicas_follows_the_load() {
    let pods = start_pool(1..=4, Duration::ZERO, |pool| pool.scaling(SECOND, 300 * SECOND)).await;
    let load = pods.jobs.submit_many((0..40).map(|_| job("load", [Step::Work(10 * SECOND)])));
    let load = load.await.expect("the jobs are accepted");
    sleep(ms(999)).await;
    assert_eq!(pods.jobs.stats().workers.running, 1, "no job has waited for a second");
    sleep(29 * SECOND).await;
    assert_eq!(pods.jobs.stats().workers.running, 4);
    assert!(load.join_all().await.iter().all(Result::is_ok));
    // The quiet time began when the first worker was idle, at most 10 seconds before.
    sleep(289 * SECOND).await;
    assert_eq!(pods.jobs.stats().workers.running, 4);
    sleep(12 * SECOND).await;
    for workers in [3, 2, 1, 1] {
        assert_eq!(pods.jobs.stats().workers.running, workers);
        sleep(300 * SECOND).await;
    }
    assert_eq!(outcome(pods.submit(quick("one"))).await, "done by 1");
    pods.close().await;
}
