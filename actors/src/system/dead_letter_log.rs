//! The log lines of dead letters: few of them, however many letters there are.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::dead_letters::{DeadLetter, DeadLetterReason};
use super::throttle::{Throttle, Throttled};
use crate::clock::{NoTimers, sleep_until};
use crate::exit::ExitReason;
use crate::log::{self, Level, LogQueue};
use crate::sync::Mutex;

/// Logs the dead letters of one system.
///
/// Letters that follow from an orderly stop are expected: they are logged at debug level. So is the
/// letter of a message in flight, because the line of the crash names it. Both levels are throttled,
/// each on its own.
pub(super) struct DeadLetterLog {
    unexpected: Arc<Lane>,
    expected: Arc<Lane>,
}

/// The letters of one level.
struct Lane {
    level: Level,
    log: LogQueue,
    throttle: Mutex<Throttle>,
}

impl DeadLetterLog {
    pub(super) fn new(log: &LogQueue) -> Self {
        let lane =
            |level| Arc::new(Lane { level, log: log.clone(), throttle: Mutex::new(Throttle::default()) });
        Self { unexpected: lane(Level::WARN), expected: lane(Level::DEBUG) }
    }

    /// Writes or counts a letter. `began` is when the system began.
    pub(super) fn write(&self, letter: &DeadLetter, is_runtime_gone: bool, began: Instant) {
        let is_expected = is_runtime_gone || letter.reason.is_expected();
        let lane = if is_expected { &self.expected } else { &self.unexpected };
        if lane.log.wants(lane.level) {
            lane.write(letter, began);
        }
    }
}

impl Lane {
    fn write(self: &Arc<Self>, letter: &DeadLetter, began: Instant) {
        let admitted = self.throttle.lock().admit(began.elapsed());
        match admitted {
            Throttled::Write => self.write_letter(letter),
            Throttled::WriteCount(count) => log::dead_letters_counted(&self.log, self.level, count),
            Throttled::CountAfter(time) => self.count_after(time, began),
            Throttled::Counted => {}
        }
    }

    fn write_letter(&self, letter: &DeadLetter) {
        let (cause, reason) = match &letter.reason {
            DeadLetterReason::InFlight(reason) => ("in flight", Some(reason.clone())),
            DeadLetterReason::Unhandled(reason) => ("unhandled", Some(reason.clone())),
            DeadLetterReason::Overflow => ("overflow", None),
        };
        let target = (letter.target, letter.label.clone(), letter.message_type);
        log::dead_letter(&self.log, self.level, target, cause, reason);
    }

    /// Has the count written in this time, or when the runtime goes away. Without a runtime, or without
    /// timers, the next letter after that time does so.
    fn count_after(self: &Arc<Self>, time: Duration, began: Instant) {
        let Ok(runtime) = Handle::try_current() else { return };
        let due = Due { lane: self.clone(), began, is_void: false };
        let at = Instant::now() + time;
        drop(runtime.spawn(async move {
            // The whole of it moves into the task.
            let mut due = due;
            match sleep_until(at) {
                Ok(timer) => timer.await,
                Err(NoTimers) => due.is_void = true,
            }
        }));
    }
}

/// A count that is due. It is written when this is dropped.
struct Due {
    lane: Arc<Lane>,
    began: Instant,
    /// Set if no timer is to be had.
    is_void: bool,
}

impl Drop for Due {
    fn drop(&mut self) {
        if self.is_void {
            return;
        }
        let count = self.lane.throttle.lock().take_count(self.began.elapsed());
        if count > 0 {
            log::dead_letters_counted(&self.lane.log, self.lane.level, count);
        }
    }
}

impl DeadLetterReason {
    /// Returns `true` if no line warns of such a letter.
    fn is_expected(&self) -> bool {
        match self {
            Self::InFlight(_) => true,
            Self::Unhandled(reason) => !reason.is_abnormal() || matches!(reason, ExitReason::NoProcess),
            Self::Overflow => false,
        }
    }
}
