//! The tree of supervisors and workers.
//!
//! ```text
//! index            rest for one: without the collector, no result can be recorded
//! ├─ collector
//! └─ indexing      one for one: restarts the pool when that exceeds its restart intensity
//!    ├─ hashers    a pool with a low restart intensity; its queue survives every restart
//!    │  ├─ 0
//!    │  ├─ 1
//!    │  ├─ ...
//!    │  └─ manager
//!    └─ walker
//! ```

use std::sync::Arc;
use std::time::Duration;

use perennial::pool::{Pool, RateLimit};
use perennial::prelude::*;

use super::collector::{self, COLLECTOR, Collector};
use super::console::DemoConsole;
use super::fault_point::FaultPoint;
use super::files::Scope;
use super::hasher::{self, Hasher, Hashers};
use super::journal::Journal;
use super::options::{Options, Sabotage};
use super::target::Target;
use super::walker::{self, WALKER, Walker};

/// The parts of the tree that the rest of the demo uses.
pub struct Layout {
    pub pool: Hashers,
    pub hashers: Vec<Target>,
    pub collector: Target,
    pub walker: Target,
    pub console: DemoConsole,
}

/// A restart intensity that no attack exceeds.
const UNLIMITED: u32 = 100_000;

/// How many failed starts in a second the pool allows before it ends.
pub const POOL_INTENSITY: u32 = 3;

/// How many files may wait in the queue of the pool.
const CAPACITY: usize = 4096;

/// Folders with at least this many files are indexed as fast as possible: they take long enough.
const PACED_FILES: usize = 20_000;

/// Of the duration of the attack, the part over which a small folder's files are spread.
const PACED_SHARE: f64 = 0.8;

/// The period of the pool's rate limit.
const PACE: Duration = Duration::from_millis(50);

const SECOND: Duration = Duration::from_secs(1);

impl Layout {
    /// Returns the tree, ready to be started, and its parts.
    pub fn new(
        system: &System,
        options: &Options,
        scope: &Scope,
        journal: &Arc<Journal>,
    ) -> (Self, Supervisor) {
        let hasher_points = FaultPoint::shared(options.workers);
        let (collector_point, walker_point) = (FaultPoint::single(), FaultPoint::single());
        let pool = pool(&hasher_points, scope, options);
        let hashers = hasher_points.into_iter().enumerate();
        // A crash without a restart ends the supervisors too: one that restarted its children would
        // restart the worker with them.
        let intensity = if options.sabotage == Some(Sabotage::NoRestart) { 0 } else { UNLIMITED };
        let index = Supervisor::new("index").strategy(Strategy::RestForOne).intensity(intensity, SECOND);
        // First, so that no restart of another child restarts it.
        let (index, console) = DemoConsole::add(index, options, &pool.handle());
        let layout = Self {
            pool: pool.handle(),
            hashers: hashers.map(|(n, point)| Target::pooled(&pool.handle(), n, point)).collect(),
            collector: Target::named(system, COLLECTOR, collector_point.clone(), || collector::Msg::Poke),
            walker: Target::named(system, WALKER, walker_point.clone(), || walker::Msg::Poke),
            console,
        };
        let collector = Child::new::<Collector>(
            "collector",
            collector::Args {
                journal: journal.clone(),
                fault_point: collector_point,
                accepts_duplicates: options.sabotage == Some(Sabotage::DoubleCount),
            },
        );
        let walker = Child::new::<Walker>(
            "walker",
            walker::Args {
                scope: scope.clone(),
                hashers: pool.handle(),
                journal: journal.clone(),
                fault_point: walker_point,
            },
        );
        let indexing = Supervisor::new("indexing")
            .intensity(intensity, SECOND)
            .child(pool)
            // It has no state that the next incarnation does not find again.
            .child(walker.named(WALKER).shutdown(Shutdown::BrutalKill));
        (layout, index.child(collector.named(COLLECTOR)).child(indexing))
    }

    /// Returns every worker.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        [&self.collector, &self.walker].into_iter().chain(&self.hashers)
    }
}

/// Returns the pool of hashers. It tries a job again however often its worker crashes: a fault is
/// no fault of the file.
fn pool(fault_points: &[Arc<FaultPoint>], scope: &Scope, options: &Options) -> Pool<Hasher> {
    let sabotage = options.sabotage;
    let args = hasher::Args {
        fault_points: fault_points.to_vec(),
        sends_twice: sabotage == Some(Sabotage::DoubleCount),
    };
    let mut pool = Pool::<Hasher>::new("hashers", fault_points.len(), args)
        .capacity(CAPACITY)
        .intensity(POOL_INTENSITY, SECOND)
        .retry_errors(true)
        // A hasher may be waiting for the collector, which starts only after the hasher has ended.
        .shutdown(Shutdown::BrutalKill)
        .attempts(if sabotage == Some(Sabotage::LoseWork) { 1 } else { u32::MAX });
    let files = scope.count(PACED_FILES);
    if files < PACED_FILES {
        pool = pool.rate(RateLimit::window(jobs_per_period(files, options.duration), PACE));
    }
    match sabotage {
        Some(Sabotage::NoRestart) => pool.intensity(0, SECOND).restart(Restart::Temporary),
        _ => pool,
    }
}

/// Returns how many jobs may begin in each period, so that the files are done a little before the
/// attack is.
fn jobs_per_period(files: usize, duration: Duration) -> u32 {
    let periods = (duration.mul_f64(PACED_SHARE).as_secs_f64() / PACE.as_secs_f64()).max(1.0);
    (files as f64 / periods).ceil().max(1.0) as u32
}
