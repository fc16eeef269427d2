//! Counts the times of messages, and the calls that timed out.

use perennial_actors::{CallTimedOut, HandlerSample, Subscription, System};

use super::catalog::{CALL_TIMEOUTS, HANDLE, WAIT};
use super::series::OTHER;
use super::tally::Tally;

/// The streams of what is counted.
#[derive(Debug)]
pub(super) struct Handlers {
    samples: Subscription<HandlerSample>,
    timed_out: Subscription<CallTimedOut>,
    /// The number of lost timeouts that are counted.
    missed: u64,
}

impl Handlers {
    /// Begins to take samples.
    pub(super) fn of(system: &System) -> Self {
        Self { samples: system.subscribe(), timed_out: system.subscribe(), missed: 0 }
    }

    /// Counts what was published since the last call. Samples that were lost are not made up for.
    pub(super) fn count(&mut self, tally: &mut Tally) {
        while let Some(sample) = self.samples.try_next() {
            let actor = tally.actor(&sample.label);
            tally.series.sample(HANDLE, vec![actor.clone()], sample.handled_in.as_secs_f64(), 1);
            tally.series.sample(WAIT, vec![actor], sample.waited.as_secs_f64(), 1);
        }
        while let Some(call) = self.timed_out.try_next() {
            let actor = tally.actor(&call.label);
            tally.series.count(CALL_TIMEOUTS, vec![actor], 1);
        }
        let missed = self.timed_out.missed();
        tally.series.count(CALL_TIMEOUTS, vec![OTHER], missed - self.missed);
        self.missed = missed;
    }
}
