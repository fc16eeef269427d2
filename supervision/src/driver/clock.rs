//! The time of a supervisor, and the one timer it ever needs.

use std::sync::Arc;

use perennial_actors::System;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::inbox::{DriverMsg, Inbox};
use super::watchdog::{DeadlineWatchdog, WatchdogGuard};
use crate::engine::Time;

/// Tells the time since the supervisor began, and rings when the nearest deadline has passed.
pub(super) struct Clock {
    began: Instant,
    armed: Option<(Time, JoinHandle<()>)>,
    charge: Option<WatchdogGuard>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), armed: None, charge: None }
    }

    pub(super) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// From now on it rings also when tokio's timers stand still.
    pub(super) fn enable_watchdog(&mut self, system: &System) {
        if self.charge.is_none() {
            self.charge = Some(DeadlineWatchdog::of(system).charge(system));
            // What was set before is not known there.
            self.disarm();
        }
    }

    /// Rings at `deadline`, and at none that was set before.
    pub(super) fn set(&mut self, deadline: Option<Time>, inbox: &Arc<Inbox>) {
        if self.armed.as_ref().map(|(armed, _)| *armed) == deadline {
            return;
        }
        self.disarm();
        // So far away that it cannot be said is never.
        let at = deadline.and_then(|deadline| self.began.checked_add(deadline));
        if let Some(charge) = &self.charge {
            charge.set(at.map(Instant::into_std));
        }
        let (Some(deadline), Some(at)) = (deadline, at) else { return };
        let inbox = inbox.clone();
        let ring = tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            inbox.put(DriverMsg::Tick);
        });
        self.armed = Some((deadline, ring));
    }

    /// To be set anew after it has rung.
    pub(super) fn disarm(&mut self) {
        if let Some((_, ring)) = self.armed.take() {
            ring.abort();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.disarm();
    }
}
