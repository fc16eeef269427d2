//! The state that a running incarnation publishes, so that others can read it without its help.

use std::time::Duration;

use crate::pid::Pid;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::system::{LifecycleState, Suspensions};

/// The bit of `steps` that marks the incarnation as idle.
const IDLE: u32 = 1;

/// Replaces the observed step while a thread writes the time of the observation. It is no valid
/// step, because no incarnation has the number 0.
const OBSERVING: u64 = u32::MAX as u64;

/// The state that a running incarnation publishes. Only the incarnation changes it. The observation
/// is written by its readers too.
#[derive(Default)]
pub(crate) struct Activity {
    trap_exits: AtomicBool,
    suspended: AtomicBool,
    /// The number of resumptions.
    resumptions: AtomicU32,
    /// The time of the last resumption, in nanoseconds since the start of the system.
    resumed_at: AtomicU64,
    /// Grows by two with every step that begins, and is odd while the incarnation is idle. One
    /// number holds both, so that the idle time before a step is never taken for the step.
    steps: AtomicU32,
    /// The last observed step. The upper half is the number of its incarnation.
    observed: AtomicU64,
    /// The time of the first observation of that step, in nanoseconds since the start of the
    /// system.
    observed_at: AtomicU64,
    /// The time of the last ping of the running incarnation, in nanoseconds since the start of the
    /// system, plus 1; 0 if there was none.
    pinged_at: AtomicU64,
    /// The number of the last incarnation that has ended. Its pings do not count any more.
    ended: AtomicU32,
    /// The last lifecycle event: the number of its incarnation, shifted by two, and its kind.
    lifecycle: AtomicU64,
}

impl Activity {
    /// Resets the state when this incarnation has ended, for the next one.
    pub(crate) fn reset(&self, ended: u32) {
        self.trap(false);
        self.ended.store(ended, Ordering::Relaxed);
        self.pinged_at.store(0, Ordering::Relaxed);
        self.resumptions.store(0, Ordering::Relaxed);
        self.suspended.store(false, Ordering::Release);
        self.begin_step();
    }

    /// Records a lifecycle event, before it is published.
    pub(crate) fn record_lifecycle(&self, state: LifecycleState) {
        let (kind, pid) = match state {
            LifecycleState::New => return,
            LifecycleState::Started(pid) => (1, pid),
            LifecycleState::Ended(pid) => (2, pid),
            LifecycleState::Closed(pid) => (3, pid),
        };
        self.lifecycle.store(u64::from(pid.incarnation()) << 2 | kind, Ordering::Release);
    }

    /// Returns the last lifecycle event of the identity with this number.
    pub(crate) fn lifecycle(&self, identity: u64) -> LifecycleState {
        let last = self.lifecycle.load(Ordering::Acquire);
        let pid = Pid::new(identity, u32::try_from(last >> 2).unwrap_or(u32::MAX));
        match last & 3 {
            0 => LifecycleState::New,
            1 => LifecycleState::Started(pid),
            2 => LifecycleState::Ended(pid),
            _ => LifecycleState::Closed(pid),
        }
    }

    pub(crate) fn is_trapping(&self) -> bool {
        self.trap_exits.load(Ordering::Acquire)
    }

    /// Sets whether exits are trapped, and returns the previous value.
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
        // There is one writer. A reader that sees the resumption also sees the time and the number.
        self.resumed_at.store(nanos(clock()), Ordering::Relaxed);
        self.resumptions.store(self.resumptions.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        self.suspended.store(false, Ordering::Release);
    }

    /// Returns the suspensions of the incarnation.
    pub(crate) fn suspensions(&self, clock: impl Fn() -> Duration) -> Suspensions {
        let is_suspended = self.is_suspended();
        let resumptions = self.resumptions.load(Ordering::Acquire);
        let at = Duration::from_nanos(self.resumed_at.load(Ordering::Relaxed));
        Suspensions { is_suspended, resumptions, resumed_for: clock().saturating_sub(at) }
    }

