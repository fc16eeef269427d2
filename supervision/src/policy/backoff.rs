//! How long a child has to wait for its restart.

use std::time::Duration;

/// A delay before each restart of a child that doubles while it keeps failing.
///
/// ```text
/// delay of failure n = min(cap, first · 2ⁿ) · (1 + jitter · u),   u drawn to_unit_interval from 0 to 1
/// ```
///
/// So are Akka's backoff supervisors and Kubernetes' crash loops. A child that has been up for the *healthy time* since its last
/// restart begins anew at the first delay. The delay is part of the restart: the intensity of the supervisor
/// counts it before it begins, so a supervisor gives up at once and not after a delay. Messages queue meanwhile. A restart by a
/// group's strategy begins after the delay of the child that caused it; until then its siblings run on.
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
    jitter: f64,
    healthy: Duration,
    seed: Option<u64>,
}

impl Backoff {
    /// A backoff from `first` to `cap`, which is raised to `first` if it is below. Without jitter; healthy is who has been up for
    /// as long as the cap.
    #[must_use]
    pub const fn new(first: Duration, cap: Duration) -> Self {
        let cap = if cap.as_nanos() < first.as_nanos() { first } else { cap };
        Self { first, cap, jitter: 0.0, healthy: cap, seed: None }
    }

    /// Adds up to this part of a delay to it, so that those who failed together do not come back together: 0.2 adds up to 20 %.
    /// Between 0 and 1; what is outside is taken for the nearer of the two.
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        // Neither is true of what is no number.
        self.jitter = if part >= 1.0 {
            1.0
        } else if part > 0.0 {
            part
        } else {
            0.0
        };
        self
    }

    /// Sets how long the child has to be up for its failures to be forgotten.
    #[must_use]
    pub const fn reset_after(mut self, time: Duration) -> Self {
        self.healthy = time;
        self
    }

    /// Sets what the jitter is drawn from: with the same seed the same failures have the same delays. Unless it is set, each
    /// incarnation of the supervisor draws its own.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The delay after `failures` restarts in a row, for a draw between 0 and 1.
    #[must_use]
    pub fn delay(&self, failures: u32, draw: f64) -> Duration {
        // Doubled 94 times, a nanosecond is longer than anything that can be said.
        let doubled = |delay: Duration, _| delay.saturating_mul(2).min(self.cap);
        let delay = (0..failures.min(94)).fold(self.first, doubled);
        let part = self.jitter * if draw > 0.0 { draw.min(1.0) } else { 0.0 };
        delay.saturating_add(delay.checked_mul(2).map_or(Duration::ZERO, |_| delay.mul_f64(part)))
    }

    pub(crate) const fn healthy(&self) -> Duration {
        self.healthy
    }

    /// What the jitter of this child is drawn from, in a supervisor with this seed.
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
    fn a_cap_below_the_first_delay_is_raised_to_it() {
        let backoff = Backoff::new(5 * MILLI, MILLI);
        assert_eq!((backoff.delay(0, 0.0), backoff.delay(7, 0.0)), (5 * MILLI, 5 * MILLI));
        assert_eq!(backoff.healthy(), 5 * MILLI);
    }

    #[test]
    fn no_delay_stays_none() {
        let backoff = Backoff::new(Duration::ZERO, Duration::MAX).jitter(1.0);
        for failures in [0, 1, 64, u32::MAX] {
            assert_eq!(backoff.delay(failures, 1.0), Duration::ZERO);
        }
    }

    #[test]
    fn jitter_adds_up_to_its_part_and_never_less_than_nothing() {
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
    fn jitter_is_between_none_and_all() {
        let longest = |part| Backoff::new(1000 * MILLI, 1000 * MILLI).jitter(part).delay(0, 1.0);
        assert_eq!(longest(7.0), 2000 * MILLI);
        assert_eq!(longest(f64::INFINITY), 2000 * MILLI);
        for part in [-0.5, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(longest(part), 1000 * MILLI, "for {part}");
        }
    }

    #[test]
    fn nothing_is_too_long_and_no_failure_too_many() {
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
