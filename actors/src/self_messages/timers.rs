//! Timers as values, without a clock: the caller passes the time.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::foreign::drop_each;

/// The id of a timer that an incarnation has set. It means nothing to any other incarnation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TimerId(u64);

/// Makes the message of an interval, a new one for each tick.
type MakeMessage<M> = Box<dyn FnMut() -> M + Send>;

enum TimerKind<M> {
    Once(M),
    Every(Duration, MakeMessage<M>),
}

/// The deadline of a timer, and its key.
struct TimerEntry {
    at: Instant,
    key: Option<Cow<'static, str>>,
}

/// The timers of one incarnation. Timers with the same deadline are due in the order in which they
/// were set.
pub(crate) struct Timers<M> {
    next: u64,
    due: BTreeMap<(Instant, TimerId), TimerKind<M>>,
    entries: HashMap<TimerId, TimerEntry>,
    keys: HashMap<Cow<'static, str>, TimerId>,
    /// The idle timer. It is not in `due`, because everything else goes first.
    idle: Option<(Instant, M)>,
}

impl<M> Timers<M> {
    pub(crate) fn new() -> Self {
        Self { next: 0, due: BTreeMap::new(), entries: HashMap::new(), keys: HashMap::new(), idle: None }
    }

    pub(crate) fn set(&mut self, at: Instant, message: M) -> TimerId {
        self.add(at, None, TimerKind::Once(message))
    }

    /// Sets a timer that is due at `first`, and every `period` from then on.
    pub(crate) fn set_interval(&mut self, first: Instant, period: Duration, make: MakeMessage<M>) -> TimerId {
        self.add(first, None, TimerKind::Every(period, make))
    }

    /// Sets a timer that is due at `at`. Replaces the timer with the same key.
    pub(crate) fn set_keyed(&mut self, key: Cow<'static, str>, at: Instant, message: M) -> TimerId {
        if let Some(before) = self.keyed(&key) {
            self.cancel(before);
        }
        let id = self.add(at, Some(key.clone()), TimerKind::Once(message));
        self.keys.insert(key, id);
        id
    }

    /// Returns the timer with this key, if it has not fired yet.
    pub(crate) fn keyed(&self, key: &str) -> Option<TimerId> {
        self.keys.get(key).copied()
    }

    /// Sets the idle timer: it is due at `at`, unless a message comes before. Replaces the previous
    /// one.
    pub(crate) fn set_idle(&mut self, at: Instant, message: M) {
        drop_each(self.idle.replace((at, message)));
    }

    /// Drops the idle timer, because a message came. That message is in flight during the drop.
    pub(crate) fn interrupt_idle(&mut self) {
        drop_each(self.idle.take());
    }

    /// Takes the message of the idle timer, if it is due by `now`. The caller has verified that
    /// nothing else is ready.
    pub(crate) fn pop_idle(&mut self, now: Instant) -> Option<M> {
        self.idle.take_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }

    /// Cancels a timer and returns its deadline, or `None` if it has fired or was cancelled before.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<Instant> {
        let at = self.remove_entry(id)?;
        drop_each(self.due.remove(&(at, id)));
        Some(at)
    }

    /// Returns the deadline of a timer. For an interval, it is the next one.
    pub(crate) fn read(&self, id: TimerId) -> Option<Instant> {
        self.entries.get(&id).map(|entry| entry.at)
    }

    /// Returns the first deadline of all timers, with the idle timer.
    pub(crate) fn next(&self) -> Option<Instant> {
        let first = self.due.first_key_value().map(|((at, _), _)| *at);
        let idle = self.idle.as_ref().map(|(at, _)| *at);
        first.into_iter().chain(idle).min()
    }

    /// Returns `true` if no timer is set.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty() && self.idle.is_none()
    }

    /// Takes the message of the first timer that is due by `now`, except the idle timer.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<M> {
        let first = self.due.first_entry().filter(|first| first.key().0 <= now)?;
        let ((at, id), due) = first.remove_entry();
        match due {
            TimerKind::Once(message) => {
                self.remove_entry(id);
                Some(message)
            }
            TimerKind::Every(period, mut make) => {
                let message = make();
                let again = next_tick(at, period, now);
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.at = again;
                }
                self.due.insert((again, id), TimerKind::Every(period, make));
                Some(message)
            }
        }
    }

    /// Drops all timers, each message and closure under its own guard.
    pub(crate) fn clear(&mut self) {
        drop_each(std::mem::take(&mut self.due).into_values());
        drop_each(self.idle.take());
    }

    fn add(&mut self, at: Instant, key: Option<Cow<'static, str>>, due: TimerKind<M>) -> TimerId {
        let id = TimerId(self.next);
        self.next += 1;
        self.entries.insert(id, TimerEntry { at, key });
        self.due.insert((at, id), due);
        id
    }

    fn remove_entry(&mut self, id: TimerId) -> Option<Instant> {
        let entry = self.entries.remove(&id)?;
        if let Some(key) = entry.key {
            self.keys.remove(&key);
        }
        Some(entry.at)
    }
}

