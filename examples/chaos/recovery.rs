//! What an attack has done, and how long it took to come back from it.

use std::time::Duration;

use serde::Serialize;

use super::plan::Way;

/// Faults that took effect, by kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Faults {
    pub panic: u64,
    pub error: u64,
    pub kill: u64,
    pub total: u64,
}

impl Faults {
    pub const fn count(&mut self, way: Way) {
        match way {
            Way::Panic => self.panic += 1,
            Way::Error => self.error += 1,
            Way::Kill => self.kill += 1,
        }
        self.total += 1;
    }
}

/// What came of one fault.
#[derive(Debug)]
pub struct Aftermath {
    pub way: Way,
    pub victim: String,
    /// From the crash until the next incarnation has begun, or why none did.
    pub back: Result<Duration, String>,
}

/// From a crash to the next incarnation at work, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Recovery {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

impl Recovery {
    /// Of all times that were taken; zeros if there are none.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.saturating_sub(1)).map_or(0, |time| time.as_micros() as u64)
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}
