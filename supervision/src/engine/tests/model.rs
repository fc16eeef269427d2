//! OTP's supervisor, said as simply as it can be: what the engine is measured against.
//!
//! It is written from OTP's rules, not from the engine, and shares nothing with it but the words of a spec: it knows no rounds, no
//! runs and no events. Everything happens at once and to its end, as in OTP, where the supervisor itself waits for every child.
//! Only the delays before a restart are ours.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::{AutoShutdown, ChildPolicy, Restart, Strategy};

/// What is said of the supervisor. It is dynamic if there is a most that it may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) strategy: Strategy,
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) max_children: Option<usize>,
    pub(super) intensity: usize,
    pub(super) period: Duration,
}

/// What a child is. One that is restarting waits for its try, which was queued as so-manieth, or for its delay to be over then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Is {
    Undefined,
    Running,
    Queued(usize),
    Delayed(Duration),
}

#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) id: u64,
    pub(super) spec: ChildPolicy,
    pub(super) is: Is,
    pub(super) starts: u32,
    pub(super) since: Duration,
    pub(super) failures: u32,
}

/// What is asked. The words of the answers are OTP's.
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
    /// In start order.
    pub(super) children: Vec<Child>,
    /// What the next starts come to. When it is empty, they succeed.
    pub(super) script: VecDeque<&'static str>,
    /// What was done with whom, and after which delay.
    pub(super) log: Vec<(&'static str, u64, Duration)>,
    pub(super) ended: Option<&'static str>,
    pub(super) now: Duration,
    pub(super) stamps: Vec<Duration>,
    pub(super) tries: usize,
}

impl Model {
    /// In order, and the first that fails is the last.
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
        let (said, now) = (self.script.pop_front().unwrap_or("ok, pid"), self.now);
        self.log.push(("start", id, Duration::ZERO));
        let child = self.child(id);
        (child.starts, child.since) = (child.starts + 1, now);
        child.is = if said == "ok, pid" { Is::Running } else { Is::Undefined };
        if said == "ok, undefined" {
            self.mark_stopped(id);
        }
        said
    }

    /// By hand, with its group, or with all.
    fn stop(&mut self, id: u64) {
        if self.child(id).is == Is::Running {
            self.log.push(("stop", id, Duration::ZERO));
        }
        self.mark_stopped(id);
    }

    /// The spec of a temporary child is not kept, nor is any of a dynamic supervisor.
    fn mark_stopped(&mut self, id: u64) {
        let (now, dynamic) = (self.now, self.flags.max_children.is_some());
        self.child(id).leave(now);
        self.children.retain(|child| child.id != id || !dynamic && child.spec.restart != Restart::Temporary);
    }

    /// Restart types, and `auto_shutdown`.
    pub(super) fn child_ends(&mut self, id: u64, abnormal: bool) {
        let now = self.now;
        self.child(id).leave(now);
        let ChildPolicy { restart, significant, .. } = self.child(id).spec;
        if restart == Restart::Permanent || restart == Restart::Transient && abnormal {
            return self.restart(id);
        }
        self.mark_stopped(id);
        let others = self.children.iter().any(|child| child.spec.significant && child.is != Is::Undefined);
        match self.flags.auto_shutdown {
            AutoShutdown::AnySignificant if significant => self.end("auto_shutdown"),
            AutoShutdown::AllSignificant if significant && !others => self.end("auto_shutdown"),
            _ => {}
        }
    }

    /// The intensity: counted first, done then.
    fn restart(&mut self, id: u64) {
        let (now, period) = (self.now, self.flags.period);
        self.stamps.retain(|stamp| *stamp + period >= now);
        self.stamps.push(now);
        if self.stamps.len() > self.flags.intensity {
            return self.end("reached_max_restart_intensity");
        }
        let child = self.child(id);
        let delay = child.spec.backoff.as_ref().map_or(Duration::ZERO, |it| it.delay(child.failures, 0.0));
        (child.is, child.failures) = (Is::Delayed(now + delay), child.failures + 1);
        self.log.push(("restart", id, delay));
        self.advance_time(Duration::ZERO);
    }

    /// Strategies. A start that fails is tried again later, with those that its strategy names.
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
            self.tries += 1;
            self.child(id).is = Is::Queued(self.tries);
        }
    }

    /// The try that was queued first is made.
    pub(super) fn try_again(&mut self) {
        let queued = |child: &Child| if let Is::Queued(at) = child.is { Some((at, child.id)) } else { None };
        if let Some((_, id)) = self.children.iter().filter_map(queued).min() {
            self.restart(id);
        }
    }

    /// Who was due first is first; of those that were due together, who is first in start order.
    pub(super) fn advance_time(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        let delayed =
            |child: &Child| if let Is::Delayed(at) = child.is { Some((at, child.id)) } else { None };
        let due = |model: &Self| model.children.iter().filter_map(delayed).min_by_key(|(at, _)| *at);
        while let Some((_, id)) = due(self).filter(|(at, _)| *at <= now) {
            self.begin_restart(id);
        }
    }

    /// The management API, case by case.
    pub(super) fn ask(&mut self, ask: &Ask, id: u64) -> &'static str {
        match (ask, self.children.iter().find(|child| child.id == id).map(|child| child.is)) {
            (Ask::Start(_), Some(Is::Running)) => "already_started",
            (Ask::Start(_), Some(_)) => "already_present",
            (Ask::Start(_), None) if self.flags.max_children == Some(self.children.len()) => "max_children",
            (Ask::Start(spec), None) => {
                self.children.push(Child::new(id, spec.clone()));
                let said = self.start(id);
                self.children.retain(|child| child.id != id || said != "start error");
                said
            }
            (_, None) => "not_found",
            (Ask::Terminate, Some(_)) => {
                self.stop(id);
                "ok"
            }
            (Ask::Restart | Ask::Delete, Some(Is::Running)) => "running",
            (Ask::Restart | Ask::Delete, Some(Is::Queued(_) | Is::Delayed(_))) => "restarting",
            (Ask::Restart, Some(Is::Undefined)) => self.start(id),
            (Ask::Delete, Some(Is::Undefined)) => {
                self.children.retain(|child| child.id != id);
                "ok"
            }
        }
    }

    /// In reverse order.
    pub(super) fn end(&mut self, why: &'static str) {
        self.ids().into_iter().rev().for_each(|id| self.stop(id));
        self.ended = Some(why);
    }
}

impl Child {
    pub(super) const fn new(id: u64, spec: ChildPolicy) -> Self {
        Self { id, spec, is: Is::Undefined, starts: 0, since: Duration::ZERO, failures: 0 }
    }

    /// Who ran for long enough is healthy.
    fn leave(&mut self, now: Duration) {
        let healthy = self.spec.backoff.as_ref().is_some_and(|it| self.since + it.healthy() <= now);
        if self.is == Is::Running && healthy {
            self.failures = 0;
        }
        self.is = Is::Undefined;
    }
}
