//! What the live incarnation says of itself, so that others can read it without its help.

use std::time::Duration;

use tokio::time::Instant;

use crate::sync::{AtomicBool, AtomicU32, Mutex, Ordering};

/// What the live incarnation says of itself. Written by it alone; the sample by whoever looks.
pub(crate) struct Condition {
    trapping: AtomicBool,
    suspended: AtomicBool,
    /// Grows with everything that it begins to act on.
    steps: AtomicU32,
    sample: Mutex<Option<Sample>>,
}

/// When an incarnation was first seen at a step that may go on still.
struct Sample {
    incarnation: u32,
    step: u32,
    seen: Instant,
}

impl Condition {
    pub(crate) fn new() -> Self {
        Self {
            trapping: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            steps: AtomicU32::new(0),
            sample: Mutex::new(None),
        }
    }

    /// Begins anew, for the next incarnation.
    pub(crate) fn reset(&self) {
        self.trap(false);
        self.suspend(false);
    }

    pub(crate) fn is_trapping(&self) -> bool {
        self.trapping.load(Ordering::Acquire)
    }

    /// Tells what it was before.
    pub(crate) fn trap(&self, trapping: bool) -> bool {
        self.trapping.swap(trapping, Ordering::AcqRel)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    pub(crate) fn suspend(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::Release);
    }

    /// The incarnation begins to act on something.
    pub(crate) fn step(&self) {
        // One writer, so no need for an atomic addition, which is what a message could not afford.
        self.steps.store(self.steps.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// For how long this incarnation has been seen at what it does now. The first look begins to count, and so does the
    /// first await of a handler: to read a clock at every message would cost as much as the message.
    pub(crate) fn at_it_for(&self, incarnation: u32) -> Duration {
        let step = self.steps.load(Ordering::Relaxed);
        let mut sample = self.sample.lock();
        match &*sample {
            Some(known) if known.incarnation == incarnation && known.step == step => known.seen.elapsed(),
            _ => {
                *sample = Some(Sample { incarnation, step, seen: Instant::now() });
                Duration::ZERO
            }
        }
    }
}
