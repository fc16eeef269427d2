//! A model of OTP's supervisor that is as simple as possible, for comparison with the engine.
//!
//! It follows OTP's rules, and shares only the types of a spec with the engine. It has no
//! transitions, no start ids and no events. Each operation happens at once and completely, as in
//! OTP, where the supervisor itself waits for every child. Only the delays before a restart are an
//! addition to OTP.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::{AutoShutdown, ChildPolicy, Restart, Strategy};

/// The settings of a supervisor. It is dynamic if `max_children` is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) strategy: Strategy,
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) max_children: Option<usize>,
    pub(super) intensity: usize,
    pub(super) period: Duration,
}

/// The status of a child. A restarting one waits for its retry, with this number in the queue, or
/// until this time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ChildStatus {
    Undefined,
    Running,
    Queued(usize),
    Delayed(Duration),
}

#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) id: u64,
    pub(super) spec: ChildPolicy,
    pub(super) status: ChildStatus,
    pub(super) starts: u32,
    pub(super) since: Duration,
    pub(super) failures: u32,
}

/// A management request. The answers have OTP's names.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Start(ChildPolicy),
    Terminate,
    Restart,
    Delete,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) flags: Flags,
    /// The children, in start order.
    pub(super) children: Vec<Child>,
    /// The results of the next starts. All later starts succeed.
    pub(super) script: VecDeque<&'static str>,
    /// The operations on children, with the delay of each restart.
    pub(super) log: Vec<(&'static str, u64, Duration)>,
    pub(super) ended: Option<&'static str>,
    pub(super) now: Duration,
    pub(super) restart_times: Vec<Duration>,
    pub(super) retries: usize,
}

impl Model {
    /// Starts all children in order. The first failure ends the supervisor.
    pub(super) fn begin(&mut self) {
        if self.ids().into_iter().any(|id| self.start(id) == "start error") {
            self.end("failed_to_start_child");
        }
    }

    fn ids(&self) -> Vec<u64> {
        self.children.iter().map(|child| child.id).collect()
    }

    fn child(&mut self, id: u64) -> &mut Child {
        self.children.iter_mut().find(|child| child.id == id).expect("it is a child")
    }

