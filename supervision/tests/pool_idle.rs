//! An idle pool uses no CPU.

use perennial_supervision::pool::{PoolSize, RateLimit, Routing};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::support::pool;
use crate::support::pool::{
    Running, job, long, ms, now, outcome_of, quick, quiet, scripted_pool, secs, start,
};

/// Advances the time by a day. Returns how many messages were handled and how often the thread woke
/// up.
async fn a_day(running: &Running) -> (u64, u64) {
    let metrics = Handle::current().metrics();
    quiet().await;
    let (handled, parked) = (running.system.counters().handled, metrics.worker_park_count(0));
    sleep(secs(86_400)).await;
    (running.system.counters().handled - handled, metrics.worker_park_count(0) - parked)
}

async fn idle(size: impl Into<PoolSize>, routing: Routing) -> Running {
    let (pool, journal) = scripted_pool(size);
    let pool = pool
        .routing(routing)
        .rate(RateLimit::window(1000, secs(1)))
        .scaling(secs(1), secs(10))
        .time_limit(secs(60));
    start((pool, journal)).await
}

/// The maximum number of wakeups of an idle thread per day: a timer that is far in the future is
/// re-armed a few times.
const NOTHING: u64 = 10;

#[tokio::test(start_paused = true)]
async fn an_idle_pool_never_wakes_up() {
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
        drop(running.submit(job(0, [pool::Step::Panic, pool::Step::Fail, pool::Step::Do])));
        running.drained().await;
        sleep(secs(60)).await;
        let (handled, parked) = a_day(&running).await;
        assert!(handled == 0 && parked <= NOTHING, "{size:?}: {handled} handled, woke {parked} times");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_pool_or_one_with_a_long_delay_never_wakes_up() {
    let running = idle(1..=4, Routing::Shared).await;
    let tomorrow = now(running.pool.submit(quick(1)).delay(secs(86_400 + 60)));
    let (handled, parked) = a_day(&running).await;
    assert!(handled <= 1 && parked <= NOTHING, "{handled} handled, woke {parked} times");
    assert_eq!(outcome_of(tomorrow).await, "done 1");
    running.pool.pause();
    let waiting = running.submit(quick(2));
    let (handled, parked) = a_day(&running).await;
    assert!(handled == 0 && parked <= NOTHING, "{handled} handled, woke {parked} times");
    running.pool.resume();
    assert_eq!(outcome_of(waiting).await, "done 2");
    running.close().await;
}
