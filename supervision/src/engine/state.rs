//! The states of a supervisor and of a child.

use std::collections::VecDeque;

use perennial_actors::ExitReason;

use super::types::{ChildKey, RequestId, StartId, SupervisorExit, Time};
use crate::policy::Liveness;

/// The mode of the supervisor as a whole.
#[derive(Debug)]
pub(super) enum Mode {
    /// It handles events at once.
    Running,
    /// It stops some children and starts others.
    InTransition(Transition),
    /// It has ended.
    Ended,
}

/// Some children to stop, and then some to start.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) kind: TransitionKind,
    /// In start order. The last one is stopped next.
    pub(super) stop: Vec<ChildKey>,
    /// In start order. The first one is started next.
    pub(super) start: VecDeque<ChildKey>,
    /// The child that is being stopped or started. Events of other children do not advance the
    /// transition.
    pub(super) current: Option<ChildKey>,
}

/// The purpose of a transition.
#[derive(Debug)]
pub(super) enum TransitionKind {
    /// The initial start of all children.
    InitialStart,
    /// The restart of several children.
    GroupRestart,
    /// The start of one child by request, among siblings that depend on it.
    ManualStart,
    /// The shutdown of the supervisor.
    Shutdown(SupervisorExit),
}

/// The state of a child.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// It does not run and is not due to start.
    Stopped,
    /// It is starting. `timed_out` is set once its start timeout has passed and it is killed.
    Starting { run: StartId, cause: StartCause, timed_out: bool },
    /// It has been running since this time.
    Running { run: StartId, since: Time, timers: Option<Box<LivenessTimers>> },
    /// It exited during a transition (rule 4).
    Ended { reason: ExitReason },
    /// It exited or failed to start for this reason, and its condition is being evaluated (rule 9).
    CheckingCondition { reason: ExitReason, has_exited: bool },
    /// It exited or failed to start for this reason, and is due to start (rule 5).
    Restarting { reason: ExitReason, next: NextStart },
    /// It was started as often as its limit allows, and starts by request only (rule 10).
    Failed,
    /// It is being stopped.
    Stopping(Box<Stopping>),
}

impl State {
    /// Returns `true` if there is an incarnation, which a shutdown would have to stop.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running { .. } | Self::Stopping(_))
    }

    /// Returns `true` while the child is starting or stopping.
    pub(crate) const fn is_in_transition(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Stopping(_))
    }
}

/// How the next start of a child comes about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NextStart {
    /// By a retry through the inbox. The restart is counted then.
    Retry,
    /// After a delay. The restart was counted before it.
    Delayed,
    /// After a delay, as the retry of a first start (rule 11).
    FirstStart,
}

/// A child that is being stopped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping {
    pub(crate) run: StartId,
    pub(crate) killed: bool,
    /// The requests to stop it.
    pub(crate) stop_waiters: Vec<RequestId>,
    /// The request that added and started it.
    pub(crate) start_waiter: Option<RequestId>,
    /// It is unresponsive, and restarts after its exit.
    pub(crate) unresponsive: bool,
    /// The stop interrupted its restart.
    pub(crate) restarting: bool,
}

/// Why a child is being started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StartCause {
    /// The transition starts it.
    Transition,
    /// It restarts alone.
    Restart,
    /// Its first start is tried again.
    FirstStart,
    /// A request to start a stopped child.
    RestartChild(RequestId),
    /// A request to add and start a child.
    StartChild(RequestId),
}

/// The times of the next liveness checks of a child, and their results so far.
#[derive(Clone, Debug)]
pub(crate) struct LivenessTimers {
    /// When these timers started: at the start of the child, at its resumption, or when its policy
    /// changed.
    pub(super) since: Time,
    /// When its handler and its pings are checked next. `None` while a check is in progress.
    pub(super) check_at: Option<Time>,
    /// When the next probe is sent or, while a probe is unanswered, when its answer is overdue.
    pub(super) probe_at: Option<Time>,
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
    pub(super) fn begin(liveness: &Liveness, now: Time, resumptions: u32) -> Self {
        let limits = [liveness.handler_deadline, liveness.watchdog];
        let shortest = limits.into_iter().flatten().min();
        Self {
            since: now,
            check_at: shortest.map(|limit| now.saturating_add(limit / 2)),
            probe_at: liveness.probe.map(|probe| now.saturating_add(probe.first_after())),
            probe_id: None,
            is_overdue: false,
            missed_probes: 0,
            resumptions,
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        [self.check_at, self.probe_at].into_iter().flatten().min()
    }

    /// Takes the times that have passed. Returns whether the check and the probe are due.
    pub(super) fn due(&mut self, now: Time) -> (bool, bool) {
        let take = |at: &mut Option<Time>| at.take_if(|at| *at <= now).is_some();
        (take(&mut self.check_at), take(&mut self.probe_at))
    }
}
