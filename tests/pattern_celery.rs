//! Celery, with its numbers: the rows of its table in `docs/PATTERN.md`.

use std::iter::from_fn;
use std::time::Duration;

use perennial::pool::{JobError, JobEvent, JobStatus, PoolShutdown, RateLimit, SubmitError};
use perennial::{Backoff, Pid, Subscription};
use tokio::time::{Instant, sleep, timeout};

use crate::pattern::{MINUTE, SECOND, Step, Timeline, job, ms, outcome, quick, start_pool};

const NOW: Duration = Duration::ZERO;

fn at(events: &[(&str, u64)]) -> Vec<(String, u64)> {
    events.iter().map(|(what, at)| ((*what).to_owned(), *at)).collect()
}

/// Returns what happened, in seconds since the first event.
fn from_first(timeline: &Timeline) -> Vec<(String, u64)> {
    let events = timeline.take();
    let first = events[0].1;
    events.into_iter().map(|(what, at)| (what, (at - first) / 1000)).collect()
}

/// Returns the worker that started a task last.
fn last_starter(events: &mut Subscription<JobEvent>) -> Pid {
    let starter = |event| if let JobEvent::Started { worker, .. } = event { Some(worker) } else { None };
    from_fn(|| events.try_next()).filter_map(starter).last().expect("a task has started")
}

/// `acks_late` and `task_reject_on_worker_lost`: the task of a lost worker goes to another.
#[tokio::test(start_paused = true)]
async fn the_task_of_a_lost_worker_runs_again_on_another_worker() {
    let celery = start_pool(2, NOW, |pool| pool).await;
    let mut events = celery.jobs.subscribe();
    let task = celery.submit(job("task", [Step::Hang, Step::Work(SECOND)]));
    sleep(SECOND).await;
    let lost = last_starter(&mut events);
    let tree = celery.app.tree();
    let worker = tree.children.iter().find(|child| child.pid == Some(lost)).expect("it runs");
    worker.handle.kill().expect("it runs");
    assert_eq!(outcome(task).await, "done by 1");
    assert_ne!(last_starter(&mut events).identity(), lost.identity());
    assert_eq!(celery.timeline.take(), at(&[("task", 0), ("task", 1_000)]));
    celery.close().await;
}

/// `acks_early`, Celery's default: a task that has started is not started again.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_acknowledged_early_is_not_started_twice() {
    for (step, end) in [(Step::Crash, "panicked"), (Step::Hang, "killed"), (Step::Fail, "error")] {
        let celery = start_pool(1, NOW, |pool| pool.attempts(5).retry_errors(true)).await;
        let task =
            celery.jobs.submit(job("task", [step])).at_most_once().try_submit().expect("there is room");
        sleep(SECOND).await;
        if matches!(step, Step::Hang) {
            celery.kill(0);
        }
        assert_eq!(outcome(task).await, end);
        sleep(MINUTE).await;
        assert_eq!(celery.timeline.take(), at(&[("task", 0)]));
        celery.close().await;
    }
}

/// `autoretry_for`, `max_retries=3`, `retry_backoff=True`: after 1, 2 and 4 seconds.
#[tokio::test(start_paused = true)]
async fn a_failing_task_is_retried_3_times_after_1_2_and_4_seconds() {
    let celery = start_pool(2, NOW, |pool| {
        pool.retry_errors(true).attempts(4).retry_after(Backoff::new(SECOND, 600 * SECOND))
    })
    .await;
    assert_eq!(outcome(celery.submit(job("task", [Step::Fail]))).await, "error, error, error, error");
    assert_eq!(celery.timeline.times(), [0, 1_000, 3_000, 7_000]);
    let cured = celery.submit(job("cured", [Step::Fail, Step::Fail, Step::Work(NOW)]));
    assert_eq!(outcome(cured).await, "done by 1");
    assert_eq!(celery.timeline.gaps(), [1_000, 2_000]);
    celery.close().await;
}

