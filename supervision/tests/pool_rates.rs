//! Rate limits: smooth, bursty and by kind of job, and their changes while the pool runs.

use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::pool::RateLimit;
use perennial_supervision::{SpecError, StartError};
use tokio::time::{Instant, sleep};

use crate::support::pool::{
    Running, ScriptedJob, ScriptedPool, Step, job, long, ms, now, outcome_of, pends, quick, quiet,
    scripted_pool, secs, start,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Starts a pool with these settings. The journal begins when it has started.
async fn start_with(size: usize, set: impl FnOnce(ScriptedPool) -> ScriptedPool) -> Running {
    let (pool, journal) = scripted_pool(size);
    start((set(pool), journal)).await
}

/// Submits a quick job of a kind; there must be room.
fn submit(running: &Running, number: u64, kind: &str) -> ScriptedJob {
    now(running.pool.submit(quick(number)).rate_key(&kind))
}

async fn all_done(jobs: impl IntoIterator<Item = ScriptedJob>) {
    for job_handle in jobs {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
}

/// Returns the jobs and their start times, from the first start on.
fn starts(running: &Running) -> Vec<(u64, u64)> {
    let begun = running.journal.take();
    begun.iter().map(|attempt| (attempt.job, attempt.at - begun[0].at)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_smooth_rate_starts_jobs_evenly_spaced() {
    let running = start_with(4, |pool| pool.rate(RateLimit::per(10, MINUTE))).await;
    sleep(MINUTE).await;
    all_done(running.submit_all(1..=4)).await;
    assert_eq!(starts(&running), [(1, 0), (2, 6_000), (3, 12_000), (4, 18_000)]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_starts_as_many_jobs_at_once_as_it_holds_and_then_evenly_spaced_ones() {
    let running = start_with(4, |pool| pool.rate(RateLimit::per(10, MINUTE).burst(3))).await;
    sleep(MINUTE).await;
    all_done(running.submit_all(1..=5)).await;
    assert_eq!(starts(&running), [(1, 0), (2, 0), (3, 0), (4, 6_000), (5, 12_000)]);
    // Two of three are there again.
    sleep(secs(12)).await;
    all_done(running.submit_all(1..=3)).await;
    assert_eq!(starts(&running), [(1, 0), (2, 0), (3, 6_000)]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_used_up_holds_back_no_other_job_not_even_for_one_worker() {
    let running = start_with(1, |pool| pool.rate_per_key(RateLimit::per(1, secs(1)))).await;
    let slow: Vec<_> = (1..=4).map(|number| submit(&running, number, "a")).collect();
    let other = submit(&running, 5, "b");
    let plain = running.submit_all(6..=8);
    all_done(slow.into_iter().chain([other]).chain(plain)).await;
    let expected = [(1, 0), (5, 0), (6, 0), (7, 0), (8, 0), (2, 1_000), (3, 2_000), (4, 3_000)];
    assert_eq!(starts(&running), expected);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_kind_start_by_priority_then_in_submission_order() {
    let running = start_with(3, |pool| pool.rate_per_key(RateLimit::per(1, secs(1)))).await;
    let submit =
        |number: u64, priority| now(running.pool.submit(quick(number)).rate_key(&"a").priority(priority));
    let first = submit(1, 0);
    assert_eq!(outcome_of(first).await, "done 1");
    all_done([(2, 0), (3, 0), (4, 7), (5, 0), (6, 7)].map(|(number, priority)| submit(number, priority)))
        .await;
    assert_eq!(running.journal.jobs(), [1, 4, 6, 2, 3, 5]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_kind_starts_on_time_though_another_worker_is_busy() {
    let running = start_with(2, |pool| pool.rate_per_key(RateLimit::per(1, secs(1)))).await;
    let busy = running.submit(long(9, MINUTE));
    all_done((1..=3).map(|number| submit(&running, number, "a"))).await;
    assert_eq!(starts(&running), [(9, 0), (1, 0), (2, 1_000), (3, 2_000)]);
    all_done([busy]).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn retries_of_a_kind_count_as_starts() {
    let running = start_with(1, |pool| pool.rate_per_key(RateLimit::per(1, secs(1)))).await;
    let ill = running.pool.submit(job(1, [Step::Fail, Step::Panic, Step::Do])).rate_key(&"a");
    let ill = now(ill);
    let next = submit(&running, 2, "a");
    all_done([ill, next]).await;
    assert_eq!(starts(&running), [(1, 0), (1, 1_000), (1, 2_000), (2, 3_000)]);
    running.close().await;
}

/// Celery limits each type of task.
#[tokio::test(start_paused = true)]
async fn a_kind_may_have_a_limit_of_its_own() {
    let running = start_with(2, |pool| {
        pool.rate_per_key(RateLimit::per(1, secs(1))).rate_for(&"mail", RateLimit::per(10, MINUTE))
    })
    .await;
    let mails = [1, 2, 3].map(|number| submit(&running, number, "mail"));
    let others = [4, 5].map(|number| submit(&running, number, "sms"));
    all_done(mails.into_iter().chain(others)).await;
    assert_eq!(starts(&running), [(1, 0), (4, 0), (5, 1_000), (2, 6_000), (3, 12_000)]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_the_pool_holds_for_kinds_too() {
    let running =
        start_with(4, |pool| pool.rate(RateLimit::per(1, secs(1))).rate_per_key(RateLimit::per(1, secs(2))))
            .await;
    let all = [(1, "a"), (2, "a"), (3, "b"), (4, "c")];
    all_done(all.map(|(number, kind)| submit(&running, number, kind))).await;
    assert_eq!(starts(&running), [(1, 0), (3, 1_000), (2, 2_000), (4, 3_000)]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_jobs_of_a_kind_expire_are_cancelled_and_cleared_like_others() {
    let running = start_with(2, |pool| pool.rate_per_key(RateLimit::per(1, MINUTE))).await;
    all_done([submit(&running, 1, "a")]).await;
    let expires = now(running.pool.submit(quick(2)).rate_key(&"a").expires_in(secs(5)));
    let [cancelled, cleared] = [3, 4].map(|number| submit(&running, number, "a"));
    let before = Instant::now();
    assert!(cancelled.cancel());
    assert_eq!(
        (outcome_of(cancelled).await, outcome_of(expires).await),
        ("cancelled".into(), "expired".into())
    );
    assert_eq!(before.elapsed(), secs(5));
    assert_eq!((running.pool.clear(), outcome_of(cleared).await), (1, "dropped".to_owned()));
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_that_wait_for_their_kind_make_no_elastic_pool_larger() {
    let (pool, journal) = scripted_pool(1..=4);
    let running = start((pool.rate_per_key(RateLimit::per(1, secs(10))), journal)).await;
    let all: Vec<_> = (1..=5).map(|number| submit(&running, number, "a")).collect();
    sleep(secs(35)).await;
    assert_eq!((running.active().await, running.journal.jobs()), (1, vec![1, 2, 3, 4]));
    all_done(all).await;
    running.close().await;
}

/// Celery's `control.rate_limit`.
#[tokio::test(start_paused = true)]
async fn a_limit_changes_while_jobs_wait_for_it() {
    let running = start_with(2, |pool| pool.rate(RateLimit::per(1, MINUTE))).await;
    let mut all = running.submit_all(1..=4);
    quiet().await;
    running.pool.set_rate(RateLimit::per(1, secs(2))).expect("it is a limit");
    quiet().await;
    assert_eq!(running.journal.jobs(), [1, 2], "what started before does not count");
    sleep(secs(2)).await;
    assert_eq!(running.journal.jobs(), [3]);
    assert!(pends(&mut all[3]).await);
    running.pool.set_rate(None).expect("it is none");
    quiet().await;
    assert_eq!(running.journal.jobs(), [4]);
    all_done(all).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_kind_changes_while_its_jobs_wait() {
    let running = start_with(2, |pool| pool.rate_per_key(RateLimit::per(1, MINUTE))).await;
    let all: Vec<_> = (1..=3).map(|number| submit(&running, number, "a")).collect();
    let mut other = [4, 5].map(|number| submit(&running, number, "b"));
    quiet().await;
    assert_eq!(running.journal.jobs(), [1, 4]);
    running.pool.set_rate_for(&"a", None).expect("it is none");
    let before = Instant::now();
    all_done(all).await;
    assert_eq!(before.elapsed(), secs(0));
    assert!(pends(&mut other[1]).await, "another kind keeps its limit");
    running.pool.set_rate_for(&"b", RateLimit::window(5, MINUTE)).expect("it is a limit");
    all_done(other).await;
    assert_eq!(before.elapsed(), secs(0));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_an_error_at_the_start_and_changes_nothing_later() {
    let zero = || SpecError::ZeroRate { id: "pool".into() };
    for limit in [RateLimit::per(0, MINUTE), RateLimit::window(1, ms(0)), RateLimit::per(1, MINUTE).burst(0)]
    {
        let pools: [fn(ScriptedPool, RateLimit) -> ScriptedPool; 3] = [
            |pool, limit| pool.rate(limit),
            |pool, limit| pool.rate_per_key(limit),
            |pool, limit| pool.rate_for(&"a", limit),
        ];
        for set in pools {
            let pool = set(scripted_pool(1).0, limit);
            let refused = pool.start(&System::new()).await.expect_err("it allows nothing");
            assert!(matches!(refused, StartError::Spec(error) if error == zero()));
        }
        let running = start_with(1, |pool| pool.rate(RateLimit::per(1, secs(1)))).await;
        assert_eq!(running.pool.set_rate(limit), Err(zero()));
        assert_eq!(running.pool.set_rate_for(&"a", limit), Err(zero()));
        all_done(running.submit_all(1..=2)).await;
        assert_eq!(starts(&running), [(1, 0), (2, 1_000)]);
        running.close().await;
    }
}
