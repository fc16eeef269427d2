//! The delay before each restart of a child.

use std::time::Duration;

/// The delay before each restart of a child. It doubles with each failure in a row, or grows by
/// another [factor](Self::factor).
///
/// ```text
/// delay of failure n = min(cap, first · factorⁿ) · (1 + jitter · u),   u drawn from 0 to 1
/// ```
///
/// Akka's backoff supervisors and Kubernetes' crash loops use the same formula, with the factor 2.
/// AWS and Celery draw the [whole delay](Self::full_jitter). A child that ran for the
/// [reset time](Self::reset_after) before it failed starts again at the first delay.
///
/// The supervisor's intensity counts the restart before the delay begins. A supervisor that exceeds
/// its intensity therefore shuts down at once, not after a delay. Messages queue during the delay.
/// A group restart begins after the delay of the child that caused it. Its siblings keep running
/// until then.
///
/// ```
/// use std::time::Duration;
/// use perennial_supervision::Backoff;
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// let delays: Vec<u128> = (0..6).map(|n| backoff.delay(n, 0.0).as_millis()).collect();
/// assert_eq!(delays, [100, 200, 400, 800, 1600, 2000]);
/// assert_eq!(backoff.jitter(0.5).delay(0, 0.5), Duration::from_millis(125));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    factor: f64,
    jitter: Jitter,
    healthy: Duration,
    seed: Option<u64>,
}

/// The random part of a delay.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Jitter {
    /// A random part of the delay, up to this one, is added to it.
    Added(f64),
    /// The delay is drawn between zero and itself.
    Full,
}

impl Backoff {
    /// Creates a backoff from `first` to `cap`, with the factor 2 and without jitter. A `cap`
    /// below `first` is raised to `first`. The reset time is the cap.
    #[must_use]
    pub const fn new(first: Duration, cap: Duration) -> Self {
        let cap = if cap.as_nanos() < first.as_nanos() { first } else { cap };
        Self { first, cap, factor: 2.0, jitter: Jitter::Added(0.0), healthy: cap, seed: None }
    }

    /// Sets the factor by which each delay is longer than the one before. With 1.0 every delay is
    /// the first one, as systemd's `RestartSec` without `RestartSteps`. A factor below 1.0 and NaN
    /// count as 1.0.
    ///
    /// systemd's `RestartSteps=n` reaches the cap after `n` steps of one factor, which is
    /// `(cap / first)^(1/n)`:
    ///
    /// ```
    /// use std::time::Duration;
    /// use perennial_supervision::Backoff;
    ///
    /// let steps: f64 = 2.0;
    /// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1600))
    ///     .factor((1600.0_f64 / 100.0).powf(1.0 / steps));
    /// let delays: Vec<u128> = (0..4).map(|n| backoff.delay(n, 0.0).as_millis()).collect();
    /// assert_eq!(delays, [100, 400, 1600, 1600]);
    /// ```
    #[must_use]
    pub const fn factor(mut self, factor: f64) -> Self {
        // The maximum of NaN and a number is the number.
        self.factor = factor.max(1.0);
        self
    }

    /// Adds a random part of the delay to it, up to `part`: 0.2 adds up to 20 %. Children that
    /// failed together then do not restart together. `part` is limited to the range from 0 to 1,
    /// and NaN counts as 0. This replaces an earlier [`full_jitter`](Self::full_jitter).
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        self.jitter = Jitter::Added(zero_to_one(part));
        self
    }

    /// Draws each delay evenly between zero and the capped delay: AWS' "full jitter", and Celery's
    /// `retry_jitter`. What failed together then spreads as far as it can, and a delay may be close
    /// to zero. This replaces an earlier [`jitter`](Self::jitter).
    ///
    /// ```
    /// use std::time::Duration;
    /// use perennial_supervision::Backoff;
    ///
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(600)).full_jitter();
    /// assert_eq!(backoff.delay(3, 0.0), Duration::ZERO);
    /// assert_eq!(backoff.delay(3, 0.5), Duration::from_secs(4));
    /// assert_eq!(backoff.delay(3, 1.0), Duration::from_secs(8));
    /// ```
    #[must_use]
    pub const fn full_jitter(mut self) -> Self {
        self.jitter = Jitter::Full;
        self
    }

    /// Sets how long the child must run for its earlier failures to be forgotten.
    #[must_use]
    pub const fn reset_after(mut self, time: Duration) -> Self {
        self.healthy = time;
        self
    }

    /// Sets the seed of the jitter: the same seed and the same failures give the same delays.
    /// Without it, each incarnation of the supervisor uses a random seed.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Returns the delay after `failures` restarts in a row, with `draw` as the random number from
    /// 0 to 1.
    #[must_use]
    pub fn delay(&self, failures: u32, draw: f64) -> Duration {
        let delay = self.capped(failures);
        let draw = zero_to_one(draw);
        match self.jitter {
            Jitter::Added(part) => {
                // `mul_f64` may round the longest durations up to more than there is.
                let fits = delay.checked_mul(2).is_some();
                delay.saturating_add(if fits { delay.mul_f64(part * draw) } else { Duration::ZERO })
            }
            Jitter::Full => Duration::try_from_secs_f64(delay.as_secs_f64() * draw)
                .map_or(delay, |drawn| drawn.min(delay)),
        }
    }

    /// Returns the delay after `failures` restarts in a row, without jitter.
    #[expect(clippy::float_cmp, reason = "two factors are computed exactly")]
    fn capped(&self, failures: u32) -> Duration {
        if failures == 0 || self.factor == 1.0 {
            return self.first;
        }
        if self.factor == 2.0 {
            // After 94 doublings a nanosecond exceeds `Duration::MAX`.
            let doubled = |delay: Duration, _| delay.saturating_mul(2).min(self.cap);
            return (0..failures.min(94)).fold(self.first, doubled);
        }
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let delay = self.first.as_secs_f64() * self.factor.powf(f64::from(failures));
        // What exceeds `Duration::MAX` exceeds the cap.
        Duration::try_from_secs_f64(delay).map_or(self.cap, |delay| delay.clamp(self.first, self.cap))
    }

    /// Returns the time after which failures are forgotten.
    pub(crate) const fn healthy(&self) -> Duration {
        self.healthy
    }

    /// Returns the jitter seed of this child. `supervisors` is the seed of its supervisor.
    pub(crate) fn seed_or(&self, supervisors: u64) -> u64 {
        self.seed.unwrap_or(supervisors)
    }
}

/// Limits a number to the range from 0 to 1. NaN counts as 0.
const fn zero_to_one(number: f64) -> f64 {
    // `clamp` returns NaN for NaN.
    number.max(0.0).min(1.0)
}