/// `retry_backoff_max=600`.
#[tokio::test(start_paused = true)]
async fn the_delay_of_retries_grows_to_600_seconds() {
    let celery = start_pool(1, NOW, |pool| {
        pool.retry_errors(true).attempts(13).retry_after(Backoff::new(SECOND, 600 * SECOND))
    })
    .await;
    outcome(celery.submit(job("task", [Step::Fail]))).await;
    let gaps: Vec<u64> = celery.timeline.gaps().into_iter().map(|gap| gap / 1000).collect();
    assert_eq!(gaps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    celery.close().await;
}

/// A task that returns an error and has no `autoretry_for` has failed.
#[tokio::test(start_paused = true)]
async fn an_error_is_the_result_of_a_task_that_is_not_retried() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    assert_eq!(outcome(celery.submit(job("task", [Step::Fail]))).await, "error");
    assert_eq!(celery.timeline.times(), [0]);
    assert_eq!(celery.jobs.drain_dead_jobs().len(), 1, "it is kept");
    celery.close().await;
}

/// `time_limit`. Celery kills the worker process; here only the task ends.
#[tokio::test(start_paused = true)]
async fn a_task_that_exceeds_its_time_limit_is_ended_at_that_time() {
    let celery = start_pool(1, NOW, |pool| pool.time_limit(120 * SECOND).attempts(1)).await;
    let (slow, next) = (celery.submit(job("slow", [Step::Hang])), celery.submit(quick("next")));
    assert_eq!(outcome(slow).await, "timed out");
    assert_eq!(outcome(next).await, "done by 1");
    assert_eq!(celery.timeline.take(), at(&[("slow", 0), ("next", 120_000)]));
    celery.close().await;
}

/// `rate_limit="10/m"` of a task type: one in 6 seconds. Other types are not limited.
#[tokio::test(start_paused = true)]
async fn ten_tasks_of_a_type_start_per_minute_evenly_spaced_and_others_at_once() {
    let limit = RateLimit::per(10, MINUTE);
    let celery = start_pool(1, NOW, |pool| pool.rate_for(&"mail", limit)).await;
    for _ in 0..3 {
        let mail = celery.jobs.submit(quick("mail")).rate_key(&"mail");
        mail.detach().await.expect("it is accepted");
    }
    for _ in 0..2 {
        let other = celery.jobs.submit(quick("other")).rate_key(&"other");
        other.detach().await.expect("it is accepted");
    }
    celery.jobs.drain().await;
    let expected = [("mail", 0), ("other", 0), ("other", 0), ("mail", 6), ("mail", 12)];
    assert_eq!(from_first(&celery.timeline), at(&expected));

    // `app.control.rate_limit("mail", "60/m")`.
    celery.jobs.set_rate_for(&"mail", RateLimit::per(60, MINUTE)).expect("it is a limit");
    for _ in 0..3 {
        let mail = celery.jobs.submit(quick("mail")).rate_key(&"mail");
        mail.detach().await.expect("it is accepted");
    }
    celery.jobs.drain().await;
    assert_eq!(from_first(&celery.timeline), at(&[("mail", 0), ("mail", 1), ("mail", 2)]));
    celery.close().await;
}

/// `countdown` and `eta`.
#[tokio::test(start_paused = true)]
async fn a_task_with_a_countdown_starts_when_it_is_over_and_holds_back_no_other() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    let late = celery.jobs.submit(quick("late")).delay(10 * SECOND).try_submit().expect("there is room");
    let now = celery.submit(quick("now"));
    assert_eq!((outcome(now).await, outcome(late).await), ("done by 1".into(), "done by 1".into()));
    assert_eq!(celery.timeline.take(), at(&[("now", 0), ("late", 10_000)]));
    celery.close().await;
}

/// `expires`.
#[tokio::test(start_paused = true)]
async fn a_task_that_has_not_started_when_it_expires_is_not_started() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    let busy = celery.submit(job("busy", [Step::Work(2 * MINUTE)]));
    let stale = celery.jobs.submit(quick("stale")).expires_in(MINUTE).try_submit().expect("there is room");
    let before = Instant::now();
    assert_eq!(outcome(stale).await, "expired");
    assert_eq!(before.elapsed(), MINUTE);
    assert_eq!(outcome(busy).await, "done by 1");
    assert_eq!(celery.timeline.names(), ["busy"]);
    celery.close().await;
}

/// `priority`.
#[tokio::test(start_paused = true)]
async fn tasks_of_a_higher_priority_start_first_and_equal_ones_in_order() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    celery.jobs.pause();
    for (name, priority) in [("a", 0), ("b", 9), ("c", 3), ("d", 9)] {
        celery.jobs.submit(quick(name)).priority(priority).detach().await.expect("it is accepted");
    }
    celery.jobs.resume();
    celery.jobs.drain().await;
    assert_eq!(celery.timeline.names(), ["b", "d", "c", "a"]);
    celery.close().await;
}

