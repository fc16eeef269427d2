//! A pool that has nothing to do does nothing.

#[path = "support/pool.rs"]
mod support;

use perennial_supervision::pool::{PoolSize, Routing};
use support::{Running, fate, hands, job, long, ms, now, quick, quiet, secs, start};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// Lets a day pass; how many messages were handled in it, and how often its thread woke up.
async fn a_day(running: &Running) -> (u64, u64) {
    let metrics = Handle::current().metrics();
    quiet().await;
    let (handled, parked) = (running.system.counters().handled, metrics.worker_park_count(0));
    sleep(secs(86_400)).await;
    (running.system.counters().handled - handled, metrics.worker_park_count(0) - parked)
}

async fn idle(size: impl Into<PoolSize>, routing: Routing) -> Running {
    let (pool, journal) = hands(size);
    let pool = pool.routing(routing).rate(1000, secs(1)).scaling(secs(1), secs(10)).time_limit(secs(60));
    start((pool, journal)).await
}

/// How often a thread wakes up in a day in which nothing happens but that it passes, at the most: a timer that is so far off is moved
/// nearer a few times.
const NOTHING: u64 = 10;

#[tokio::test(start_paused = true)]
async fn a_pool_that_has_done_all_that_there_was_sleeps() {
    for (size, routing) in [
        (PoolSize::Fixed(4), Routing::Shared),
        (PoolSize::Fixed(4), Routing::RoundRobin),
        (PoolSize::Between(1..=4), Routing::LeastQueued),
        (PoolSize::Between(0..=4), Routing::Shared),
    ] {
        let running = idle(size.clone(), routing).await;
        let (handled, parked) = a_day(&running).await;
        assert!(handled == 0 && parked <= NOTHING, "{size:?}: {handled} handled, woke {parked} times");
        for number in 0..100 {
            drop(running.submit(long(number, ms(number % 50))));
        }
        drop(running.submit(job(0, [support::Deed::Panic, support::Deed::Fail, support::Deed::Do])));
        running.drained().await;
        sleep(secs(60)).await;
        let (handled, parked) = a_day(&running).await;
        assert!(handled == 0 && parked <= NOTHING, "{size:?}: {handled} handled, woke {parked} times");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_is_paused_or_where_a_job_waits_for_tomorrow() {
    let running = idle(1..=4, Routing::Shared).await;
    let tomorrow = now(running.pool.submit(quick(1)).delay(secs(86_400 + 60)));
    let (handled, parked) = a_day(&running).await;
    assert!(handled <= 1 && parked <= NOTHING, "{handled} handled, woke {parked} times");
    assert_eq!(fate(tomorrow).await, "done 1");
    running.pool.pause();
    let waiting = running.submit(quick(2));
    let (handled, parked) = a_day(&running).await;
    assert!(handled == 0 && parked <= NOTHING, "{handled} handled, woke {parked} times");
    running.pool.resume();
    assert_eq!(fate(waiting).await, "done 2");
    running.close().await;
}