/// Returns the first tick after `now` that is a whole number of periods after `at`. A late interval
/// skips ticks and keeps its phase.
fn next_tick(at: Instant, period: Duration, now: Instant) -> Instant {
    let period = period.max(Duration::from_nanos(1));
    let late = now.saturating_duration_since(at).as_nanos();
    let periods = late / period.as_nanos() + 1;
    at + u32::try_from(periods).map_or_else(|_| now - at + period, |periods| period * periods)
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn drain(timers: &mut Timers<&'static str>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| timers.pop(now)).collect()
    }

    #[test]
    fn equal_deadlines_are_due_in_the_order_in_which_they_were_set() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        for message in ["a", "b", "c"] {
            timers.set(now + secs(1), message);
        }
        timers.set(now, "first");
        assert_eq!(drain(&mut timers, now + secs(1)), ["first", "a", "b", "c"]);
    }

    #[test]
    fn no_timer_is_due_early() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        timers.set(now + secs(1), "a");
        assert_eq!(timers.pop(now + secs(1) - Duration::from_nanos(1)), None);
        assert_eq!(timers.pop(now + secs(1)), Some("a"));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_timer_is_cancelled_once() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        let id = timers.set(now + secs(1), "a");
        assert_eq!(timers.read(id), Some(now + secs(1)));
        assert_eq!(timers.cancel(id), Some(now + secs(1)));
        assert_eq!((timers.cancel(id), timers.read(id)), (None, None));
        assert_eq!(drain(&mut timers, now + secs(9)), [""; 0]);
    }

    #[test]
    fn the_same_key_again_replaces_the_timer() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        let first = timers.set_keyed("retry".into(), now + secs(1), "first");
        let second = timers.set_keyed("retry".into(), now + secs(2), "second");
        assert_eq!((timers.read(first), timers.keyed("retry")), (None, Some(second)));
        assert_eq!(drain(&mut timers, now + secs(3)), ["second"]);
        assert_eq!(timers.keyed("retry"), None);
    }

    #[test]
    fn late_interval_skips_ticks_and_keeps_its_phase() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        timers.set_interval(now + secs(2), secs(2), Box::new(|| "tick"));
        assert_eq!(drain(&mut timers, now + secs(7)), ["tick"]);
        assert_eq!(timers.next(), Some(now + secs(8)));
    }

    #[test]
    fn an_interval_can_be_cancelled_between_its_ticks() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        let id = timers.set_interval(now, secs(2), Box::new(|| "tick"));
        assert_eq!(timers.pop(now), Some("tick"));
        assert_eq!(timers.cancel(id), Some(now + secs(2)));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_message_interrupts_the_idle_timer_and_nothing_else() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        timers.set_idle(now + secs(1), "idle");
        timers.set(now + secs(1), "timer");
        timers.interrupt_idle();
        assert_eq!(drain(&mut timers, now + secs(1)), ["timer"]);
        assert_eq!(timers.pop_idle(now + secs(1)), None);
    }

    #[test]
    fn idle_timer_is_not_among_the_due_timers_and_fires_once() {
        let (now, mut timers) = (Instant::now(), Timers::new());
        timers.set_idle(now + secs(1), "idle");
        timers.set(now + secs(2), "timer");
        assert_eq!((timers.next(), timers.pop(now + secs(1))), (Some(now + secs(1)), None));
        assert_eq!(timers.pop_idle(now + secs(1) - Duration::from_nanos(1)), None);
        assert_eq!((timers.pop_idle(now + secs(1)), timers.pop_idle(now + secs(9))), (Some("idle"), None));
        assert_eq!(timers.next(), Some(now + secs(2)));
    }
}
