//! The plan of an attack: which fault, at which target, at what time.
//!
//! A plan is a function of the seed and of the options, and of nothing else. The injector carries
//! it out as it is: no fault is added, left out or replaced because of what happens in a run. Which
//! file is being hashed when a fault takes effect is up to the threads.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// How a target is made to fail.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FaultKind {
    /// A handler panics.
    Panic,
    /// A handler returns an error.
    Error,
    /// The target is killed at its next await.
    Kill,
    /// The workers of a supervisor are killed until it exceeds its restart intensity and ends.
    ExhaustRestarts,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Kill => "kill",
            Self::ExhaustRestarts => "exhaust restarts",
        })
    }
}

/// What is made to fail.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FaultTarget {
    /// The hasher that takes the next job.
    NextHasher,
    /// The hasher with this number.
    Hasher(usize),
    Collector,
    Walker,
    /// The supervisor of the hashers.
    Pool,
    /// The supervisor of the pool and the walker.
    Indexing,
}

impl fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NextHasher => f.write_str("the hasher that takes the next job"),
            Self::Hasher(number) => write!(f, "hasher {number}"),
            Self::Collector => f.write_str("collector"),
            Self::Walker => f.write_str("walker"),
            Self::Pool => f.write_str("supervisor hashers"),
            Self::Indexing => f.write_str("supervisor indexing"),
        }
    }
}

/// One entry of a plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// When it is injected, counted from the start of the attack.
    pub at: Duration,
    pub target: FaultTarget,
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3} s  {:<16}  {}", self.at.as_secs_f64(), self.kind, self.target)
    }
}

/// What a plan depends on besides the seed.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// How many faults it has.
    pub faults: usize,
    /// The time over which the faults are spread.
    pub duration: Duration,
    /// How many hashers there are. At least one.
    pub workers: usize,
}

/// Every so many faults, one sets the whole walk back. Most faults leave it alone, so that the work
/// goes on under attack.
const HEAVY_EVERY: usize = 5;

/// Returns the faults in the order of their times. The first is injected at once, so that it meets
/// the first file. One of the first eight exhausts the restarts of the pool.
pub fn plan(seed: u64, options: &PlanOptions) -> Vec<Fault> {
    let mut rng = Rng::with_seed(seed);
    let exhaust_at = rng.usize(2..8).min(options.faults.saturating_sub(1));
    let mut times: Vec<f64> = (1..options.faults).map(|_| rng.f64()).collect();
    times.push(0.0);
    times.sort_by(f64::total_cmp);
    let fault = |(index, share): (usize, f64)| {
        let (target, kind) = if index == exhaust_at {
            (FaultTarget::Pool, FaultKind::ExhaustRestarts)
        } else {
            draw(&mut rng, index, options.workers)
        };
        Fault { at: options.duration.mul_f64(share), target, kind }
    };
    times.into_iter().take(options.faults).enumerate().map(fault).collect()
}

/// Draws a target and a kind that goes with it.
fn draw(rng: &mut Rng, index: usize, workers: usize) -> (FaultTarget, FaultKind) {
    let kind = [FaultKind::Panic, FaultKind::Error, FaultKind::Kill][rng.usize(..3)];
    if index == 0 {
        let kind = if kind == FaultKind::Kill { FaultKind::Panic } else { kind };
        return (FaultTarget::NextHasher, kind);
    }
    if index % HEAVY_EVERY == 1 {
        return match rng.usize(..3) {
            0 => (FaultTarget::Collector, kind),
            1 => (FaultTarget::Walker, kind),
            _ => (FaultTarget::Indexing, FaultKind::Kill),
        };
    }
    if rng.usize(..8) == 0 {
        return (FaultTarget::Pool, FaultKind::Kill);
    }
    match kind {
        FaultKind::Kill => (FaultTarget::Hasher(rng.usize(..workers)), kind),
        // The hashers take jobs from one queue: which one takes the next is up to the threads.
        _ => (FaultTarget::NextHasher, kind),
    }
}
