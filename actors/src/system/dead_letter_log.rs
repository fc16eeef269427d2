//! The log lines of dead letters: a limited number, however many dead letters there are.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::dead_letters::{DeadLetter, DeadLetterReason};
use super::throttle::{Throttle, Throttled};
use crate::clock::sleep_until;
use crate::error::NoTimers;
use crate::exit::ExitReason;
use crate::log::{self, Level, LogQueue};
use crate::sync::Mutex;

/// Logs the dead letters of one system.
///
/// Dead letters of an orderly stop are expected, so they are logged at debug level. So is the
/// letter of a message in flight, because the line of the crash names it. Each level is throttled
/// separately.
pub(super) struct DeadLetterLog {
    unexpected: Arc<LevelLog>,
    expected: Arc<LevelLog>,
}

/// The dead letters of one level.
struct LevelLog {
    level: Level,
    log: LogQueue,
    throttle: Mutex<Throttle>,
}

impl DeadLetterLog {
    pub(super) fn new(log: &LogQueue) -> Self {
        let level_log =
            |level| Arc::new(LevelLog { level, log: log.clone(), throttle: Mutex::new(Throttle::default()) });
        Self { unexpected: level_log(Level::WARN), expected: level_log(Level::DEBUG) }
    }

    /// Writes or counts a dead letter. `began` is the start of the system.
    pub(super) fn write(&self, letter: &DeadLetter, is_runtime_gone: bool, began: Instant) {
        let is_expected = is_runtime_gone || letter.reason.is_expected();
        let level_log = if is_expected { &self.expected } else { &self.unexpected };
        if level_log.log.wants(level_log.level) {
            level_log.write(letter, began);
        }
    }
}

impl LevelLog {
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

    /// Schedules the count after this time, or at the shutdown of the runtime. Without a runtime,
    /// or without timers, the next dead letter after that time writes it.
    fn count_after(self: &Arc<Self>, time: Duration, began: Instant) {
        let Ok(runtime) = Handle::try_current() else { return };
        let due = Due { level_log: self.clone(), began, is_void: false };
        let at = Instant::now() + time;
        drop(runtime.spawn(async move {
            // Moves the whole value into the task.
            let mut due = due;
            match sleep_until(at) {
                Ok(timer) => timer.await,
                Err(NoTimers) => due.is_void = true,
            }
        }));
    }
}

/// A scheduled count. Dropping this writes it.
struct Due {
    level_log: Arc<LevelLog>,
    began: Instant,
    /// `true` if timers are not available: nothing is written.
    is_void: bool,
}

impl Drop for Due {
    fn drop(&mut self) {
        if self.is_void {
            return;
        }
        let count = self.level_log.throttle.lock().take_count(self.began.elapsed());
        if count > 0 {
            log::dead_letters_counted(&self.level_log.log, self.level_log.level, count);
        }
    }
}

impl DeadLetterReason {
    /// Returns `true` if such a dead letter is logged at debug level.
    fn is_expected(&self) -> bool {
        match self {
            Self::InFlight(_) => true,
            Self::Unhandled(reason) => !reason.is_abnormal() || matches!(reason, ExitReason::NoProcess),
            Self::Overflow => false,
        }
    }
}
