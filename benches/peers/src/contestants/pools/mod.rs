//! Pools of workers: what each contestant has to be able to do with one, and the works that it is put to.
//!
//! A job is so many rounds of arithmetic. All workers of a pool count down what they share, and a job has no result.

mod actix;
mod bare;
mod kameo;
mod perennial;
mod ractor;
mod tally;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::drive::{WARM_UP, each};
use crate::works::{CPU_JOBS, JOB_ROUNDS, JOBS, WORKERS};

pub use actix::SyncPool as Actix;
pub use bare::Tasks as Bare;
pub use kameo::Workers as Kameo;
pub use perennial::Desks as Perennial;
pub use ractor::Plant as Ractor;
use tally::Tally;

/// How often the work of one worker and that of two take turns, so that both meet the same disturbances.
const TURNS: u64 = 5;

/// A pool of one contestant, in its own words.
pub trait Pool: Sized + Send + Sync {
    /// Starts a pool of `workers` workers, which share a tally.
    fn start(workers: usize, tally: Arc<Tally>) -> impl Future<Output = Result<Self>> + Send;

    /// Hands it `count` jobs of so many rounds, and waits for room only, where there are bounds.
    fn submit(&self, rounds: u64, count: u64) -> impl Future<Output = Result<()>> + Send;
}

/// What each of [`JOBS`] empty jobs costs, in nanoseconds.
pub async fn empty<P: Pool>() -> Result<f64> {
    work_off::<P>(WORKERS, 0, JOBS / WARM_UP).await?;
    Ok(each(work_off::<P>(WORKERS, 0, JOBS).await?, JOBS))
}

/// What two workers take for [`CPU_JOBS`], of what one takes, in percent.
pub async fn speed_up<P: Pool>() -> Result<f64> {
    work_off::<P>(1, JOB_ROUNDS, CPU_JOBS / WARM_UP).await?;
    work_off::<P>(2, JOB_ROUNDS, CPU_JOBS / WARM_UP).await?;
    let (mut one, mut two) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        one += work_off::<P>(1, JOB_ROUNDS, CPU_JOBS / TURNS).await?;
        two += work_off::<P>(2, JOB_ROUNDS, CPU_JOBS / TURNS).await?;
    }
    Ok(two.as_secs_f64() / one.as_secs_f64() * 100.0)
}

/// From before the first job is handed in until the last is done.
async fn work_off<P: Pool>(workers: usize, rounds: u64, count: u64) -> Result<Duration> {
    let tally = Arc::new(Tally::of(count));
    let pool = P::start(workers, tally.clone()).await?;
    let begin = Instant::now();
    pool.submit(rounds, count).await?;
    tally.done().await;
    Ok(begin.elapsed())
}
