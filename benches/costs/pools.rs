//! Jobs of a pool that are queued, delayed, or expire.

use std::convert::Infallible;
use std::time::Duration;

use perennial::pool::{JobHandle, Pool, PoolHandle};
use perennial::prelude::*;

use crate::ran;

type Work = fn(u32) -> Result<(), Infallible>;

/// A delay longer than any run of this bench.
const LATER: Duration = Duration::from_secs(86_400);

/// Returns a pool that is never started, so that its jobs stay queued.
fn pool() -> Pool<Work> {
    Pool::from_fn("pool", 1, |_: &u32| std::future::ready(Ok(()))).capacity(usize::MAX)
}

/// Submits jobs to each pool. Returns the time to cancel all of them, pool by pool.
fn cancelled(
    pools: usize,
    jobs: usize,
    submit: impl Fn(&PoolHandle<Work>, u32) -> JobHandle<Work>,
) -> Duration {
    let pools: Vec<_> = (0..pools).map(|_| pool()).collect();
    let handles: Vec<Vec<_>> =
        pools.iter().map(|pool| (0..jobs).map(|job| submit(&pool.handle(), job as u32)).collect()).collect();
    let begun = ran();
    for handle in handles.iter().flatten() {
        assert!(handle.cancel());
    }
    ran() - begun
}

/// Cancels the delayed jobs of each pool in the order of submission.
pub(crate) async fn delayed_jobs_cancelled(pools: usize, jobs: usize) -> Duration {
    cancelled(pools, jobs, |pool, job| pool.submit(job).delay(LATER).try_submit().expect("there is room"))
}

/// Cancels the queued jobs of each pool in the order of submission.
pub(crate) async fn waiting_jobs_cancelled(pools: usize, jobs: usize) -> Duration {
    cancelled(pools, jobs, |pool, job| pool.submit(job).try_submit().expect("there is room"))
}

/// Lets the delayed jobs of each pool expire, all of them at once.
pub(crate) async fn delayed_jobs_expired(pools: usize, jobs: usize) -> Duration {
    let expires = Duration::from_millis(1);
    let mut apps = Vec::new();
    let mut time = Duration::ZERO;
    for _ in 0..pools {
        let pool = pool();
        let handle = pool.handle();
        for job in 0..jobs {
            drop(
                handle
                    .submit(job as u32)
                    .delay(LATER)
                    .expires_in(expires)
                    .try_submit()
                    .expect("there is room"),
            );
        }
        tokio::time::sleep(2 * expires).await;
        let begun = ran();
        let app = pool.start(&System::new()).await.expect("it starts");
        handle.drain().await;
        time += ran() - begun;
        assert_eq!(handle.stats().dropped, jobs as u64);
        apps.push(app);
    }
    time
}

/// Cancels submissions that wait for room in a pool with a capacity of one, the oldest first.
pub(crate) async fn waits_for_room_given_up(pools: usize, submitters: usize) -> Duration {
    let mut waits = Vec::new();
    let pools: Vec<_> = (0..pools).map(|_| pool().capacity(1)).collect();
    for pool in &pools {
        let handle = pool.handle();
        drop(handle.submit(0).try_submit().expect("there is room"));
        for job in 0..submitters {
            let mut wait = handle.submit(job as u32).into_future();
            let polled =
                std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut wait).poll(cx)));
            assert!(polled.await.is_pending());
            waits.push(wait);
        }
    }
    let begun = ran();
    waits.into_iter().for_each(drop);
    ran() - begun
}
