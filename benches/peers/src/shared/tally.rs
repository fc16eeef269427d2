//! The work of a job, and the notification after the last job of a pool.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A countdown of jobs or other steps that notifies a task at zero.
#[derive(Debug)]
pub struct Tally {
    left: AtomicU64,
    done: Notify,
}

impl Tally {
    /// Returns a countdown of `jobs` jobs.
    pub fn of(jobs: u64) -> Self {
        Self { left: AtomicU64::new(jobs), done: Notify::new() }
    }

    /// Begins a countdown of `steps`. The previous one is over.
    pub fn expect(&self, steps: u64) {
        self.left.store(steps, Ordering::Relaxed);
    }

    /// Runs a job of `rounds` rounds.
    pub fn work(&self, rounds: u64) {
        black_box(compute(rounds));
        self.step();
    }

    /// Counts down by one.
    pub fn step(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
    }

    /// Waits until all jobs or steps are done.
    pub async fn done(&self) {
        self.done.notified().await;
    }
}

/// Runs the rounds. Each depends on the previous one, so the compiler can neither omit nor overlap
/// any.
fn compute(rounds: u64) -> u64 {
    (0..rounds).fold(rounds, |made, round| (made ^ round).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_job_notifies() {
        let tally = Tally::of(2);
        tally.work(0);
        assert_eq!(tally.left.load(Ordering::Relaxed), 1);
        tally.work(0);
        tally.done().await;
    }

    #[test]
    fn every_round_makes_something_else() {
        let made: std::collections::HashSet<_> = (0..100).map(compute).collect();
        assert_eq!(made.len(), 100);
    }
}