/// A warm shutdown: what was accepted is done, and nothing is accepted any more.
#[tokio::test(start_paused = true)]
async fn a_warm_shutdown_waits_for_all_tasks_and_accepts_none() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    let tasks = [(); 3].map(|()| celery.submit(job("task", [Step::Work(5 * SECOND)])));
    let (jobs, before) = (celery.jobs.clone(), Instant::now());
    let stop = tokio::spawn(async move { jobs.stop(PoolShutdown::Drain).await });
    sleep(SECOND).await;
    assert!(matches!(celery.jobs.submit(quick("late")).try_submit(), Err(SubmitError::Closed(_))));
    timeout(MINUTE, stop).await.expect("it ends").expect("it does not panic");
    assert_eq!(before.elapsed(), 15 * SECOND);
    for task in tasks {
        assert_eq!(outcome(task).await, "done by 1");
    }
    celery.close().await;
}

/// A cold shutdown: running tasks end at once.
#[tokio::test(start_paused = true)]
async fn a_cold_shutdown_drops_running_and_queued_tasks_at_once() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    let tasks = [(); 2].map(|()| celery.submit(job("task", [Step::Hang])));
    sleep(SECOND).await;
    let before = Instant::now();
    celery.jobs.stop(PoolShutdown::Abort).await;
    assert_eq!(before.elapsed(), NOW);
    for task in tasks {
        assert_eq!(outcome(task).await, "dropped");
    }
    celery.close().await;
}

/// Waiting until all that was submitted is done.
#[tokio::test(start_paused = true)]
async fn a_drain_waits_until_running_delayed_and_retried_tasks_are_done() {
    let celery = start_pool(2, NOW, |pool| {
        pool.retry_errors(true).retry_after(Backoff::new(20 * SECOND, 20 * SECOND))
    })
    .await;
    let before = Instant::now();
    let long = celery.submit(job("long", [Step::Work(5 * SECOND)]));
    celery.jobs.drain().await;
    assert_eq!(before.elapsed(), 5 * SECOND);
    let retried = celery.submit(job("retried", [Step::Fail, Step::Work(SECOND)]));
    celery.jobs.submit(quick("late")).delay(7 * SECOND).detach().await.expect("it is accepted");
    celery.jobs.drain().await;
    assert_eq!(before.elapsed(), 26 * SECOND);
    assert_eq!(celery.jobs.stats().completed, 3);
    for task in [long, retried] {
        assert!(outcome(task).await.starts_with("done"));
    }
    celery.close().await;
}

/// `result_expires`, a day by default in Celery.
#[tokio::test(start_paused = true)]
async fn the_result_of_a_task_is_there_by_its_id_for_a_day() {
    const DAY: Duration = Duration::from_secs(86_400);
    let celery = start_pool(1, NOW, |pool| pool.retain_results(100, DAY)).await;
    let task = celery.jobs.submit(quick("task")).detach().await.expect("it is accepted");
    celery.jobs.drain().await;
    sleep(DAY - ms(1)).await;
    let result = celery.jobs.job(task).expect("it is kept");
    assert_eq!(result.status(), JobStatus::Succeeded);
    assert_eq!(outcome(result).await, "done by 1");
    sleep(ms(2)).await;
    assert!(celery.jobs.job(task).is_none());
    celery.close().await;
}

/// `worker_max_tasks_per_child=2`. The end of the worker is no failure, so there is no delay.
#[tokio::test(start_paused = true)]
async fn a_worker_is_replaced_after_its_number_of_tasks() {
    let celery = start_pool(1, NOW, |pool| pool.max_jobs(2).backoff(Backoff::new(MINUTE, MINUTE))).await;
    let before = Instant::now();
    let mut ends = Vec::new();
    for _ in 0..5 {
        ends.push(outcome(celery.submit(quick("task"))).await);
    }
    assert_eq!(ends, ["done by 1", "done by 1", "done by 2", "done by 2", "done by 3"]);
    assert_eq!(before.elapsed(), NOW, "without a delay");
    celery.close().await;
}

