//! What an attack has done, and how long the targets took to come back.

use std::time::Duration;

use serde::Serialize;

use super::history::{History, PastFault};
use super::plan::{Fault, FaultKind};

/// How many faults took effect, by kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct FaultCounts {
    pub panic: u64,
    pub error: u64,
    pub kill: u64,
    pub exhaust_restarts: u64,
    pub total: u64,
}

impl FaultCounts {
    const fn add(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::Panic => self.panic += 1,
            FaultKind::Error => self.error += 1,
            FaultKind::Kill => self.kill += 1,
            FaultKind::ExhaustRestarts => self.exhaust_restarts += 1,
        }
        self.total += 1;
    }
}

/// The result of one fault.
#[derive(Debug)]
pub struct FaultResult {
    pub fault: Fault,
    /// When the target was back or was given up, counted from the start of the attack.
    pub ended_at: Duration,
    /// The time from the crash until the next incarnation has started, or why none has.
    pub recovered: Result<Duration, String>,
}

/// The result of an attack so far.
#[derive(Debug, Default)]
pub struct AttackResult {
    pub faults: FaultCounts,
    pub history: History,
    /// The targets that did not come back.
    pub lost: Vec<String>,
}

impl AttackResult {
    pub fn record(&mut self, FaultResult { fault, ended_at, recovered }: FaultResult) {
        self.faults.add(fault.kind);
        match recovered {
            Ok(recovered_in) => {
                let crashed_at = ended_at.saturating_sub(recovered_in);
                self.history.faults.push(PastFault { fault, crashed_at, recovered_in });
            }
            Err(error) => self.lost.push(error),
        }
    }
}

/// The percentiles of the time from a crash to the start of the next incarnation, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Recovery {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

impl Recovery {
    /// Returns the percentiles by nearest rank, or zeros if there are no times.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.saturating_sub(1)).map_or(0, |time| time.as_micros() as u64)
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}
