//! When to look at a child that runs, and when to ask it.

use std::time::Duration;

use crate::policy::Liveness;

/// When what is due of a child that is watched.
#[derive(Clone, Debug)]
pub(crate) struct LivenessTimers {
    /// When it is to be looked at; not while it is.
    pub(super) look: Option<Duration>,
    /// When it is to be asked; while it is, when it has missed its answer.
    pub(super) probe: Option<Duration>,
    /// What it was asked and has not answered yet.
    pub(super) probe_id: Option<u32>,
    /// An answer was not given in time. Counts as missed if the child is not suspended, which a look tells.
    pub(super) is_overdue: bool,
    /// How many answers in a row it has missed.
    pub(super) missed_probes: u32,
    /// How often the child had been resumed when this began.
    pub(super) resumptions: u32,
}

impl LivenessTimers {
    pub(super) fn begin(liveness: &Liveness, now: Duration, resumptions: u32) -> Self {
        Self {
            look: liveness.handler_deadline.map(|deadline| now.saturating_add(deadline / 2)),
            probe: liveness.probe.map(|probe| now.saturating_add(probe.period)),
            probe_id: None,
            is_overdue: false,
            missed_probes: 0,
            resumptions,
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        [self.look, self.probe].into_iter().flatten().min()
    }

    /// What is due now.
    pub(super) fn due(&mut self, now: Duration) -> (bool, bool) {
        let take = |at: &mut Option<Duration>| at.take_if(|at| *at <= now).is_some();
        (take(&mut self.look), take(&mut self.probe))
    }
}
