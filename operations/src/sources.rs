//! The streams of a system, merged in the order in which their events happened.

use std::mem;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use perennial_actors::{
    DeadLetter, DeadLetterReason, ExitReason, LifecycleEvent, Subscription, System, SystemEvent,
};
use perennial_registry::{GroupChange, NameChange};
use perennial_supervision::pool::PoolStatus;
use perennial_supervision::{SupervisorReport, SupervisorStatus};

use crate::event::{DeadLetterInfo, DeadLetterKind, EventKind};
use crate::reason::{Reason, ReasonKind};
use crate::report::Report;

/// An event of one of the streams. It may hold values of users, so it is dropped under no lock.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Lifecycle(LifecycleEvent),
    Status(SupervisorStatus),
    Report(SupervisorReport),
    Pool(PoolStatus),
    Name(NameChange),
    Group(GroupChange),
    DeadLetter(DeadLetter),
}

/// The subscriptions to all streams of a system.
pub(crate) struct Sources {
    lifecycle: Subscription<LifecycleEvent>,
    statuses: Subscription<SupervisorStatus>,
    reports: Subscription<SupervisorReport>,
    pools: Subscription<PoolStatus>,
    names: Subscription<NameChange>,
    groups: Subscription<GroupChange>,
    dead_letters: Subscription<DeadLetter>,
    /// The events that happened after the last [`take`](Self::take) had begun. A stream that was
    /// read before may have an earlier one.
    held: Vec<(Instant, Raw)>,
    /// The number of lost events that was returned.
    missed: u64,
}

/// What a [`take`](Sources::take) returns.
pub(crate) struct Taken {
    /// The number of events that were lost, because they were not taken in time.
    pub(crate) missed: u64,
    /// The events in their order.
    pub(crate) events: Vec<(Instant, Raw)>,
    /// `true` if events are held for the next call.
    pub(crate) holds_more: bool,
}

impl Sources {
    pub(crate) fn of(system: &System) -> Self {
        Self {
            lifecycle: LifecycleEvent::subscribe(system),
            statuses: SupervisorStatus::subscribe(system),
            reports: SupervisorReport::subscribe(system),
            pools: PoolStatus::subscribe(system),
            names: NameChange::subscribe(system),
            groups: GroupChange::subscribe(system),
            dead_letters: DeadLetter::subscribe(system),
            held: Vec::new(),
            missed: 0,
        }
    }

    /// Takes all events that were recorded before this call, in the order in which they were
    /// recorded. `waker` is woken by the next event of any stream.
    pub(crate) fn take(&mut self, waker: &Waker) -> Taken {
        let began = Instant::now();
        let mut events = mem::take(&mut self.held);
        let cx = Context::from_waker(waker);
        drain(&mut self.lifecycle, &cx, Raw::Lifecycle, &mut events);
        drain(&mut self.statuses, &cx, Raw::Status, &mut events);
        drain(&mut self.reports, &cx, Raw::Report, &mut events);
        drain(&mut self.pools, &cx, Raw::Pool, &mut events);
        drain(&mut self.names, &cx, Raw::Name, &mut events);
        drain(&mut self.groups, &cx, Raw::Group, &mut events);
        drain(&mut self.dead_letters, &cx, Raw::DeadLetter, &mut events);
        // Stable: the events of one stream stay in their order.
        events.sort_by_key(|(at, _)| *at);
        let until = events.partition_point(|(at, _)| *at <= began);
        self.held = events.split_off(until);
        let missed = self.missed();
        let new = missed - mem::replace(&mut self.missed, missed);
        Taken { missed: new, events, holds_more: !self.held.is_empty() }
    }

    fn missed(&self) -> u64 {
        self.lifecycle.missed()
            + self.statuses.missed()
            + self.reports.missed()
            + self.pools.missed()
            + self.names.missed()
            + self.groups.missed()
            + self.dead_letters.missed()
    }
}

/// Takes all values of a stream, and leaves the waker there.
fn drain<T: Clone>(
    stream: &mut Subscription<T>,
    cx: &Context<'_>,
    raw: impl Fn(T) -> Raw,
    into: &mut Vec<(Instant, Raw)>,
) {
    while let Poll::Ready(Some((at, value))) = stream.poll_next(cx) {
        into.push((at, raw(value)));
    }
}

