//! The works of a pool of workers.
//!
//! A job is a number of rounds of arithmetic and has no result. All workers of a pool count down a
//! shared number.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::contestant::Pool;
use super::task::{CPU_JOBS, JOB_ROUNDS, JOBS, WARM_UP, WORKERS};
use crate::shared::Tally;
use crate::shared::each;

/// How often the work of one worker and that of two alternate, so that other load on the machine
/// affects both.
const TURNS: u64 = 5;

/// Returns the cost of each of [`JOBS`] empty jobs, in nanoseconds.
pub async fn empty<P: Pool>() -> Result<f64> {
    run_jobs::<P>(WORKERS, 0, JOBS / WARM_UP).await?;
    Ok(each(run_jobs::<P>(WORKERS, 0, JOBS).await?, JOBS))
}

/// Returns the time of two workers for [`CPU_JOBS`], in percent of the time of one worker.
pub async fn speed_up<P: Pool>() -> Result<f64> {
    run_jobs::<P>(1, JOB_ROUNDS, CPU_JOBS / WARM_UP).await?;
    run_jobs::<P>(2, JOB_ROUNDS, CPU_JOBS / WARM_UP).await?;
    let (mut one, mut two) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        one += run_jobs::<P>(1, JOB_ROUNDS, CPU_JOBS / TURNS).await?;
        two += run_jobs::<P>(2, JOB_ROUNDS, CPU_JOBS / TURNS).await?;
    }
    Ok(two.as_secs_f64() / one.as_secs_f64() * 100.0)
}

/// Returns the time from before the first submission until the last job is done.
async fn run_jobs<P: Pool>(workers: usize, rounds: u64, count: u64) -> Result<Duration> {
    let tally = Arc::new(Tally::of(count));
    let pool = P::start(workers, tally.clone()).await?;
    let begin = Instant::now();
    pool.submit(rounds, count).await?;
    tally.done().await;
    Ok(begin.elapsed())
}
