//! Tells systemd what a health check finds.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::notify::{SdNotify, status};
use crate::health::{Health, HealthCheck, HealthStatus};

/// The time between two checks.
const PERIOD: Duration = Duration::from_secs(1);

/// The shortest time between two messages of the watchdog.
const SHORTEST: Duration = Duration::from_millis(1);

/// What systemd knows already.
#[derive(Debug, Default)]
pub(super) struct Reported {
    ready: bool,
    stopping: bool,
    status: String,
}

impl Reported {
    /// Returns the lines to send for a check, which may be none.
    pub(super) fn lines(&mut self, health: &Health, pings: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if health.status() == HealthStatus::Ready && !self.ready {
            self.ready = true;
            lines.push("READY=1".to_owned());
        }
        if health.stopping {
            lines.extend(self.stopping());
        }
        let text = status(&health.to_string());
        if self.status != text {
            self.status.clone_from(&text);
            lines.push(text);
        }
        if pings && health.is_live() {
            lines.push("WATCHDOG=1".to_owned());
        }
        lines
    }

    /// Returns the line of a stop, once.
    fn stopping(&mut self) -> Option<String> {
        let is_new = !std::mem::replace(&mut self.stopping, true);
        is_new.then(|| "STOPPING=1".to_owned())
    }
}

impl SdNotify {
    /// Checks the health of a tree again and again, and tells systemd what it needs to know. Never
    /// resolves. Spawn it, or use [`watch_while`](Self::watch_while).
    ///
    /// - `READY=1` when the tree is ready for the first time.
    /// - `STATUS` whenever the health changes, with the reasons. It is checked each second.
    /// - `WATCHDOG=1` at half of the [timeout](Self::watchdog_timeout), if the tree is live at that
    ///   time. A tree that hangs, has given up or has ended gets none, so systemd replaces it.
    /// - `STOPPING=1` when the tree stops.
    ///
    /// A message that cannot be sent is lost. If systemd does not listen, nothing is checked.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing more is sent.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with timers.
    pub async fn watch(&self, check: &HealthCheck) -> Infallible {
        self.watch_with(check, &mut Reported::default()).await
    }

    /// Does what [`watch`](Self::watch) does until a future resolves. Then sends `STOPPING=1`,
    /// unless it was sent before, and returns the output of the future.
    ///
    /// # Cancel safety
    ///
    /// That of the future.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with timers.
    pub async fn watch_while<F: Future>(&self, check: &HealthCheck, future: F) -> F::Output {
        let mut reported = Reported::default();
        let output = tokio::select! {
            biased;
            output = future => output,
            never = self.watch_with(check, &mut reported) => match never {},
        };
        if let Some(line) = reported.stopping() {
            // The process ends soon: an error helps nothing any more.
            let _ = self.send(&line).await;
        }
        output
    }

    async fn watch_with(&self, check: &HealthCheck, reported: &mut Reported) -> Infallible {
        if !self.is_connected() {
            return std::future::pending().await;
        }
        let half = self.watchdog_timeout().map(|timeout| timeout / 2);
        let mut check_at = Instant::now();
        let mut ping_at = half.map(|_| check_at);
        loop {
            sleep_until(ping_at.map_or(check_at, |at| at.min(check_at))).await;
            let now = Instant::now();
            let pings = ping_at.is_some_and(|at| at <= now);
            if pings {
                ping_at = half.and_then(|half| now.checked_add(half.max(SHORTEST)));
            }
            check_at = now + PERIOD;
            let lines = reported.lines(&check.check().await, pings);
            if !lines.is_empty() {
                // An error is one of the socket. The next message may get through again.
                let _ = self.send(&lines.join("\n")).await;
            }
        }
    }
}