/// `revoke` of a waiting task, and `revoke(terminate=True)` of a running one.
#[tokio::test(start_paused = true)]
async fn a_revoked_task_does_not_start_or_ends_at_once() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    let (running, waiting) = (celery.submit(job("running", [Step::Hang])), celery.submit(quick("waiting")));
    let next = celery.submit(quick("next"));
    sleep(SECOND).await;
    assert!(waiting.cancel() && running.cancel());
    assert_eq!(outcome(next).await, "done by 1", "the worker goes on");
    assert_eq!((outcome(running).await, outcome(waiting).await), ("cancelled".into(), "cancelled".into()));
    assert_eq!(celery.timeline.take(), at(&[("running", 0), ("next", 1_000)]));
    celery.close().await;
}

/// A group: one task that fails leaves the others alone, and all results come in order.
#[tokio::test(start_paused = true)]
async fn a_failing_task_of_a_group_leaves_the_others_alone() {
    let celery = start_pool(3, NOW, |pool| pool.attempts(1)).await;
    let group = [
        job("slow", [Step::Work(10 * SECOND)]),
        job("crashing", [Step::Crash]),
        job("other", [Step::Work(5 * SECOND)]),
    ];
    let before = Instant::now();
    let results = celery.jobs.submit_many(group).await.expect("they are accepted").join_all().await;
    assert!(matches!(results[..], [Ok(1), Err(_), Ok(1)]));
    assert_eq!(before.elapsed(), 10 * SECOND);
    celery.close().await;
}

/// `group.apply_async(countdown=10, priority=9)`: the options are those of each task.
#[tokio::test(start_paused = true)]
async fn the_options_of_a_group_hold_for_each_of_its_tasks() {
    let celery = start_pool(1, NOW, |pool| pool).await;
    let busy = celery.submit(job("busy", [Step::Work(20 * SECOND)]));
    sleep(ms(1)).await;
    let plain = celery.submit(quick("plain"));
    let group = [job("first", [Step::Work(SECOND)]), quick("second")];
    let group = celery.jobs.submit_many(group).priority(9).delay(10 * SECOND).await;
    let results = group.expect("they are accepted").join_all().await;
    assert!(matches!(results[..], [Ok(1), Ok(1)]));
    assert_eq!((outcome(busy).await, outcome(plain).await), ("done by 1".into(), "done by 1".into()));
    let times = [("busy", 0), ("first", 20_000), ("second", 21_000), ("plain", 21_000)];
    assert_eq!(celery.timeline.take(), at(&times));
    let later = celery.jobs.submit_many([quick("later"), quick("later")]).delay(10 * SECOND).await;
    assert_eq!(later.expect("they are accepted").join_all().await.len(), 2);
    assert_eq!(celery.timeline.times(), [31_000, 31_000]);
    celery.close().await;
}

/// `GroupResult.revoke(terminate=True)`: two tasks run, one has ended and the others wait.
#[tokio::test(start_paused = true)]
async fn a_revoked_group_ends_its_running_tasks_and_starts_no_other() {
    let celery = start_pool(2, NOW, |pool| pool).await;
    let (quick, hang, waits) = (quick("quick"), job("hang", [Step::Hang]), quick("waits"));
    let group = [quick, hang.clone(), hang, waits.clone(), waits];
    let group = celery.jobs.submit_many(group).await.expect("they are accepted");
    let other = celery.submit(job("other", [Step::Work(NOW)]));
    sleep(SECOND).await;
    assert_eq!((group.completed(), group.cancel(), group.completed()), (1, 4, 5));
    assert_eq!(outcome(other).await, "done by 1", "the workers go on");
    let results = group.join_all().await;
    let (done, revoked) = results.split_at(1);
    assert!(matches!(done, [Ok(1)]));
    assert!(revoked.iter().all(|result| matches!(result, Err(JobError::Cancelled(_)))));
    assert_eq!(celery.timeline.take(), at(&[("quick", 0), ("hang", 0), ("hang", 0), ("other", 1_000)]));
    celery.close().await;
}

/// Backpressure: a full queue makes submitters wait.
#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_submitter_wait_for_room() {
    let celery = start_pool(1, NOW, |pool| pool.capacity(1)).await;
    let busy = celery.submit(job("busy", [Step::Work(SECOND)]));
    sleep(ms(1)).await;
    let queued = celery.submit(quick("queued"));
    assert!(matches!(celery.jobs.submit(quick("refused")).try_submit(), Err(SubmitError::Full(_))));
    let before = Instant::now();
    let waited = celery.jobs.submit(quick("waited")).await.expect("there is room in the end");
    assert_eq!(before.elapsed(), ms(999));
    for task in [busy, queued, waited] {
        assert_eq!(outcome(task).await, "done by 1");
    }
    celery.close().await;
}
