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
        // The comparison is false for NaN.
        self.factor = if factor >= 1.0 { factor } else { 1.0 };
        self
    }

    /// Adds a random part of the delay to it, up to `part`: 0.2 adds up to 20 %. Children that
    /// failed together then do not restart together. `part` is limited to the range from 0 to 1,
    /// and NaN counts as 0. This replaces an earlier [`full_jitter`](Self::full_jitter).
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        // Both comparisons are false for NaN.
        let part = if part >= 1.0 {
            1.0
        } else if part > 0.0 {
            part
        } else {
            0.0
        };
        self.jitter = Jitter::Added(part);
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
        let draw = if draw > 0.0 { draw.min(1.0) } else { 0.0 };
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

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);
    const DRAWS: [f64; 7] = [0.0, f64::MIN_POSITIVE, 0.25, 0.5, 1.0 - f64::EPSILON, 1.0, 1e300];

    #[test]
    fn a_delay_doubles_with_each_failure_up_to_the_cap() {
        let backoff = Backoff::new(3 * MILLI, 1000 * MILLI);
        for failures in 0..8 {
            assert_eq!(backoff.delay(failures, 0.5), 3 * MILLI * 2_u32.pow(failures));
        }
        for failures in [9, 10, 31, 32, 33, 63, 64, 127, 128, u32::MAX] {
            assert_eq!(backoff.delay(failures, 0.5), 1000 * MILLI, "after {failures}");
        }
    }

    #[test]
    fn a_delay_reaches_its_cap_however_short_the_first_is() {
        let backoff = Backoff::new(Duration::from_nanos(1), Duration::MAX);
        let mut before = Duration::ZERO;
        for failures in 0..95 {
            let delay = backoff.delay(failures, 0.0);
            assert!(delay > before, "after {failures}: {delay:?} does not grow");
            before = delay;
        }
        assert_eq!(before, Duration::MAX);
        assert_eq!(backoff.delay(40, 0.0), Duration::from_nanos(1 << 40));
    }

    #[test]
    fn a_delay_grows_by_its_factor_up_to_the_cap() {
        let delays = |factor| {
            let backoff = Backoff::new(100 * MILLI, 2700 * MILLI).factor(factor);
            [0, 1, 2, 3, 4, u32::MAX].map(|failures| backoff.delay(failures, 0.0).as_millis())
        };
        assert_eq!(delays(3.0), [100, 300, 900, 2700, 2700, 2700]);
        assert_eq!(delays(1.5), [100, 150, 225, 337, 506, 2700]);
        for constant in [1.0, 0.5, -2.0, f64::NAN] {
            assert_eq!(delays(constant), [100; 6], "with {constant}");
        }
    }

    #[test]
    fn full_jitter_draws_between_nothing_and_the_whole_delay() {
        let backoff = Backoff::new(1000 * MILLI, 4000 * MILLI).full_jitter();
        for (failures, whole) in [(0, 1000), (1, 2000), (2, 4000), (9, 4000)] {
            let drawn = [0.0, 0.25, 1.0, 7.0].map(|draw| backoff.delay(failures, draw));
            assert_eq!(drawn, [0, whole / 4, whole, whole].map(|millis| millis * MILLI));
        }
        assert_eq!(Backoff::new(Duration::MAX, Duration::MAX).full_jitter().delay(0, 1.0), Duration::MAX);
    }

    #[test]
    fn a_child_without_a_seed_has_that_of_its_supervisor() {
        let backoff = Backoff::new(MILLI, MILLI);
        assert_eq!((backoff.seed_or(7), backoff.seed(3).seed_or(7)), (7, 3));
        assert_eq!(backoff.reset_after(9 * MILLI).healthy(), 9 * MILLI);
    }

    #[test]
    fn a_cap_below_the_first_delay_is_raised_to_it() {
        let backoff = Backoff::new(5 * MILLI, MILLI);
        assert_eq!((backoff.delay(0, 0.0), backoff.delay(7, 0.0)), (5 * MILLI, 5 * MILLI));
        assert_eq!(backoff.healthy(), 5 * MILLI);
    }

    #[test]
    fn a_first_delay_of_zero_stays_zero() {
        let backoff = Backoff::new(Duration::ZERO, Duration::MAX).jitter(1.0);
        for failures in [0, 1, 64, u32::MAX] {
            assert_eq!(backoff.delay(failures, 1.0), Duration::ZERO);
        }
    }

    #[test]
    fn jitter_adds_between_nothing_and_its_part() {
        let backoff = Backoff::new(1000 * MILLI, 1000 * MILLI).jitter(0.2);
        assert_eq!(backoff.delay(0, 0.0), 1000 * MILLI);
        assert_eq!(backoff.delay(0, 0.5), 1100 * MILLI);
        assert_eq!(backoff.delay(0, 1.0), 1200 * MILLI, "also on top of the cap");
        for draw in DRAWS {
            let delay = backoff.delay(0, draw);
            assert!((1000 * MILLI..=1200 * MILLI).contains(&delay), "{delay:?} for {draw}");
        }
        for draw in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(backoff.delay(0, draw), 1000 * MILLI, "for {draw}");
        }
    }

    #[test]
    fn jitter_is_limited_to_the_range_from_zero_to_one() {
        let longest = |part| Backoff::new(1000 * MILLI, 1000 * MILLI).jitter(part).delay(0, 1.0);
        assert_eq!(longest(7.0), 2000 * MILLI);
        assert_eq!(longest(f64::INFINITY), 2000 * MILLI);
        for part in [-0.5, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(longest(part), 1000 * MILLI, "for {part}");
        }
    }

    #[test]
    fn any_delay_and_any_number_of_failures_is_accepted() {
        let long = [Duration::ZERO, MILLI, Duration::MAX / 2, Duration::MAX - MILLI, Duration::MAX];
        for (first, cap) in long.iter().flat_map(|first| long.map(|cap| (*first, cap))) {
            for failures in [0, 1, 31, 32, 94, 95, 128, u32::MAX] {
                for draw in DRAWS {
                    let delay = Backoff::new(first, cap).jitter(1.0).delay(failures, draw);
                    assert!(delay >= first, "{delay:?} from {first:?} to {cap:?} after {failures}, {draw}");
                }
            }
        }
    }
}
