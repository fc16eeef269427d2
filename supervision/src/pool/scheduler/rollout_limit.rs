//! The limits of a rollout, which are numbers or percentages: the arithmetic of Kubernetes.

use std::fmt;
use std::time::Duration;

/// A number of workers in the limits of a [rollout](crate::pool::Rollout), or a percentage of the
/// wanted workers: the `IntOrString` of a Deployment of Kubernetes.
///
/// A percentage is resolved against the wanted number of workers. What may be unavailable is
/// rounded down, and what may run in addition is rounded up. If both are zero only because of the
/// rounding, one worker may be unavailable.
///
/// | wanted | `max_unavailable` of 25 % | `max_surge` of 25 % |
/// |---|---|---|
/// | 10 | 2 | 3 |
/// | 4 | 1 | 1 |
/// | 1 | 0 | 1 |
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RolloutLimit(Amount);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Amount {
    Workers(usize),
    Percent(u32),
}

impl RolloutLimit {
    /// Creates a limit that is a percentage of the wanted workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_supervision::pool::RolloutLimit;
    ///
    /// assert_eq!(RolloutLimit::percent(25).to_string(), "25 %");
    /// assert_eq!(RolloutLimit::from(2).to_string(), "2");
    /// ```
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(Amount::Percent(percent))
    }

    /// Returns `true` if it is zero for any number of workers.
    const fn is_zero(self) -> bool {
        matches!(self.0, Amount::Workers(0) | Amount::Percent(0))
    }

    /// Returns the number of workers. A percentage is rounded up or down.
    const fn of(self, wanted: usize, rounds_up: bool) -> usize {
        match self.0 {
            Amount::Workers(workers) => workers,
            Amount::Percent(percent) => {
                let hundredths = (wanted as u128) * (percent as u128);
                let workers = if rounds_up { hundredths.div_ceil(100) } else { hundredths / 100 };
                if workers > usize::MAX as u128 { usize::MAX } else { workers as usize }
            }
        }
    }
}

impl From<usize> for RolloutLimit {
    fn from(workers: usize) -> Self {
        Self(Amount::Workers(workers))
    }
}

impl fmt::Display for RolloutLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Amount::Workers(workers) => write!(f, "{workers}"),
            Amount::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

/// The limits of a rollout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RolloutLimits {
    /// How many of the wanted workers may be unavailable.
    pub(crate) max_unavailable: RolloutLimit,
    /// How many workers may run in addition.
    pub(crate) max_surge: RolloutLimit,
    /// How long a worker has to be ready before it is available.
    pub(crate) min_ready: Duration,
    /// How long a new worker may be unavailable.
    pub(crate) progress_deadline: Duration,
}

/// The limits for a number of wanted workers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Margins {
    /// How many of the wanted workers may be unavailable.
    pub(crate) unavailable: usize,
    /// How many workers may run in addition.
    pub(crate) surge: usize,
}

impl RolloutLimits {
    /// Returns `true` if no worker may be unavailable and none may run in addition.
    pub(crate) const fn are_zero(&self) -> bool {
        self.max_unavailable.is_zero() && self.max_surge.is_zero()
    }

    /// Returns `true` if more than all workers may be unavailable, by a percentage.
    pub(crate) const fn exceed_all(&self) -> bool {
        matches!(self.max_unavailable.0, Amount::Percent(percent) if percent > 100)
    }

    /// Resolves the limits: `ResolveFenceposts` of Kubernetes. Not more than the wanted workers can
    /// be unavailable, and more than one additional worker for each is of no use.
    pub(crate) fn resolve(&self, wanted: usize) -> Margins {
        let surge = self.max_surge.of(wanted, true).min(wanted);
        let unavailable = self.max_unavailable.of(wanted, false).min(wanted);
        // Only a percentage comes to this, because of the rounding.
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        Margins { unavailable, surge }
    }
}
