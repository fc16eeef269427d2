//! How long a child has to wait for its restart.

use std::time::Duration;

/// A delay before each restart of a child that doubles while it keeps failing.
///
/// ```text
/// delay of failure n = min(cap, first · 2ⁿ) · (1 + jitter · u),   u drawn evenly from 0 to 1
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
    pub const fn healthy_after(mut self, time: Duration) -> Self {
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
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let delay = self.first.checked_mul(factor).map_or(self.cap, |delay| delay.min(self.cap));
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
