//! The numbers of jobs and of processes, and times.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The number of a job in its store. Numbers ascend in the order of submission, over all queues,
/// and are never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the time of the system: what the caller of an operation gives to a store. It may go
    /// back when the clock of the machine is set.
    #[must_use]
    pub fn now() -> Self {
        Self(0).saturating_add(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// Returns the time that is later by this much, or the latest there is.
    #[must_use]
    pub fn saturating_add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// Returns the time that is earlier by this much, or the first there is.
    #[must_use]
    pub fn saturating_sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// Returns the time from `earlier` until this; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The number of a process among those that have opened a store. Each open gets the next number.
///
/// The jobs that run belong to an epoch. The jobs of an epoch that has ended are
/// [orphans](crate::Store::orphans).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Epoch(pub u64);
