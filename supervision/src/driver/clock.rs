//! The clock of a supervisor and its only timer.

use std::sync::Arc;

use perennial_actors::System;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::inbox::{DriverMsg, Inbox};
use super::watchdog::{DeadlineWatchdog, WatchdogGuard};
use crate::engine::Time;

/// The time since the start of the supervisor, and a timer that sends a [`DriverMsg::Tick`] at the
/// nearest deadline.
pub(super) struct Clock {
    began: Instant,
    timer: Option<(Time, JoinHandle<()>)>,
    watchdog: Option<WatchdogGuard>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), timer: None, watchdog: None }
    }

    pub(super) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Lets the watchdog guard all later deadlines against a runtime whose timers stand still.
    pub(super) fn enable_watchdog(&mut self, system: &System) {
        if self.watchdog.is_none() {
            self.watchdog = Some(DeadlineWatchdog::of(system).register(system));
            // The watchdog does not know the current deadline.
            self.disarm();
        }
    }

    /// Sets the timer to `deadline`, in place of the previous one.
    pub(super) fn set(&mut self, deadline: Option<Time>, inbox: &Arc<Inbox>) {
        if self.timer.as_ref().map(|(timer, _)| *timer) == deadline {
            return;
        }
        self.disarm();
        // A deadline that overflows never passes.
        let at = deadline.and_then(|deadline| self.began.checked_add(deadline));
        if let Some(watchdog) = &self.watchdog {
            watchdog.set(at.map(Instant::into_std));
        }
        let (Some(deadline), Some(at)) = (deadline, at) else { return };
        let inbox = inbox.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            inbox.put(DriverMsg::Tick);
        });
        self.timer = Some((deadline, timer));
    }

    /// Cancels the timer. It has to be set again after it has fired.
    pub(super) fn disarm(&mut self) {
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.disarm();
    }
}
