//! The times of the liveness checks of a running child.

use std::time::Duration;

use crate::policy::Liveness;

/// The times of the next liveness checks of a child, and their results so far.
#[derive(Clone, Debug)]
pub(crate) struct LivenessTimers {
    /// When its handler is checked next. `None` while a check is in progress.
    pub(super) check_at: Option<Duration>,
    /// When the next probe is sent or, while a probe is unanswered, when its answer is overdue.
    pub(super) probe_at: Option<Duration>,
    /// The id of the unanswered probe.
    pub(super) probe_id: Option<u32>,
    /// An answer is overdue. It counts as missed unless the next check finds that the child is
    /// suspended.
    pub(super) is_overdue: bool,
    /// The number of consecutive missed answers.
    pub(super) missed_probes: u32,
    /// The child's resumption count when these timers started.
    pub(super) resumptions: u32,
}

impl LivenessTimers {
    pub(super) fn begin(liveness: &Liveness, now: Duration, resumptions: u32) -> Self {
        Self {
            check_at: liveness.handler_deadline.map(|deadline| now.saturating_add(deadline / 2)),
            probe_at: liveness.probe.map(|probe| now.saturating_add(probe.period)),
            probe_id: None,
            is_overdue: false,
            missed_probes: 0,
            resumptions,
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        [self.check_at, self.probe_at].into_iter().flatten().min()
    }

    /// Takes the times that have passed. Returns whether the handler check and the probe are due.
    pub(super) fn due(&mut self, now: Duration) -> (bool, bool) {
        let take = |at: &mut Option<Duration>| at.take_if(|at| *at <= now).is_some();
        (take(&mut self.check_at), take(&mut self.probe_at))
    }
}
