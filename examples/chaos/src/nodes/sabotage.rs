//! How messages reach a hasher: as they come, or against a promise, which the checks must notice.
//!
//! The network of a node removes copies and restores the order. So this is behind it.

use super::super::options::Sabotage;
use super::message::{Job, Stamp};

/// A message is doubled or comes late once so many have come since the last one.
const EVERY: u64 = 20;

/// What is between the network and a hasher.
#[derive(Debug)]
pub struct Delivery {
    sabotage: Option<Sabotage>,
    count: u64,
    late: Option<Job>,
}

impl Delivery {
    pub const fn new(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, count: 0, late: None }
    }

    /// Returns what the hasher gets when a message has come.
    pub fn pass(&mut self, job: Job) -> Vec<Job> {
        self.count += 1;
        let is_due = self.count >= EVERY;
        match (self.sabotage, &job) {
            (Some(Sabotage::DoubleDeliver), Job::Announce(stamp, file) | Job::Hash(stamp, file, _))
                if is_due =>
            {
                self.count = 0;
                vec![Job::Announce(stamp.clone(), *file), job]
            }
            // The call of its sender follows.
            (Some(Sabotage::Reorder), Job::Announce(..)) if is_due && self.late.is_none() => {
                self.count = 0;
                self.late = Some(job);
                Vec::new()
            }
            (Some(Sabotage::Reorder), _) if self.late.as_ref().is_some_and(|late| is_of_one(late, &job)) => {
                [job].into_iter().chain(self.late.take()).collect()
            }
            _ => vec![job],
        }
    }
}

fn is_of_one(a: &Job, b: &Job) -> bool {
    stamp(a).zip(stamp(b)).is_some_and(|(a, b)| a.from == b.from)
}

const fn stamp(job: &Job) -> Option<&Stamp> {
    match job {
        Job::Announce(stamp, _) | Job::Hash(stamp, ..) => Some(stamp),
        Job::Boot(_) => None,
    }
}