impl Raw {
    /// Converts the event, without the texts of its reason. Runs no code of users. Returns `None`
    /// for an event that this version does not know.
    pub(crate) fn kind(&self) -> Option<EventKind> {
        match self {
            Self::Lifecycle(event) => lifecycle_kind(event),
            Self::Status(status) => Some(EventKind::Supervisor(status.clone())),
            Self::Report(SupervisorReport { supervisor, path, pid, kind, .. }) => {
                let (report, _) = Report::split(kind);
                Some(EventKind::Report { supervisor: *supervisor, path: path.clone(), pid: *pid, report })
            }
            Self::Pool(status) => Some(EventKind::Pool(status.clone())),
            Self::Name(change) => name_kind(change),
            Self::Group(change) => {
                let (group, identity) = (change.group.to_string(), change.actor.identity());
                Some(if change.joined {
                    EventKind::GroupJoined { group, identity }
                } else {
                    EventKind::GroupLeft { group, identity }
                })
            }
            Self::DeadLetter(letter) => Some(EventKind::DeadLetter(letter_info(letter))),
        }
    }

    /// Returns the reason of the event, if it has one with texts.
    pub(crate) fn reason(&self) -> Option<ExitReason> {
        let reason = match self {
            Self::Lifecycle(LifecycleEvent::Ended { reason, .. } | LifecycleEvent::Closed { reason, .. }) => {
                Some(reason)
            }
            Self::Report(report) => Report::split(&report.kind).1,
            Self::DeadLetter(letter) => match &letter.reason {
                DeadLetterReason::InFlight(reason) | DeadLetterReason::Unhandled(reason) => Some(reason),
                _ => None,
            },
            _ => None,
        };
        let has_texts = |reason: &&ExitReason| {
            matches!(reason, ExitReason::Shutdown(Some(_)) | ExitReason::Panicked(_) | ExitReason::Failed(_))
        };
        reason.filter(has_texts).cloned()
    }
}

fn bare(reason: &ExitReason) -> Reason {
    Reason::without_texts(ReasonKind::of(reason))
}

fn lifecycle_kind(event: &LifecycleEvent) -> Option<EventKind> {
    Some(match event {
        LifecycleEvent::Started { pid, label } => EventKind::Started { pid: *pid, label: label.clone() },
        LifecycleEvent::Ended { pid, label, reason } => {
            EventKind::Ended { pid: *pid, label: label.clone(), reason: bare(reason) }
        }
        LifecycleEvent::Closed { pid, label, reason, messages } => {
            EventKind::Closed { pid: *pid, label: label.clone(), reason: bare(reason), messages: *messages }
        }
        LifecycleEvent::Abandoned { pid, label } => EventKind::Abandoned { pid: *pid, label: label.clone() },
        _ => return None,
    })
}

fn name_kind(change: &NameChange) -> Option<EventKind> {
    Some(match change {
        NameChange::Registered { name, actor } => {
            EventKind::NameBound { name: name.to_string(), identity: actor.identity() }
        }
        NameChange::Unregistered { name, actor } => {
            EventKind::NameUnbound { name: name.to_string(), identity: actor.identity() }
        }
        NameChange::HandedOver { name, from, to } => {
            EventKind::NameHandedOver { name: name.to_string(), from: from.identity(), to: to.identity() }
        }
        _ => return None,
    })
}

fn letter_info(letter: &DeadLetter) -> DeadLetterInfo {
    let (kind, reason) = match &letter.reason {
        DeadLetterReason::InFlight(reason) => (DeadLetterKind::InFlight, Some(bare(reason))),
        DeadLetterReason::Unhandled(reason) => (DeadLetterKind::Unhandled, Some(bare(reason))),
        DeadLetterReason::Overflow => (DeadLetterKind::Overflow, None),
        _ => (DeadLetterKind::Other, None),
    };
    let (target, label, number) = (letter.target, letter.label.clone(), letter.number);
    DeadLetterInfo { target, label, message_type: letter.message_type.to_owned(), kind, reason, number }
}
