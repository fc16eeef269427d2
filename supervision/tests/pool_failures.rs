//! The failures of a job that ends by something else than a failure.

use perennial_supervision::Backoff;
use perennial_supervision::pool::PoolShutdown;
use tokio::time::sleep;

use crate::support::pool::{
    Step, describe, job, ms, now, outcome_of, quick, quiet, scripted_pool, secs, soon, start,
};

#[tokio::test(start_paused = true)]
async fn what_failed_before_is_kept_however_a_job_ends() {
    for end in ["cancelled", "dropped", "expired"] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.retry_after(Backoff::new(secs(60), secs(60))), journal)).await;
        let submission = running.pool.submit(job(1, [Step::FailAfter(ms(5)), Step::Do]));
        let ill = now(if end == "expired" { submission.expires_in(secs(1)) } else { submission });
        let fresh = now(running.pool.submit(quick(2)).delay(secs(9)).expires_in(secs(1)));
        sleep(ms(10)).await;
        match end {
            "cancelled" => assert!(ill.cancel() && fresh.cancel()),
            "dropped" => assert_eq!(running.pool.clear(), 2),
            _ => sleep(secs(2)).await,
        }
        let (ill, fresh) = (soon(ill).await, soon(fresh).await);
        assert_eq!((describe(&ill), describe(&fresh)), (format!("{end} after no luck"), end.to_owned()));
        // An expired job that has failed is dead. A job that was cancelled or dropped is not.
        let is_dead = usize::from(end == "expired");
        assert_eq!(running.pool.drain_dead_jobs().len(), is_dead);
        let stats = running.pool.stats();
        assert_eq!((stats.failed, stats.dropped), (is_dead as u64, 2 - is_dead as u64));
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_before_is_kept_if_a_running_job_is_cancelled_or_aborted() {
    for is_cancelled in [true, false] {
        let running = start(scripted_pool(1)).await;
        let ill = running.submit(job(1, [Step::Fail, Step::Panic, Step::Hang]));
        quiet().await;
        if is_cancelled {
            assert!(ill.cancel());
        } else {
            running.pool.stop(PoolShutdown::Abort).await;
        }
        let end = if is_cancelled { "cancelled" } else { "dropped" };
        assert_eq!(outcome_of(ill).await, format!("{end} after no luck, panicked"));
        running.drained().await;
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_finally_while_its_tree_stops_is_dead_and_not_dropped() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.retry_if(|_| false), journal)).await;
    let ill = running.submit(job(1, [Step::FailAfter(secs(2))]));
    quiet().await;
    let pool = running.pool.clone();
    running.close().await;
    assert_eq!(outcome_of(ill).await, "no luck");
    assert_eq!((pool.stats().failed, pool.stats().dropped, pool.drain_dead_jobs().len()), (1, 0, 1));
}
