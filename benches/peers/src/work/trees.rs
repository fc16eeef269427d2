//! The works of supervision trees.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::contestant::Tree;
use super::task::{ONE_CRASH_IN, REPEATED, SUPERVISORS, WARM_UP};
use crate::shared::Tally;
use crate::shared::{each, peak, resident};

/// Returns the cost of the start and of the stop of each child, in nanoseconds.
pub async fn children<T: Tree>(children: u64) -> Result<Vec<f64>> {
    let times = (REPEATED / children).max(1);
    let (mut start, mut stop) = (Duration::ZERO, Duration::ZERO);
    for turn in 0..times / WARM_UP + 1 + times {
        let tally = Arc::new(Tally::of(0));
        let (tree, workers, started) = start_all::<T>(&tally, 1, children).await?;
        let stopped = stop_all(&tally, tree, workers).await?;
        if turn > times / WARM_UP {
            start += started;
            stop += stopped;
        }
    }
    Ok(vec![each(start, times * children), each(stop, times * children)])
}

/// Returns the results of a scale, in the order of its rows.
pub async fn scale<T: Tree>(workers: u64) -> Result<Vec<f64>> {
    let before = resident()?;
    let crashed = crashes(workers);
    scale_once::<T>(workers, crashed).await?;
    let first = resident()?;
    let times = (REPEATED / workers).max(1);
    let mut sums = [Duration::ZERO; 4];
    for _ in 0..times {
        for (sum, time) in sums.iter_mut().zip(scale_once::<T>(workers, crashed).await?) {
            *sum += time;
        }
    }
    let (peak, after) = (peak()?, resident()?);
    let [start, message, crash, stop] = sums;
    Ok(vec![
        each(sums.iter().sum(), times * workers),
        each(start, times * workers),
        each(message, times * workers),
        each(crash, times * crashed),
        each(stop, times * workers),
        peak.saturating_sub(before) as f64 / workers as f64,
        peak as f64 / 1e6,
        after as f64 / first as f64 * 100.0,
    ])
}

fn crashes(workers: u64) -> u64 {
    workers.div_ceil(ONE_CRASH_IN)
}

/// Returns the times of the start, the messages, the crashes and the stop.
async fn scale_once<T: Tree>(workers: u64, crashed: u64) -> Result<[Duration; 4]> {
    let tally = Arc::new(Tally::of(0));
    let (tree, addresses, start) = start_all::<T>(&tally, SUPERVISORS, workers).await?;
    let begin = Instant::now();
    tally.expect(workers);
    T::cast(addresses.iter())?;
    tally.done().await;
    let messages = begin.elapsed();
    let begin = Instant::now();
    // The end of an incarnation, and the start of the next one.
    tally.expect(2 * crashed);
    T::crash(addresses.iter().step_by(usize::try_from(ONE_CRASH_IN)?))?;
    tally.done().await;
    let crashes = begin.elapsed();
    let stop = stop_all(&tally, tree, addresses).await?;
    Ok([start, messages, crashes, stop])
}

/// Starts the workers of all supervisors at the same time. Returns the time from before the first
/// start until all run.
async fn start_all<T: Tree>(
    tally: &Arc<Tally>,
    supervisors: u64,
    workers: u64,
) -> Result<(T, Vec<T::Worker>, Duration)> {
    let tree = Arc::new(T::start(supervisors, tally.clone()).await?);
    let begin = Instant::now();
    tally.expect(workers);
    let tasks: Vec<_> = (0..supervisors)
        .map(|supervisor| {
            let tree = tree.clone();
            tokio::spawn(async move { tree.start_workers(supervisor, workers / supervisors).await })
        })
        .collect();
    let mut started = Vec::with_capacity(usize::try_from(workers)?);
    for task in tasks {
        started.extend(task.await.context("a start panicked")??);
    }
    tally.done().await;
    let time = begin.elapsed();
    Ok((Arc::into_inner(tree).context("a start still runs")?, started, time))
}

/// Returns the time from before the stop until every supervisor and every worker has ended.
async fn stop_all<T: Tree>(tally: &Tally, tree: T, workers: Vec<T::Worker>) -> Result<Duration> {
    let begin = Instant::now();
    tally.expect(u64::try_from(workers.len())?);
    tree.stop(workers).await?;
    tally.done().await;
    Ok(begin.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_crash_as_every_hundredth_is() {
        for workers in [1, 99, 100, 101, 10_000] {
            assert_eq!(crashes(workers), (0..workers).step_by(100).count() as u64);
        }
    }
}
