//! A limit on log lines that may come in bursts.
//!
//! The first lines are all written. Further lines are counted, and one line in each period has the
//! count. A period without a line ends the burst. No timer runs unless there is a count to write.

use std::time::Duration;

/// The number of lines that are written before counting begins.
pub(super) const BURST: u32 = 10;

/// The time from one count to the next.
pub(super) const PERIOD: Duration = Duration::from_secs(10);

/// The lines of one kind that were written and counted.
#[derive(Default)]
pub(super) struct Throttle {
    /// The beginning of the period, as the age of the system.
    since: Duration,
    written: u32,
    counted: u64,
    /// `true` while a count is scheduled for the end of the period.
    is_scheduled: bool,
}

/// The decision about one line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Throttled {
    /// It is written.
    Write,
    /// It is counted. The count so far is written now, because the period is over.
    WriteCount(u64),
    /// It is counted. The caller must schedule the count after this time.
    CountAfter(Duration),
    /// It is counted. A count is scheduled already.
    Counted,
}

impl Throttle {
    /// Admits a line at this age of the system.
    pub(super) fn admit(&mut self, now: Duration) -> Throttled {
        let passed = now.saturating_sub(self.since);
        if passed >= PERIOD && self.counted == 0 {
            (self.since, self.written) = (now, 0);
        }
        if self.written < BURST {
            self.written += 1;
            return Throttled::Write;
        }
        self.counted += 1;
        if passed >= PERIOD {
            return Throttled::WriteCount(self.take_count(now));
        }
        if std::mem::replace(&mut self.is_scheduled, true) {
            return Throttled::Counted;
        }
        Throttled::CountAfter(PERIOD - passed)
    }

    /// Returns the number of lines counted since the last count, and begins the next period.
    pub(super) fn take_count(&mut self, now: Duration) -> u64 {
        (self.since, self.is_scheduled) = (now, false);
        std::mem::take(&mut self.counted)
    }
}
