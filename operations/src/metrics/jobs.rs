//! Counts jobs, and measures pools.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ::metrics::SharedString;
use perennial_actors::MessageStats;
use perennial_supervision::pool::{PoolInfo, PoolStats};

use super::catalog::{
    JOB_RETRIES, JOB_RUN, JOB_WAIT, JOBS, JOBS_ENDED, JOBS_OLDEST, JOBS_SUBMITTED, MetricInfo, WORKERS,
    WORKERS_WANTED,
};
use super::tally::Tally;
use crate::age::Ages;

/// What was counted of the jobs.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pools: HashMap<u64, CountedPool>,
    ages: Ages,
}

/// What of one pool was added to the counts of its label.
#[derive(Debug, Default)]
struct CountedPool {
    stats: PoolStats,
    waits: BTreeMap<Duration, u64>,
    runs: BTreeMap<Duration, u64>,
}

impl Jobs {
    /// Counts and measures what has changed in the pools of a system.
    pub(super) fn measure(&mut self, pools: &[PoolInfo], now: Duration, tally: &mut Tally) {
        let Self { pools: known, ages } = self;
        known.retain(|identity, _| pools.iter().any(|pool| pool.status.supervisor.identity() == *identity));
        for info in pools {
            let identity = info.status.supervisor.identity();
            let pool = tally.actor(&info.status.path);
            let counted = known.entry(identity).or_default();
            count_jobs(&pool, &counted.stats, &info.stats, tally);
            counted.stats = info.stats;
            sample_times(JOB_WAIT, &pool, &mut counted.waits, &info.wait_times, tally);
            sample_times(JOB_RUN, &pool, &mut counted.runs, &info.run_times, tally);
            measure_pool(&pool, &info.stats, tally);
            let oldest = ages.sample(identity, now, as_messages(&info.stats)).unwrap_or_default();
            tally.series.raise(JOBS_OLDEST, vec![pool], oldest.as_secs_f64());
        }
        ages.retain(|identity| known.contains_key(&identity));
    }
}

fn count_jobs(pool: &SharedString, last: &PoolStats, now: &PoolStats, tally: &mut Tally) {
    let new = |count: fn(&PoolStats) -> u64| count(now).saturating_sub(count(last));
    tally.series.count(JOBS_SUBMITTED, vec![pool.clone()], new(|stats| stats.submitted));
    for (outcome, number) in [
        ("completed", new(|stats| stats.completed)),
        ("failed", new(|stats| stats.failed)),
        ("dropped", new(|stats| stats.dropped)),
    ] {
        tally.series.count(JOBS_ENDED, vec![pool.clone(), outcome.into()], number);
    }
    let (all, lost) = (new(|stats| stats.retried), new(|stats| stats.retried_lost));
    let interrupted = new(|stats| stats.retried_interrupted);
    let failed = all.saturating_sub(lost + interrupted);
    for (why, number) in [("failed", failed), ("lost", lost), ("interrupted", interrupted)] {
        tally.series.count(JOB_RETRIES, vec![pool.clone(), why.into()], number);
    }
}

fn measure_pool(pool: &SharedString, stats: &PoolStats, tally: &mut Tally) {
    let running = stats.running.saturating_sub(stats.terminating);
    for (state, number) in
        [("queued", stats.queued), ("running", running), ("terminating", stats.terminating)]
    {
        tally.series.add(JOBS, vec![pool.clone(), state.into()], number as f64);
    }
    let workers = &stats.workers;
    for (state, number) in [
        ("ready", workers.ready),
        ("unready", workers.running.saturating_sub(workers.ready)),
        ("starting", workers.starting),
        ("down", workers.down),
    ] {
        tally.series.add(WORKERS, vec![pool.clone(), state.into()], number as f64);
    }
    tally.series.add(WORKERS_WANTED, vec![pool.clone()], workers.wanted as f64);
}

fn sample_times(
    metric: &'static MetricInfo,
    pool: &SharedString,
    counted: &mut BTreeMap<Duration, u64>,
    times: &[(Duration, u64)],
    tally: &mut Tally,
) {
    for (time, number) in times {
        let last = counted.insert(*time, *number).unwrap_or_default();
        let new = number.saturating_sub(last);
        tally.series.sample(metric, vec![pool.clone()], time.as_secs_f64(), new);
    }
}

/// The queue of a pool as that of a mailbox. A job that overtakes others makes the oldest one seem
/// younger.
fn as_messages(stats: &PoolStats) -> MessageStats {
    let queued = u64::try_from(stats.queued).unwrap_or(u64::MAX);
    MessageStats { accepted: stats.submitted, queued, ..MessageStats::default() }
}
