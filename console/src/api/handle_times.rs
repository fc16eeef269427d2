//! How long an actor takes for its messages, by samples.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use perennial_actors::{HandlerSample, Subscription, System};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::while_read::KEPT;

/// Of an actor with a short queue each message with such a number is timed; of others, fewer.
const SAMPLED: u64 = 256;

/// The most samples of one actor that are kept: the last ones.
const LAST: usize = 1000;

/// The most actors of which samples are kept.
const ACTORS: usize = 100;

/// The times of the last messages of an actor that were timed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HandleTimes {
    /// At most one of so many messages is timed.
    pub sampled_one_in: u64,
    /// The messages that were timed since a client looks at the actor, and were not missed: the
    /// last thousand at most. The times are 0 if there is none.
    pub samples: usize,
    /// The mean.
    pub mean: Duration,
    /// The median.
    pub p50: Duration,
    /// The time that 99 of 100 messages do not exceed.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// The samples of the actors that clients look at.
#[derive(Debug)]
pub(crate) struct HandleSamples {
    samples: Subscription<HandlerSample>,
    actors: BTreeMap<u64, TimedActor>,
}

#[derive(Debug)]
struct TimedActor {
    until: Instant,
    times: VecDeque<Duration>,
}

impl HandleSamples {
    /// Begins to take samples.
    pub(crate) fn of(system: &System) -> Self {
        Self { samples: system.subscribe(), actors: BTreeMap::new() }
    }

    /// Returns the times of an actor, of which samples are kept for a while. Returns `None` if
    /// clients look at too many others.
    pub(crate) fn read(&mut self, identity: u64) -> Option<Vec<Duration>> {
        self.take();
        let now = Instant::now();
        self.actors.retain(|_, watched| watched.until > now);
        if self.actors.len() >= ACTORS && !self.actors.contains_key(&identity) {
            return None;
        }
        let until = now + KEPT;
        let new = || TimedActor { until, times: VecDeque::new() };
        let watched = self.actors.entry(identity).or_insert_with(new);
        watched.until = until;
        Some(watched.times.iter().copied().collect())
    }

    fn take(&mut self) {
        while let Some(sample) = self.samples.try_next() {
            let Some(watched) = self.actors.get_mut(&sample.pid.identity()) else { continue };
            watched.times.push_back(sample.handled_in);
            if watched.times.len() > LAST {
                watched.times.pop_front();
            }
        }
    }
}

impl HandleTimes {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        // The smallest time that so many of 100 do not exceed.
        let quantile = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().unwrap_or_default()
        };
        Self {
            sampled_one_in: SAMPLED,
            samples: times.len(),
            mean: times.iter().sum::<Duration>().checked_div(count).unwrap_or_default(),
            p50: quantile(50),
            p99: quantile(99),
            max: quantile(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_taken() {
        let times = HandleTimes::of((1..=200).rev().map(Duration::from_millis).collect());
        let millis = [times.mean, times.p50, times.p99, times.max].map(|time| time.as_micros());
        assert_eq!((times.samples, millis), (200, [100_500, 100_000, 198_000, 200_000]));
        let one = HandleTimes::of(vec![Duration::from_millis(7)]);
        assert!([one.mean, one.p50, one.p99, one.max].iter().all(|time| time.as_millis() == 7));
        assert_eq!(
            (HandleTimes::of(Vec::new()).samples, HandleTimes::of(Vec::new()).p99),
            (0, Duration::ZERO)
        );
    }
}