    /// Records that this incarnation makes progress, unless it has ended.
    pub(crate) fn ping(&self, incarnation: u32, clock: impl Fn() -> Duration) {
        if incarnation > self.ended.load(Ordering::Relaxed) {
            // Several threads may ping. A late one does not take back a later ping, also if the
            // incarnation has ended meanwhile.
            self.pinged_at.fetch_max(nanos(clock()).saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Returns the time since the last ping of the running incarnation, if it has pinged.
    pub(crate) fn last_ping(&self, clock: impl Fn() -> Duration) -> Option<Duration> {
        let now = nanos(clock());
        let pinged_at = self.pinged_at.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_nanos(now.saturating_sub(pinged_at)))
    }

    /// Marks the beginning of a step: the incarnation begins to act on something.
    #[inline]
    pub(crate) fn begin_step(&self) {
        // There is one writer, so an atomic addition is not needed. It would be too expensive for
        // each message.
        self.steps.store((self.steps.load(Ordering::Relaxed) | IDLE).wrapping_add(1), Ordering::Relaxed);
    }

    /// Returns the number of steps, which grows, and whether the incarnation is idle.
    pub(crate) fn step(&self) -> (u32, bool) {
        let steps = self.steps.load(Ordering::Relaxed);
        (steps, steps & IDLE != 0)
    }

    /// Marks the incarnation as idle: it has nothing to act on, or has used up its budget.
    #[inline]
    pub(crate) fn mark_idle(&self) {
        self.steps.store(self.steps.load(Ordering::Relaxed) | IDLE, Ordering::Relaxed);
    }

    /// Returns the number of steps begun, whether or not one is running.
    pub(crate) fn steps(&self) -> u32 {
        self.steps.load(Ordering::Relaxed) | IDLE
    }

    /// Returns `true` if the incarnation is idle.
    pub(crate) fn is_idle(&self) -> bool {
        self.steps.load(Ordering::Relaxed) & IDLE != 0
    }

    /// Returns how long the current step of this incarnation has been observed running, or `None`
    /// if it is idle. Observation starts at the first await of a handler or at the first call here,
    /// because reading the clock for each message would cost as much as the message.
    ///
    /// The result never exceeds the true running time, however readers and the incarnation
    /// interleave: the clock is read before anything else, and the time of an observation is taken
    /// after the step was read.
    pub(crate) fn busy_for(&self, incarnation: u32, clock: impl Fn() -> Duration) -> Option<Duration> {
        let now = clock();
        let step = self.step_of(incarnation)?;
        if self.observed.load(Ordering::Acquire) == step {
            return Some(Duration::from_nanos(
                nanos(now).saturating_sub(self.observed_at.load(Ordering::Relaxed)),
            ));
        }
        self.observe(incarnation, clock);
        Some(Duration::ZERO)
    }

    /// Starts the observation of the current step, unless it has started.
    pub(crate) fn observe(&self, incarnation: u32, clock: impl Fn() -> Duration) {
        let seen = self.observed.load(Ordering::Acquire);
        if seen == OBSERVING || self.step_of(incarnation).is_none_or(|step| step == seen) {
            return;
        }
        // One writer at a time, and each reads the step and the clock anew. So the time only grows,
        // and a reader that finds a step also finds a time at which the step had begun.
        if self.observed.compare_exchange(seen, OBSERVING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            let step = self.step_of(incarnation).unwrap_or_default();
            self.observed_at.store(nanos(clock()), Ordering::Relaxed);
            self.observed.store(step, Ordering::Release);
        }
    }

    fn step_of(&self, incarnation: u32) -> Option<u64> {
        let step = self.steps.load(Ordering::Relaxed);
        (step & IDLE == 0).then(|| u64::from(incarnation) << 32 | u64::from(step))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    /// Returns for how many seconds incarnation 1 is observed running at second `now`.
    fn busy_secs(activity: &Activity, now: u64) -> Option<u64> {
        let time = activity.busy_for(1, || Duration::from_secs(now));
        time.map(|time| time.as_secs())
    }

    #[test]
    fn idle_incarnation_is_not_busy_until_its_next_step() {
        let activity = Activity::default();
        activity.begin_step();
        assert_eq!((busy_secs(&activity, 10), busy_secs(&activity, 15)), (Some(0), Some(5)));
        activity.mark_idle();
        assert_eq!((busy_secs(&activity, 20), activity.is_idle()), (None, true));
        activity.mark_idle();
        assert_eq!(busy_secs(&activity, 25), None, "marking it idle again changes nothing");
        activity.begin_step();
        assert_eq!((busy_secs(&activity, 30), busy_secs(&activity, 31)), (Some(0), Some(1)));
        activity.begin_step();
        assert_eq!(busy_secs(&activity, 40), Some(0), "without idle time in between");
    }

    #[test]
    fn observation_of_one_incarnation_does_not_apply_to_another() {
        let activity = Activity::default();
        activity.observe(2, || Duration::from_secs(1));
        assert_eq!((busy_secs(&activity, 10), busy_secs(&activity, 11)), (Some(0), Some(1)));
    }

    #[test]
    fn query_that_began_before_the_observation_returns_zero() {
        let activity = Activity::default();
        activity.observe(1, || Duration::from_secs(10));
        assert_eq!(busy_secs(&activity, 9), Some(0));
    }

    #[test]
    fn step_that_begins_during_an_observation_is_timed_from_then_on() {
        let activity = Activity::default();
        let clock = || {
            // The step that was read first ends while the clock is read.
            activity.begin_step();
            Duration::from_secs(10)
        };
        activity.observe(1, clock);
        assert_eq!((busy_secs(&activity, 20), busy_secs(&activity, 21)), (Some(0), Some(1)));
    }

    #[test]
    fn last_ping_counts_and_an_earlier_one_does_not_replace_it() {
        let activity = Activity::default();
        let secs = Duration::from_secs;
        assert_eq!(activity.last_ping(|| secs(5)), None);
        activity.ping(1, || secs(0));
        assert_eq!(activity.last_ping(|| secs(5)), Some(secs(5)), "also one at the start of the system");
        activity.ping(1, || secs(9));
        activity.ping(1, || secs(7));
        assert_eq!(activity.last_ping(|| secs(10)), Some(secs(1)));
        assert_eq!(activity.last_ping(|| secs(8)), Some(secs(0)), "the clock was read before the ping");
    }

    #[test]
    fn pings_of_an_incarnation_that_has_ended_do_not_count_for_the_next() {
        let activity = Activity::default();
        let secs = Duration::from_secs;
        activity.ping(1, || secs(1));
        activity.reset(1);
        assert_eq!(activity.last_ping(|| secs(2)), None);
        activity.ping(1, || secs(3));
        assert_eq!(activity.last_ping(|| secs(4)), None, "it was abandoned, and still runs");
        activity.ping(2, || secs(5));
        activity.ping(1, || secs(6));
        assert_eq!(activity.last_ping(|| secs(7)), Some(secs(2)));
    }

    #[test]
    fn busy_time_survives_a_wrap_of_the_step_counter() {
        let activity = Activity::default();
        activity.steps.store(u32::MAX, Ordering::Relaxed);
        activity.begin_step();
        assert_eq!((busy_secs(&activity, 10), busy_secs(&activity, 15)), (Some(0), Some(5)));
        activity.mark_idle();
        assert_eq!(busy_secs(&activity, 20), None);
    }
}
