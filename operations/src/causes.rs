//! Which event led to which: a pure fold over the events of a system.
//!
//! | event | its cause |
//! |---|---|
//! | a report that a child terminated or did not start | the end of that incarnation |
//! | a restart, a start limit, a supervisor that gave up | the last report about the child |
//! | an end after a kill or a failed check | the report of the kill or of the check |
//! | another end by a stop or a kill | what the nearest ancestor does: a group restart, giving up |
//! | the end of a supervisor that gave up | its report |
//! | a start | the last restart, of the actor itself or of an ancestor |
//! | a dead letter | the end of its incarnation |
//! | the close of an actor | the last end of the actor, or what ended its siblings |

use std::collections::HashMap;
use std::sync::Arc;

use perennial_actors::Pid;
use perennial_supervision::Strategy;

use crate::event::EventKind;
use crate::reason::{Reason, ReasonKind};
use crate::report::Report;

/// What is known of the actors that are not closed, in numbers of events.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    actors: HashMap<u64, Actor>,
    supervisors: HashMap<Arc<str>, Group>,
}

/// The latest events about one actor that may be causes.
#[derive(Debug, Default)]
struct Actor {
    /// The last end.
    end: Option<u64>,
    /// The last report of an end or of a failed start.
    failure: Option<u64>,
    /// The restart that is under way: of the actor itself, or the one that ended it.
    restart: Option<u64>,
    /// The kill or the failed check that is to end it.
    stop: Option<u64>,
}

/// The latest events about the children of one supervisor that may be causes.
#[derive(Debug, Default)]
struct Group {
    identity: u64,
    strategy: Option<Strategy>,
    /// The restart that is under way, with the child that it is for.
    restart: Option<(u64, u64)>,
    /// It gave up.
    gave_up: Option<u64>,
    /// The restart of the supervisor itself that is under way.
    own_restart: Option<u64>,
}

impl Causes {
    /// Returns the cause of an event, and takes it into account for later ones.
    pub(crate) fn next(&mut self, sequence: u64, kind: &EventKind) -> Option<u64> {
        match kind {
            EventKind::Started { pid, label } => self.started(*pid, label),
            EventKind::Ended { pid, label, reason } => self.ended(sequence, *pid, label, reason),
            EventKind::Abandoned { pid, label } => {
                let reason = Reason::without_texts(ReasonKind::Killed);
                self.ended(sequence, *pid, label, &reason)
            }
            EventKind::Closed { pid, label, .. } => self.closed(*pid, label),
            EventKind::Supervisor(status) => {
                let group = self.supervisors.entry(status.path.clone()).or_default();
                if group.identity != status.pid.identity() {
                    *group = Group { identity: status.pid.identity(), ..Group::default() };
                }
                group.strategy = status.strategy;
                None
            }
            EventKind::Report { path, pid, report, .. } => self.reported(sequence, path, *pid, report),
            EventKind::DeadLetter(letter) => self.actors.get(&letter.target.identity())?.end,
            _ => None,
        }
    }

    fn reported(&mut self, sequence: u64, path: &Arc<str>, pid: Option<Pid>, report: &Report) -> Option<u64> {
        if let Report::GaveUp { .. } = report {
            let group = self.supervisors.get_mut(path)?;
            group.gave_up = Some(sequence);
            let (_, child) = group.restart.unwrap_or_default();
            let actor = self.actors.get(&child)?;
            return actor.failure.or(actor.end);
        }
        let identity = pid?.identity();
        let actor = self.actors.entry(identity).or_default();
        let cause = match report {
            Report::Terminated { .. } | Report::StartFailed { .. } => {
                actor.failure = Some(sequence);
                actor.end
            }
            Report::Restarting { .. } => {
                actor.restart = Some(sequence);
                actor.failure.or(actor.end)
            }
            Report::StartLimitHit { .. } => actor.failure.or(actor.end),
            Report::Unresponsive { .. } => {
                actor.stop = Some(sequence);
                None
            }
            Report::Killed => {
                let cause = actor.stop.replace(sequence);
                cause.or_else(|| self.above(path))
            }
            Report::Abandoned | Report::ShutdownError { .. } => actor.stop.or(actor.end),
            Report::Started | Report::GaveUp { .. } | Report::Other => None,
        };
        if let Some(group) = parent(path).and_then(|parent| self.supervisors.get_mut(parent)) {
            match report {
                Report::Restarting { .. } => group.restart = Some((sequence, identity)),
                Report::Terminated { .. } | Report::StartFailed { .. } => {
                    // Known also if the restart exceeds the intensity, and so does not begin.
                    group.restart =
                        group.restart.map(|(at, _)| (at, identity)).or(Some((sequence, identity)));
                }
                _ => {}
            }
        }
        if let (Report::Restarting { .. }, Some(own)) = (report, self.supervisors.get_mut(path)) {
            own.own_restart = Some(sequence);
        }
        cause
    }

    fn ended(&mut self, sequence: u64, pid: Pid, label: &Arc<str>, reason: &Reason) -> Option<u64> {
        let gave_up = self.supervisors.get_mut(label).and_then(|group| group.gave_up.take());
        let above = self.above(label);
        let actor = self.actors.entry(pid.identity()).or_default();
        actor.end = Some(sequence);
        let stop = actor.stop.take();
        let is_stopped = !reason.kind.is_abnormal() || reason.kind == ReasonKind::Killed;
        let by_others = above.filter(|_| is_stopped && reason.kind != ReasonKind::Normal);
        if by_others.is_some() {
            actor.restart = by_others;
        }
        gave_up.or(stop).or(by_others)
    }

    fn started(&mut self, pid: Pid, label: &Arc<str>) -> Option<u64> {
        let own = self.actors.entry(pid.identity()).or_default().restart.take();
        // The later one: a supervisor that gave up is followed by its restart.
        let cause = own.max(self.restart_above(label));
        if let Some(own) = self.supervisors.get_mut(label) {
            own.own_restart = None;
        }
        if let Some(group) = parent(label).and_then(|parent| self.supervisors.get_mut(parent)) {
            group.restart = group.restart.filter(|(_, child)| *child != pid.identity());
        }
        cause
    }

    fn closed(&mut self, pid: Pid, label: &Arc<str>) -> Option<u64> {
        let above = self.above(label);
        if self.supervisors.get(label).is_some_and(|group| group.identity == pid.identity()) {
            self.supervisors.remove(label);
        }
        let actor = self.actors.remove(&pid.identity())?;
        actor.end.or(above)
    }

    /// Returns what stops the children of the nearest ancestor that stops some.
    fn above(&self, label: &str) -> Option<u64> {
        ancestors(label).find_map(|path| {
            let group = self.supervisors.get(path)?;
            let restart = match group.strategy {
                Some(Strategy::OneForAll | Strategy::RestForOne) => group.restart.map(|(at, _)| at),
                _ => None,
            };
            group.gave_up.or(restart)
        })
    }

    /// Returns the restart of the nearest ancestor that restarts.
    fn restart_above(&self, label: &str) -> Option<u64> {
        ancestors(label).find_map(|path| self.supervisors.get(path)?.own_restart)
    }
}

/// Returns the path of the supervisor of an actor.
fn parent(label: &str) -> Option<&str> {
    label.rsplit_once('/').map(|(parent, _)| parent)
}

/// Returns the paths of the supervisors above an actor, the nearest first.
fn ancestors(label: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(label), |path| parent(path))
}
