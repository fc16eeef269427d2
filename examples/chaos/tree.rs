//! Who supervises whom.
//!
//! ```text
//! index            rest for one: without the journal's keeper nothing else may go on
//! ├─ collector
//! └─ indexing      one for one: takes in what the pool gives up
//!    ├─ hashers    a pool: gives up soon, and what waits in it waits through that
//!    │  ├─ 0
//!    │  ├─ 1
//!    │  ├─ ...
//!    │  └─ foreman
//!    └─ walker
//! ```

use std::sync::Arc;
use std::time::Duration;

use perennial::pool::Pool;
use perennial::prelude::*;

use super::collector::{self, COLLECTOR, Collector};
use super::files::Scope;
use super::hasher::{self, Hasher, Hashers};
use super::journal::Journal;
use super::options::Sabotage;
use super::target::Target;
use super::trap::Rig;
use super::walker::{self, WALKER, Walker};

/// What the demo knows of its tree.
pub struct Layout {
    pub pool: Hashers,
    pub hashers: Vec<Target>,
    pub collector: Target,
    pub walker: Target,
}

/// So many restarts in a second are never needed: nothing escalates past the supervisors that have it.
const PLENTY: u32 = 100_000;

/// How many failed starts of hashers in a second their pool takes before it gives up.
pub const POOL_INTENSITY: u32 = 3;

/// How many files may wait before the walker has to.
const ENOUGH: usize = 4096;

const SECOND: Duration = Duration::from_secs(1);

impl Layout {
    /// The tree, to be started, and what is known of it.
    pub fn new(
        system: &System,
        hashers: usize,
        scope: &Scope,
        journal: &Arc<Journal>,
        sabotage: Option<Sabotage>,
    ) -> (Self, Supervisor) {
        let rigs = Rig::sharing(hashers);
        let (collector_rig, walker_rig) = (Rig::alone(), Rig::alone());
        let pool = pool(&rigs, sabotage);
        let layout = Self {
            pool: pool.handle(),
            hashers: rigs
                .into_iter()
                .enumerate()
                .map(|(n, rig)| Target::pooled(&pool.handle(), n, rig))
                .collect(),
            collector: Target::named(system, COLLECTOR, collector_rig.clone(), || collector::Msg::Poke),
            walker: Target::named(system, WALKER, walker_rig.clone(), || walker::Msg::Poke),
        };
        let collector = Child::new::<Collector>(
            "collector",
            collector::Args {
                journal: journal.clone(),
                rig: collector_rig,
                trusts_everybody: sabotage == Some(Sabotage::DoubleCount),
            },
        );
        let walker = Child::new::<Walker>(
            "walker",
            walker::Args {
                scope: scope.clone(),
                hashers: pool.handle(),
                journal: journal.clone(),
                rig: walker_rig,
            },
        );
        let indexing = Supervisor::new("indexing")
            .intensity(PLENTY, SECOND)
            .child(pool)
            // It holds nothing that the next one would not find again.
            .child(walker.named(WALKER).shutdown(Shutdown::BrutalKill));
        let index = Supervisor::new("index")
            .strategy(Strategy::RestForOne)
            .intensity(PLENTY, SECOND)
            .child(collector.named(COLLECTOR))
            .child(indexing);
        (layout, index)
    }

    /// Every worker.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        [&self.collector, &self.walker].into_iter().chain(&self.hashers)
    }
}

/// The pool of hashers. A crash is the attack's doing, and not the file's: it is tried again, however often that takes.
fn pool(rigs: &[Arc<Rig>], sabotage: Option<Sabotage>) -> Pool<hasher::Job, (), ExitReason> {
    let args = hasher::Args {
        rigs: rigs.to_vec(),
        repeats_itself: sabotage == Some(Sabotage::DoubleCount),
        starts_once: sabotage == Some(Sabotage::NoRestart),
    };
    let pool = Pool::new::<Hasher>("hashers", rigs.len(), args)
        .capacity(ENOUGH)
        .intensity(POOL_INTENSITY, SECOND)
        .retry_errors(true)
        // Who waits for the collector would wait for one that is not started before it has ended.
        .shutdown(Shutdown::BrutalKill)
        .attempts(if sabotage == Some(Sabotage::LoseWork) { 1 } else { u32::MAX });
    match sabotage {
        Some(Sabotage::NoRestart) => pool.intensity(0, SECOND).restart(Restart::Temporary),
        _ => pool,
    }
}
