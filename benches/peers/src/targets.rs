//! The targets of perennial, work by work.

use crate::contestants::{ACTIX, BARE, ERLANG, KAMEO, RACTOR};
use crate::work::{Contestant, Work};

/// The value with which a result is compared.
#[derive(Clone, Copy, Debug)]
pub enum Against {
    Peer(&'static Contestant),
    /// A fixed amount, in the unit of the work.
    Limit(f64),
}

/// The required minimum of the other's cost divided by perennial's.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub against: Against,
    pub at_least: f64,
}

const fn peer(peer: &'static Contestant, at_least: f64) -> Target {
    Target { against: Against::Peer(peer), at_least }
}

const fn limit(most: f64) -> Target {
    Target { against: Against::Limit(most), at_least: 1.0 }
}

const CASTING: &[Target] = &[peer(RACTOR, 8.0), peer(KAMEO, 8.0), peer(ACTIX, 8.0), peer(BARE, 1.0)];
const CASTING_4: &[Target] = &[peer(RACTOR, 4.0), peer(KAMEO, 4.0), peer(ACTIX, 4.0), peer(BARE, 1.0)];
const CALLING: &[Target] = &[peer(RACTOR, 2.5), peer(KAMEO, 2.5), peer(ACTIX, 2.5), peer(BARE, 1.0 / 1.3)];
// The limits are those of a quiet machine; unwinding alone takes some 4 of the 8 microseconds.
const RESTARTING: &[Target] = &[limit(5_000.0), peer(KAMEO, 2.0), peer(RACTOR, 100.0), peer(ERLANG, 10.0)];
const UNWINDING: &[Target] = &[limit(8_000.0), peer(KAMEO, 2.0), peer(RACTOR, 100.0), peer(ERLANG, 10.0)];

// This limit too is that of a quiet machine.
const NAMED: &[Target] = &[limit(60.0)];

const POOLING: &[Target] = &[peer(RACTOR, 8.0), peer(KAMEO, 8.0), peer(BARE, 1.0 / 3.0)];
// Two idle processors take 50. Other load on the machine makes that impossible: the result of bare
// shows what is possible.
const SHARING: &[Target] = &[limit(60.0), peer(BARE, 0.9)];
const SPAWNING: &[Target] = &[peer(RACTOR, 3.0), peer(KAMEO, 3.0), peer(BARE, 1.0 / 1.5)];
const FINDING: &[Target] = &[peer(RACTOR, 1.0), peer(KAMEO, 1.0)];

/// The works that have targets. A bounded one has none.
const TARGETS: &[(&str, &[Target])] = &[
    ("cast_1_1", CASTING),
    ("cast_4_1", CASTING_4),
    ("call", CALLING),
    ("cast_1_1_one_thread", CASTING),
    ("cast_4_1_one_thread", CASTING_4),
    ("call_one_thread", CALLING),
    ("spawn_stop", SPAWNING),
    ("restart_error", RESTARTING),
    ("restart_panic", UNWINDING),
    ("whereis", FINDING),
    ("named_cast", NAMED),
    ("pool_empty_jobs", POOLING),
    ("pool_empty_jobs_one_thread", POOLING),
    ("pool_cpu_jobs", SHARING),
    ("idle_bytes", &[limit(1024.0)]),
];

/// Returns the targets of a work.
pub fn of(work: &Work) -> &'static [Target] {
    TARGETS.iter().find(|(name, _)| *name == work.name).map_or(&[], |(_, targets)| targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::named;

    #[test]
    fn every_target_belongs_to_a_work() {
        for (name, targets) in TARGETS {
            let work = named(name).unwrap();
            assert!(!work.task.is_bounded() && of(work).len() == targets.len(), "{name}");
        }
    }
}
