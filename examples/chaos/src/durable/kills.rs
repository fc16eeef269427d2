//! When the worker processes are killed, from the seed.

use std::time::Duration;

use fastrand::Rng;

/// One in so many processes is killed while it starts.
const EARLY_EVERY: usize = 8;

/// The longest time until a kill of a process that starts, in microseconds.
const START: u64 = 30_000;

/// The longest time from an answer to the kill, in microseconds. The sync of a commit takes about
/// as long.
const REST: u64 = 3_000;

/// The moment at which a process is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kill {
    /// This long after its start, whatever it does then.
    Early(Duration),
    /// This long after it has answered this share of what it was asked for.
    Working { share: f64, rest: Duration },
}

/// Returns the moments. The same seed gives the same ones.
pub fn plan(seed: u64, kills: usize) -> Vec<Kill> {
    let mut rng = Rng::with_seed(seed);
    let mut next = || {
        if rng.usize(..EARLY_EVERY) == 0 {
            return Kill::Early(Duration::from_micros(rng.u64(..START)));
        }
        Kill::Working { share: rng.f64(), rest: Duration::from_micros(rng.u64(..REST)) }
    };
    (0..kills).map(|_| next()).collect()
}

/// Returns how many of `files` the process with this index may know of, if `kills` processes are
/// killed. The last one gets all.
pub const fn portion(files: usize, index: usize, kills: usize) -> usize {
    files * (index + 1) / (kills + 1)
}
