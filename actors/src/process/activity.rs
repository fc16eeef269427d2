//! What the live incarnation says of itself, so that others can read it without its help.

use std::time::Duration;

use crate::any_process::Suspensions;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The bit of the steps that says that it is at nothing.
const RESTING: u32 = 1;

/// In place of a step, while somebody writes down when that was seen. No incarnation has the number 0.
const OBSERVING: u64 = u32::MAX as u64;

/// What the live incarnation says of itself. Written by it alone; what was seen of it, by whoever looks.
pub(crate) struct Activity {
    trap_exits: AtomicBool,
    suspended: AtomicBool,
    /// How often it was resumed.
    resumptions: AtomicU32,
    /// When it was resumed last, in nanoseconds of the system's life.
    resumed_at: AtomicU64,
    /// Grows by two with everything that it begins to act on; odd while it is at nothing. One number, so that nobody takes the
    /// sleep before a step for the step.
    steps: AtomicU32,
    /// The step at which it was seen last, and which incarnation was.
    seen: AtomicU64,
    /// When it was first seen at that step, in nanoseconds of the system's life.
    seen_at: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            trap_exits: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            resumptions: AtomicU32::new(0),
            resumed_at: AtomicU64::new(0),
            steps: AtomicU32::new(0),
            seen: AtomicU64::new(0),
            seen_at: AtomicU64::new(0),
        }
    }

    /// Begins anew, for the next incarnation.
    pub(crate) fn reset(&self) {
        self.trap(false);
        self.resumptions.store(0, Ordering::Relaxed);
        self.suspended.store(false, Ordering::Release);
        self.begin_step();
    }

    pub(crate) fn is_trapping(&self) -> bool {
        self.trap_exits.load(Ordering::Acquire)
    }

    /// Tells what it was before.
    pub(crate) fn trap(&self, trapping: bool) -> bool {
        self.trap_exits.swap(trapping, Ordering::AcqRel)
    }

    #[inline]
    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    pub(crate) fn suspend(&self) {
        self.suspended.store(true, Ordering::Release);
    }

    /// Ends a suspension, if there is one.
    pub(crate) fn resume(&self, clock: impl Fn() -> Duration) {
        if !self.is_suspended() {
            return;
        }
        // One writer. A reader that finds it resumed finds the time and the number too.
        self.resumed_at.store(nanos(clock()), Ordering::Relaxed);
        self.resumptions.store(self.resumptions.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        self.suspended.store(false, Ordering::Release);
    }

    /// Returns what there is to know of its suspensions.
    pub(crate) fn suspensions(&self, clock: impl Fn() -> Duration) -> Suspensions {
        let is_suspended = self.is_suspended();
        let resumptions = self.resumptions.load(Ordering::Acquire);
        let at = Duration::from_nanos(self.resumed_at.load(Ordering::Relaxed));
        Suspensions { is_suspended, resumptions, resumed_for: clock().saturating_sub(at) }
    }

    /// The incarnation begins to act on something.
    #[inline]
    pub(crate) fn begin_step(&self) {
        // One writer, so no need for an atomic addition, which is what a message could not afford.
        self.steps.store((self.steps.load(Ordering::Relaxed) | RESTING).wrapping_add(1), Ordering::Relaxed);
    }

    /// The incarnation has nothing to act on, or has had its turn and waits for the next.
    #[inline]
    pub(crate) fn mark_idle(&self) {
        self.steps.store(self.steps.load(Ordering::Relaxed) | RESTING, Ordering::Relaxed);
    }

    /// Returns how many things were begun, whether or not it is at one of them.
    pub(crate) fn begun(&self) -> u32 {
        self.steps.load(Ordering::Relaxed) | RESTING
    }

    /// Whether the incarnation is not at anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.steps.load(Ordering::Relaxed) & RESTING != 0
    }

    /// For how long this incarnation has been seen at what it does now; none if it is at nothing. The first look begins to
    /// count, and so does the first await of a handler: to read a clock at every message would cost as much as the message.
    ///
    /// Never longer than it has been at it, however the lookers and the incarnation get in between: the clock is read before
    /// anything else, and what was seen is begun to be counted after that was seen.
    pub(crate) fn busy_for(&self, incarnation: u32, clock: impl Fn() -> Duration) -> Option<Duration> {
        let now = clock();
        let step = self.step_of(incarnation)?;
        if self.seen.load(Ordering::Acquire) == step {
            return Some(Duration::from_nanos(
                nanos(now).saturating_sub(self.seen_at.load(Ordering::Relaxed)),
            ));
        }
        self.observe(incarnation, clock);
        Some(Duration::ZERO)
    }

    /// Begins to count for how long this incarnation is at what it does now, unless that has begun.
    pub(crate) fn observe(&self, incarnation: u32, clock: impl Fn() -> Duration) {
        let seen = self.seen.load(Ordering::Acquire);
        if seen == OBSERVING || self.step_of(incarnation).is_none_or(|step| step == seen) {
            return;
        }
        // One at a time, and each looks at the step and the clock anew: so the time only grows, and who finds the step finds a
        // time at which it had begun.
        if self.seen.compare_exchange(seen, OBSERVING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            let step = self.step_of(incarnation).unwrap_or_default();
            self.seen_at.store(nanos(clock()), Ordering::Relaxed);
            self.seen.store(step, Ordering::Release);
        }
    }

    fn step_of(&self, incarnation: u32) -> Option<u64> {
        let step = self.steps.load(Ordering::Relaxed);
        (step & RESTING == 0).then(|| u64::from(incarnation) << 32 | u64::from(step))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    /// For how long incarnation 1 is at it, looked at when it is so late.
    fn at(condition: &Activity, now: u64) -> Option<u64> {
        let time = condition.busy_for(1, || Duration::from_secs(now));
        time.map(|time| time.as_secs())
    }

    #[test]
    fn who_rests_is_at_nothing_until_it_begins_with_the_next() {
        let condition = Activity::new();
        condition.begin_step();
        assert_eq!((at(&condition, 10), at(&condition, 15)), (Some(0), Some(5)));
        condition.mark_idle();
        assert_eq!((at(&condition, 20), condition.is_idle()), (None, true));
        condition.mark_idle();
        assert_eq!(at(&condition, 25), None, "however often it looks for something to do");
        condition.begin_step();
        assert_eq!((at(&condition, 30), at(&condition, 31)), (Some(0), Some(1)));
        condition.begin_step();
        assert_eq!(at(&condition, 40), Some(0), "without a rest in between");
    }

    #[test]
    fn what_is_seen_of_one_incarnation_is_not_said_of_another() {
        let condition = Activity::new();
        condition.observe(2, || Duration::from_secs(1));
        assert_eq!((at(&condition, 10), at(&condition, 11)), (Some(0), Some(1)));
    }

    #[test]
    fn a_look_that_began_before_what_it_sees_tells_of_no_time() {
        let condition = Activity::new();
        condition.observe(1, || Duration::from_secs(10));
        assert_eq!(at(&condition, 9), Some(0));
    }

    #[test]
    fn the_next_thing_that_begins_in_the_middle_of_a_look_is_counted_from_then_on() {
        let condition = Activity::new();
        let clock = || {
            // The first to be seen is over while the clock is read.
            condition.begin_step();
            Duration::from_secs(10)
        };
        condition.observe(1, clock);
        assert_eq!((at(&condition, 20), at(&condition, 21)), (Some(0), Some(1)));
    }

    #[test]
    fn it_counts_on_when_the_steps_have_gone_round() {
        let condition = Activity::new();
        condition.steps.store(u32::MAX, Ordering::Relaxed);
        condition.begin_step();
        assert_eq!((at(&condition, 10), at(&condition, 15)), (Some(0), Some(5)));
        condition.mark_idle();
        assert_eq!(at(&condition, 20), None);
    }
}
