//! The liveness checks of running children, and the restart of unresponsive ones.

use std::time::Duration;

use perennial_actors::host::Suspensions;

use super::core::Engine;
use super::state::{LivenessTimers, State, Stopping};
use super::types::{Action, ChildKey, StartId};
use crate::policy::Liveness;
use crate::report::{LivenessFailure, ReportKind};

impl Engine {
    /// Checks the handler and the pings of a child and probes it, if either is due.
    pub(super) fn check_liveness(&mut self, key: ChildKey, run: StartId) {
        let now = self.now;
        let Some(timers) = self.timers_mut(key, run) else { return };
        let (check_due, probe_due) = timers.due(now);
        let is_overdue = probe_due && timers.probe_id.take().is_some();
        timers.is_overdue |= is_overdue;
        if check_due || is_overdue {
            self.actions.push(Action::CheckBusy { key, run });
        }
        if probe_due && !is_overdue { self.send_probe(key, run) } else { self.rearm(key) }
    }

    /// Sends a probe. Its timeout is a deadline of the engine, and not only of the task that waits
    /// for the answer: the child wakes that task, and tokio may reserve it for a thread that the
    /// child then blocks.
    fn send_probe(&mut self, key: ChildKey, run: StartId) {
        let (now, probe_id) = (self.now, self.next_probe_id);
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(timers) = self.timers_mut(key, run) else { return };
        timers.probe_id = Some(probe_id);
        timers.probe_at = Some(now.saturating_add(policy.timeout));
        self.next_probe_id = probe_id.wrapping_add(1);
        self.actions.push(Action::Probe { key, run, probe_id });
        self.rearm(key);
    }

    /// Handles the state of a child's handler and its pings. If the child is suspended, or was
    /// suspended since the last check, all checks start anew from now or from its resumption.
    pub(super) fn on_busy_checked(
        &mut self,
        key: ChildKey,
        run: StartId,
        busy: Option<Duration>,
        last_ping: Option<Duration>,
        suspensions: Suspensions,
    ) {
        let now = self.now;
        let Some(policy) = self.children.get(key).map(|entry| &entry.policy) else { return };
        let (is_task, Some(liveness)) = (policy.is_task, policy.liveness.clone()) else { return };
        let Some(timers) = self.timers_mut(key, run) else { return };
        if suspensions.is_suspended {
            *timers = LivenessTimers::begin(&liveness, now, timers.resumptions);
            return self.rearm(key);
        }
        if suspensions.resumptions != timers.resumptions {
            let resumed_at = now.saturating_sub(suspensions.resumed_for);
            *timers = LivenessTimers::begin(&liveness, resumed_at, suspensions.resumptions);
            return self.rearm(key);
        }
        if std::mem::take(&mut timers.is_overdue) && self.record_missed_probe(key, run, &liveness) {
            return;
        }
        let Some(timers) = self.timers_mut(key, run) else { return };
        let unpinged = last_ping.unwrap_or(Duration::MAX).min(now.saturating_sub(timers.since));
        // A task has no handlers: it is always at work.
        let silence = if is_task { Some(unpinged) } else { busy.map(|busy| busy.min(unpinged)) };
        match check_limits(&liveness, busy, silence) {
            Ok(wait) => {
                timers.check_at = wait.map(|wait| now.saturating_add(wait));
                self.rearm(key);
            }
            Err(failure) => self.stop_unresponsive(key, run, failure),
        }
    }

    /// Counts a missed answer. Returns `true` if that makes the child unresponsive.
    fn record_missed_probe(&mut self, key: ChildKey, run: StartId, liveness: &Liveness) -> bool {
        let now = self.now;
        let (Some(policy), Some(timers)) = (liveness.probe, self.timers_mut(key, run)) else { return false };
        timers.missed_probes += 1;
        let misses = timers.missed_probes;
        if misses >= policy.failure_threshold {
            self.stop_unresponsive(key, run, LivenessFailure::Probe(misses));
            return true;
        }
        timers.probe_at = Some(now.saturating_add(policy.period));
        self.rearm(key);
        false
    }

    /// Handles the outcome of a probe. Outcomes after the timeout are ignored. A missing answer
    /// counts as missed only if a check finds that the child is not suspended.
    pub(super) fn on_probed(&mut self, key: ChildKey, run: StartId, probe_id: u32, answered: bool) {
        let now = self.now;
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(timers) = self.timers_mut(key, run).filter(|timers| timers.probe_id == Some(probe_id))
        else {
            return;
        };
        timers.probe_id = None;
        if answered {
            timers.missed_probes = 0;
            timers.probe_at = Some(now.saturating_add(policy.period));
        } else {
            (timers.is_overdue, timers.probe_at) = (true, None);
            self.actions.push(Action::CheckBusy { key, run });
        }
        self.rearm(key);
    }

    /// Stops an unresponsive child: asks it to stop, then kills it, then abandons it. Then it
    /// restarts (rule 7).
    fn stop_unresponsive(&mut self, key: ChildKey, run: StartId, sign: LivenessFailure) {
        self.reset_backoff_if_healthy(key);
        self.report(key, ReportKind::Unresponsive { sign });
        self.begin_stop(key, Stopping { run, unresponsive: true, ..Stopping::default() });
    }

    fn liveness_of(&self, key: ChildKey) -> Option<&Liveness> {
        self.children.get(key)?.policy.liveness.as_deref()
    }

    fn timers_mut(&mut self, key: ChildKey, of: StartId) -> Option<&mut LivenessTimers> {
        match &mut self.children.get_mut(key)?.state {
            State::Running { run, timers, .. } if *run == of => timers.as_deref_mut(),
            _ => None,
        }
    }

    fn rearm(&mut self, key: ChildKey) {
        let next = match self.children.get(key).map(|entry| &entry.state) {
            Some(State::Running { timers: Some(timers), .. }) => timers.next(),
            _ => None,
        };
        self.children.set_deadline(key, next);
    }
}

/// Checks how long the current handler has been running, and how long the child has been silent in
/// it, against their limits. Returns the time until the next check.
///
/// A handler is observed from its first await or from the first check, so a check every half limit
/// is sufficient.
pub(super) fn check_limits(
    liveness: &Liveness,
    busy: Option<Duration>,
    silence: Option<Duration>,
) -> Result<Option<Duration>, LivenessFailure> {
    let mut next = None;
    for (limit, time, failure) in [
        (liveness.handler_deadline, busy, LivenessFailure::Handler as fn(Duration) -> _),
        (liveness.watchdog, silence, LivenessFailure::Watchdog),
    ] {
        let (Some(limit), time) = (limit, time.unwrap_or_default()) else { continue };
        if time >= limit {
            return Err(failure(time));
        }
        let wait = (limit - time).min(limit / 2);
        next = Some(next.map_or(wait, |next: Duration| next.min(wait)));
    }
    Ok(next)
}
