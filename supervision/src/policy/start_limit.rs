//! The limit for the starts of one child.

use std::time::Duration;

/// The number of starts of one child within an interval. systemd's `StartLimitBurst=` and
/// `StartLimitIntervalSec=`.
///
/// See [`Child::start_limit`](crate::Child::start_limit).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StartLimit {
    /// The number of starts allowed within the interval.
    pub burst: u32,
    /// The time for which a start counts.
    pub interval: Duration,
}

impl StartLimit {
    /// Returns `true` if a part is zero: no start would be allowed, or none would count.
    pub(crate) const fn is_impossible(&self) -> bool {
        self.burst == 0 || self.interval.is_zero()
    }
}
