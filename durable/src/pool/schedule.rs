//! When jobs are submitted by the time of day: cron expressions, periods, and what is missed.

use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::record::Timestamp;

/// The times at which a job is submitted, and what happens to those at which no process ran: see
/// [`DurablePool::schedule`](super::DurablePool::schedule).
///
/// # Daylight saving
///
/// In a time zone whose clocks change, as in cron of Debian and in the Open Cron Pattern
/// Specification:
///
/// - A fixed time of day that does not exist is made up for when the clocks have gone forward. A
///   fixed time that happens twice is the first of the two.
/// - An interval, such as every hour or every 15 minutes, follows the time that passes: what does
///   not exist is left out, and what happens twice counts twice.
///
/// # Examples
///
/// ```
/// use perennial_durable::pool::{Missed, Schedule};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let nightly = Schedule::cron("0 3 * * *")?.time_zone("Europe/Berlin")?.missed(Missed::Once);
/// assert!(Schedule::cron("0 25 * * *").is_err(), "a day has no hour 25");
/// assert!(nightly.time_zone("Europe/Atlantis").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    times: Times,
    pub(super) missed: Missed,
}

#[derive(Clone, Debug)]
enum Times {
    Cron(Arc<Cron>, TimeZone),
    /// In milliseconds.
    Every(u64),
}

/// What happens to the slots of a [`Schedule`] that were missed: those that were due for more than
/// a minute when the first process found them, because none ran, or the store failed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Missed {
    /// They are left out, as by cron.
    Skip,
    /// The latest of them is made up for, as by `Persistent=true` of systemd, and by anacron.
    #[default]
    Once,
    /// Each of them is made up for, the earliest first.
    All,
}

/// A schedule that cannot be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The expression is no cron expression.
    #[error("{expression:?} is no cron expression: {reason}")]
    Expression {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such time zone.
    #[error("there is no time zone {name:?}")]
    TimeZone {
        /// The name.
        name: String,
    },
}

impl Schedule {
    /// Makes a schedule from a cron expression, in UTC: five fields, or six with seconds first, or
    /// a name such as `@daily`. `L`, `W` and `#` are known.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Expression`] with the reason.
    pub fn cron(expression: &str) -> Result<Self, ScheduleError> {
        let cron: Cron = expression.parse().map_err(|error: croner::errors::CronError| {
            ScheduleError::Expression { expression: expression.to_owned(), reason: error.to_string() }
        })?;
        Ok(Self { times: Times::Cron(Arc::new(cron), TimeZone::UTC), missed: Missed::default() })
    }

    /// Makes a schedule with a slot per period, at least a millisecond. The slots are the multiples
    /// of the period since 1970, so that all processes have the same.
    #[must_use]
    pub fn every(period: Duration) -> Self {
        let period = period.as_millis().try_into().unwrap_or(u64::MAX);
        Self { times: Times::Every(period.max(1)), missed: Missed::default() }
    }

    /// Sets the time zone of a cron expression by its IANA name; UTC by default.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::TimeZone`] if there is none of this name.
    pub fn time_zone(mut self, name: &str) -> Result<Self, ScheduleError> {
        let unknown = |_| ScheduleError::TimeZone { name: name.to_owned() };
        let found = TimeZone::get(name).map_err(unknown)?;
        if let Times::Cron(_, zone) = &mut self.times {
            *zone = found;
        }
        Ok(self)
    }

    /// Sets what happens to missed slots; [`Missed::Once`] by default.
    #[must_use]
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Returns the first slot after a time, or `None` if there is none in the years that can be
    /// computed.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.times {
            Times::Every(period) => {
                let number = (time.0 / period).checked_add(1)?;
                Some(Timestamp(number.checked_mul(*period)?))
            }
            Times::Cron(cron, zone) => {
                let next = cron.find_next_occurrence(&zoned(time, zone)?, false).ok()?;
                timestamp(&next)
            }
        }
    }

    /// Returns the last slot that is not after a time.
    #[must_use]
    pub fn latest_at(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.times {
            Times::Every(period) => Some(Timestamp(time.0 / period * period)),
            Times::Cron(cron, zone) => {
                let latest = cron.find_previous_occurrence(&zoned(time, zone)?, true).ok()?;
                timestamp(&latest)
            }
        }
    }
}

/// Returns the second that a time is in.
fn zoned(time: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    let seconds = i64::try_from(time.0 / 1_000).ok()?;
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_zoned(zone.clone()))
}

fn timestamp(time: &Zoned) -> Option<Timestamp> {
    u64::try_from(time.timestamp().as_millisecond()).ok().map(Timestamp)
}
