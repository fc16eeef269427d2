//! Who supervises whom.
//!
//! ```text
//! index            rest for one: without the journal's keeper nothing else may go on
//! ├─ collector
//! ├─ intake        one for all: a walk and the line it fills belong together
//! │  ├─ dispatcher
//! │  └─ walker
//! └─ crews         one for one: takes in what the crews give up
//!    ├─ crew-0     one for one: gives up soon
//!    │  ├─ hasher-0
//!    │  └─ hasher-2
//!    └─ crew-1
//!       ├─ hasher-1
//!       └─ hasher-3
//! ```

use std::sync::Arc;
use std::time::Duration;

use perennial::prelude::*;

use super::collector::{self, COLLECTOR, Collector};
use super::dispatcher::{self, DISPATCHER, Dispatcher};
use super::files::Scope;
use super::hasher::{self, Hasher};
use super::journal::Journal;
use super::options::Sabotage;
use super::target::Target;
use super::trap::Trap;
use super::walker::{self, WALKER, Walker};

/// What the demo knows of its tree before it is started.
pub struct Layout {
    pub hashers: Vec<Target>,
    pub collector: Target,
    pub dispatcher: Target,
    pub walker: Target,
    pub next_file: Arc<Trap>,
    pub crews: usize,
}

/// So many restarts in a second are never needed: nothing escalates past the supervisors that have it.
const PLENTY: u32 = 100_000;

/// How many crashes in a second a crew takes before it gives up.
pub const CREW_INTENSITY: u32 = 3;

const SECOND: Duration = Duration::from_secs(1);

impl Layout {
    pub fn new(system: &System, hashers: usize) -> Self {
        let hasher = |number| Target::new(system, hasher::name(number), Arc::default());
        Self {
            hashers: (0..hashers).map(hasher).collect(),
            collector: Target::new(system, COLLECTOR, Arc::default()),
            dispatcher: Target::new(system, DISPATCHER, Arc::default()),
            walker: Target::new(system, WALKER, Arc::default()),
            next_file: Arc::default(),
            crews: hashers.min(2),
        }
    }

    /// Every worker.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        [&self.collector, &self.dispatcher, &self.walker].into_iter().chain(&self.hashers)
    }

    /// The hashers of a crew.
    pub fn crew(&self, crew: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.hashers.len()).skip(crew).step_by(self.crews)
    }

    /// The tree, to be started.
    pub fn tree(&self, scope: &Scope, journal: &Arc<Journal>, sabotage: Option<Sabotage>) -> Supervisor {
        let collector = Child::new::<Collector>(
            "collector",
            collector::Args {
                journal: journal.clone(),
                trap: self.collector.trap.clone(),
                trusts_everybody: sabotage == Some(Sabotage::DoubleCount),
            },
        );
        Supervisor::new("index")
            .strategy(Strategy::RestForOne)
            .intensity(PLENTY, SECOND)
            .child(collector.named(COLLECTOR))
            .child(self.intake(scope, journal, sabotage))
            .child(self.all_crews(sabotage))
    }

    fn intake(&self, scope: &Scope, journal: &Arc<Journal>, sabotage: Option<Sabotage>) -> Supervisor {
        let dispatcher = Child::new::<Dispatcher>(
            "dispatcher",
            dispatcher::Args {
                journal: journal.clone(),
                trap: self.dispatcher.trap.clone(),
                loses_work: sabotage == Some(Sabotage::LoseWork),
            },
        );
        let walker = Child::new::<Walker>(
            "walker",
            walker::Args { scope: scope.clone(), trap: self.walker.trap.clone() },
        );
        Supervisor::new("intake")
            .strategy(Strategy::OneForAll)
            .intensity(CREW_INTENSITY, SECOND)
            .child(dispatcher.named(DISPATCHER))
            // It holds nothing that the next one would not find again.
            .child(walker.named(WALKER).shutdown(Shutdown::BrutalKill))
    }

    fn all_crews(&self, sabotage: Option<Sabotage>) -> Supervisor {
        let crews = (0..self.crews).map(|crew| {
            Supervisor::new(format!("crew-{crew}"))
                .intensity(CREW_INTENSITY, SECOND)
                .children(self.crew(crew).map(|number| self.hasher(number, sabotage)))
        });
        Supervisor::new("crews").intensity(PLENTY, SECOND).children(crews)
    }

    fn hasher(&self, number: usize, sabotage: Option<Sabotage>) -> Child<hasher::Msg> {
        let args = hasher::Args {
            number,
            trap: self.hashers[number].trap.clone(),
            next_file: self.next_file.clone(),
            repeats_itself: sabotage == Some(Sabotage::DoubleCount),
        };
        let restart =
            if sabotage == Some(Sabotage::NoRestart) { Restart::Temporary } else { Restart::Permanent };
        Child::new::<Hasher>(format!("hasher-{number}"), args)
            .named(hasher::name(number))
            .restart(restart)
            .shutdown(Shutdown::BrutalKill)
    }
}
