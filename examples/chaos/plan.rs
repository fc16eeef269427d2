//! Which faults, in which order, how far apart: all of it drawn from one seed, and nothing else.
//!
//! The same seed gives the same plan. It does not give the same run: which file is in work when a fault strikes is up to
//! the threads.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How somebody is made to crash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Panic,
    Error,
    Kill,
}

/// Who is to crash.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Victim {
    /// This one, if it is killed; else whoever takes the next job.
    Hasher(usize),
    Walker,
    Collector,
    /// The supervisor of the hashers.
    Pool,
    /// The supervisor of pool and walker.
    Indexing,
}

/// A part of an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blow {
    /// Let one crash.
    Strike(Victim, Way),
    /// Let the hasher crash that takes the next file, whoever that is.
    NextFile(Way),
    /// Let the hashers crash until their supervisor gives up.
    Wear,
}

/// A blow, and how long after the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub after: Duration,
    pub blow: Blow,
}

/// An endless attack.
#[derive(Debug)]
pub struct Plan {
    dice: StdRng,
    hashers: usize,
    rate: f64,
    /// From this blow on the gaps grow, so that even a file that takes long is done some time.
    relent_after: u64,
    count: u64,
    /// The blow that wears the pool out.
    wear_at: u64,
    /// The next blow that may hit somebody whose crash sets the whole walk back, and the distance to the one after. It grows,
    /// so that even a walk that takes long is done some time.
    heavy_at: u64,
    heavy_gap: u64,
}

/// How much longer each gap is than the one before, once the attack relents.
const RELENT: f64 = 1.15;

impl Plan {
    pub fn new(seed: u64, hashers: usize, rate: f64, relent_after: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let wear_at = dice.random_range(2..8);
        Self { dice, hashers, rate, relent_after, count: 0, wear_at, heavy_at: 1, heavy_gap: 3 }
    }

    /// Gaps as of a Poisson process: faults do not wait for one another.
    fn gap(&mut self) -> Duration {
        let mean = 1.0 / self.rate;
        let drawn = -mean * (1.0 - self.dice.random::<f64>()).ln();
        let late = self.count.saturating_sub(self.relent_after).min(100) as i32;
        Duration::from_secs_f64((drawn.min(5.0 * mean) * RELENT.powi(late)).min(10.0))
    }

    fn blow(&mut self) -> Blow {
        if self.count == 0 {
            let way = if self.dice.random() { Way::Panic } else { Way::Error };
            return Blow::NextFile(way);
        }
        if self.count == self.wear_at {
            return Blow::Wear;
        }
        if self.count >= self.heavy_at {
            self.heavy_at = self.count + self.heavy_gap;
            self.heavy_gap += self.heavy_gap.div_ceil(4);
            return self.heavy();
        }
        if self.dice.random_ratio(1, 8) {
            return Blow::Strike(Victim::Pool, Way::Kill);
        }
        Blow::Strike(Victim::Hasher(self.dice.random_range(0..self.hashers)), self.way())
    }

    fn heavy(&mut self) -> Blow {
        match self.dice.random_range(0..3) {
            0 => Blow::Strike(Victim::Collector, self.way()),
            1 => Blow::Strike(Victim::Walker, self.way()),
            _ => Blow::Strike(Victim::Indexing, Way::Kill),
        }
    }

    fn way(&mut self) -> Way {
        match self.dice.random_range(0..3) {
            0 => Way::Panic,
            1 => Way::Error,
            _ => Way::Kill,
        }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        // The first file is attacked before anybody can take it.
        let after = if self.count == 0 { Duration::ZERO } else { self.gap() };
        let blow = self.blow();
        self.count += 1;
        Some(Step { after, blow })
    }
}