    fn start(&mut self, id: u64) -> &'static str {
        let (result, now) = (self.script.pop_front().unwrap_or("ok, pid"), self.now);
        self.log.push(("start", id, Duration::ZERO));
        let child = self.child(id);
        (child.starts, child.since) = (child.starts + 1, now);
        child.status = if result == "ok, pid" { ChildStatus::Running } else { ChildStatus::Undefined };
        if result == "ok, undefined" {
            self.mark_stopped(id);
        }
        result
    }

    /// Stops a child, by request, with its group, or with all.
    fn stop(&mut self, id: u64) {
        if self.child(id).status == ChildStatus::Running {
            self.log.push(("stop", id, Duration::ZERO));
        }
        self.mark_stopped(id);
    }

    /// Marks a child as stopped. A temporary child is removed, and so is any child of a dynamic
    /// supervisor.
    fn mark_stopped(&mut self, id: u64) {
        let (now, dynamic) = (self.now, self.flags.max_children.is_some());
        self.child(id).mark_exited(now);
        self.children.retain(|child| child.id != id || !dynamic && child.spec.restart != Restart::Temporary);
    }

    /// Handles the exit of a child: restart types and `auto_shutdown`.
    pub(super) fn child_ends(&mut self, id: u64, abnormal: bool) {
        let now = self.now;
        self.child(id).mark_exited(now);
        let ChildPolicy { restart, significant, .. } = self.child(id).spec;
        if restart == Restart::Permanent || restart == Restart::Transient && abnormal {
            return self.restart(id);
        }
        self.mark_stopped(id);
        let others = self
            .children
            .iter()
            .any(|child| child.spec.significant && child.status != ChildStatus::Undefined);
        match self.flags.auto_shutdown {
            AutoShutdown::AnySignificant if significant => self.end("auto_shutdown"),
            AutoShutdown::AllSignificant if significant && !others => self.end("auto_shutdown"),
            _ => {}
        }
    }

    /// Counts a restart, and then begins it.
    fn restart(&mut self, id: u64) {
        let (now, period) = (self.now, self.flags.period);
        self.restart_times.retain(|time| *time + period >= now);
        self.restart_times.push(now);
        if self.restart_times.len() > self.flags.intensity {
            return self.end("reached_max_restart_intensity");
        }
        let child = self.child(id);
        let delay = child.spec.backoff.as_ref().map_or(Duration::ZERO, |it| it.delay(child.failures, 0.0));
        (child.status, child.failures) = (ChildStatus::Delayed(now + delay), child.failures + 1);
        self.log.push(("restart", id, delay));
        self.advance_time(Duration::ZERO);
    }

    /// Restarts a child by the strategy. After a failed start a retry is queued, with the children
    /// that the strategy selects.
    fn begin_restart(&mut self, failed: u64) {
        let mut group = match self.flags.strategy {
            Strategy::OneForOne => vec![failed],
            Strategy::OneForAll => self.ids(),
            Strategy::RestForOne => self.ids().into_iter().skip_while(|id| *id != failed).collect(),
        };
        if self.flags.strategy != Strategy::OneForOne {
            group.iter().rev().for_each(|id| self.stop(*id));
        }
        group.retain(|id| self.ids().contains(id));
        if let Some(id) = group.into_iter().find(|id| self.start(*id) == "start error") {
            self.retries += 1;
            self.child(id).status = ChildStatus::Queued(self.retries);
        }
    }

    /// Makes the retry that was queued first.
    pub(super) fn try_again(&mut self) {
        let queued = |child: &Child| {
            if let ChildStatus::Queued(at) = child.status { Some((at, child.id)) } else { None }
        };
        if let Some((_, id)) = self.children.iter().filter_map(queued).min() {
            self.restart(id);
        }
    }

    /// Restarts the children whose delay has passed, in the order of their times, and in start
    /// order for equal times.
    pub(super) fn advance_time(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        let delayed = |child: &Child| {
            if let ChildStatus::Delayed(at) = child.status { Some((at, child.id)) } else { None }
        };
        let due = |model: &Self| model.children.iter().filter_map(delayed).min_by_key(|(at, _)| *at);
        while let Some((_, id)) = due(self).filter(|(at, _)| *at <= now) {
            self.begin_restart(id);
        }
    }

    /// Decides a management request.
    pub(super) fn ask(&mut self, ask: &Ask, id: u64) -> &'static str {
        match (ask, self.children.iter().find(|child| child.id == id).map(|child| child.status)) {
            (Ask::Start(_), Some(ChildStatus::Running)) => "already_started",
            (Ask::Start(_), Some(_)) => "already_present",
            (Ask::Start(_), None) if self.flags.max_children == Some(self.children.len()) => "max_children",
            (Ask::Start(spec), None) => {
                self.children.push(Child::new(id, spec.clone()));
                let result = self.start(id);
                self.children.retain(|child| child.id != id || result != "start error");
                result
            }
            (_, None) => "not_found",
            (Ask::Terminate, Some(_)) => {
                self.stop(id);
                "ok"
            }
            (Ask::Restart | Ask::Delete, Some(ChildStatus::Running)) => "running",
            (Ask::Restart | Ask::Delete, Some(ChildStatus::Queued(_) | ChildStatus::Delayed(_))) => {
                "restarting"
            }
            (Ask::Restart, Some(ChildStatus::Undefined)) => self.start(id),
            (Ask::Delete, Some(ChildStatus::Undefined)) => {
                self.children.retain(|child| child.id != id);
                "ok"
            }
        }
    }

    /// Stops all children in reverse order, and ends.
    pub(super) fn end(&mut self, reason: &'static str) {
        self.ids().into_iter().rev().for_each(|id| self.stop(id));
        self.ended = Some(reason);
    }
}

impl Child {
    pub(super) const fn new(id: u64, spec: ChildPolicy) -> Self {
        Self { id, spec, status: ChildStatus::Undefined, starts: 0, since: Duration::ZERO, failures: 0 }
    }

    /// Resets the failures of a child that ran long enough.
    fn mark_exited(&mut self, now: Duration) {
        let healthy = self.spec.backoff.as_ref().is_some_and(|it| self.since + it.healthy() <= now);
        if self.status == ChildStatus::Running && healthy {
            self.failures = 0;
        }
        self.status = ChildStatus::Undefined;
    }
}
