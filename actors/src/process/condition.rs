//! What the live incarnation says of itself, so that others can read it without its help.

use std::time::Duration;

use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What the live incarnation says of itself. Written by it alone; what was seen of it, by whoever looks.
pub(crate) struct Condition {
    trapping: AtomicBool,
    suspended: AtomicBool,
    /// Grows with everything that it begins to act on.
    steps: AtomicU32,
    /// The step at which it was seen last, and which incarnation was.
    seen: AtomicU64,
    /// When it was first seen at that step, in nanoseconds of the system's life.
    seen_at: AtomicU64,
}

impl Condition {
    pub(crate) fn new() -> Self {
        Self {
            trapping: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            steps: AtomicU32::new(0),
            seen: AtomicU64::new(0),
            seen_at: AtomicU64::new(0),
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

    #[inline]
    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    pub(crate) fn suspend(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::Release);
    }

    /// The incarnation begins to act on something.
    #[inline]
    pub(crate) fn step(&self) {
        // One writer, so no need for an atomic addition, which is what a message could not afford.
        self.steps.store(self.steps.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// For how long this incarnation has been seen at what it does now. The first look begins to count, and so does the
    /// first await of a handler: to read a clock at every message would cost as much as the message.
    pub(crate) fn at_it_for(&self, incarnation: u32, now: Duration) -> Duration {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let step = u64::from(incarnation) << 32 | u64::from(self.steps.load(Ordering::Relaxed));
        if self.seen.load(Ordering::Acquire) == step {
            return Duration::from_nanos(now.saturating_sub(self.seen_at.load(Ordering::Relaxed)));
        }
        // The time first: who finds the step finds a time that is not before it.
        self.seen_at.store(now, Ordering::Relaxed);
        self.seen.store(step, Ordering::Release);
        Duration::ZERO
    }
}
