//! The links and monitors of one incarnation, as it keeps them itself.
//!
//! A link has two ends, each kept by one of the two, each under a lock of its own; no two of these locks are ever held
//! together. So what one side does to its end reaches the other a moment later, and may cross with what the other side
//! does. Stamps settle that: an end is only ever replaced by one with a higher stamp, and only removed by an unlink that
//! has seen that stamp or a later one. Whatever crosses, both sides come to agree.
//!
//! The end that an incarnation keeps itself decides whether it is told: a signal is put under the same lock under which an
//! unlink removes the end, so after an unlink nothing more comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::order::Sender;
use crate::pid::Pid;
use crate::signal::MonitorId;
use crate::untyped::{AnyProcess, Link};

/// Who this incarnation is linked to, and whom it watches.
#[derive(Default)]
pub(super) struct Relations {
    links: BTreeMap<Pid, Link>,
    /// Who started it, linked; whatever becomes of that link.
    parent: Option<Pid>,
    monitors: BTreeMap<MonitorId, Option<Watched>>,
}

/// The target of a monitor, and the number of the watcher there.
pub(super) struct Watched {
    pub(super) target: Arc<dyn AnyProcess>,
    pub(super) watcher: u64,
}

impl Relations {
    /// Adds an end, unless there is a later one. What is not needed any more is to be dropped outside the lock.
    #[must_use]
    pub(super) fn add_link(&mut self, to: Pid, link: Link) -> Option<Link> {
        if link.to_parent {
            self.parent = Some(to);
        }
        match self.links.get_mut(&to) {
            Some(known) if known.stamp > link.stamp => Some(link),
            Some(known) => Some(std::mem::replace(known, link)),
            None => {
                self.links.insert(to, link);
                None
            }
        }
    }

    /// Removes the end of a link up to a stamp.
    #[must_use]
    pub(super) fn remove_link(&mut self, to: Pid, stamp: u64) -> Option<Link> {
        let known = self.links.get(&to)?;
        if known.stamp > stamp { None } else { self.links.remove(&to) }
    }

    /// Takes the ends of all links to incarnations of one identity.
    pub(super) fn take_links(&mut self, identity: u64) -> Vec<(Pid, Link)> {
        let all = Pid::new(identity, 0)..=Pid::new(identity, u32::MAX);
        let pids: Vec<Pid> = self.links.range(all).map(|(pid, _)| *pid).collect();
        pids.into_iter().filter_map(|pid| Some((pid, self.links.remove(&pid)?))).collect()
    }

    /// Takes the end of a link whose other end has ended.
    pub(super) fn take_link(&mut self, to: Pid) -> Option<Link> {
        self.links.remove(&to)
    }

    /// Who an exit signal of `from` comes from. A link that is made once more, from either side, does not make a stranger of
    /// the parent, and neither does a signal that the parent sends by hand: OTP tells a parent by its pid alone.
    pub(super) fn sender(&self, from: Pid) -> Sender {
        if self.parent == Some(from) { Sender::Parent } else { Sender::Other }
    }

    /// A monitor that is about to be set.
    pub(super) fn announce_monitor(&mut self, monitor: MonitorId) {
        self.monitors.insert(monitor, None);
    }

    /// A monitor that was set; gives it back if it has told, or was taken back, before.
    pub(super) fn set_monitor(&mut self, monitor: MonitorId, watched: Watched) -> Option<Watched> {
        match self.monitors.get_mut(&monitor) {
            Some(place) => place.replace(watched),
            None => Some(watched),
        }
    }

    /// Takes a monitor back: what it watched, or none if there is no such monitor.
    pub(super) fn take_monitor(&mut self, monitor: MonitorId) -> Option<Option<Watched>> {
        self.monitors.remove(&monitor)
    }

    pub(super) fn linked(&self) -> Vec<Pid> {
        self.links.keys().copied().collect()
    }

    pub(super) fn monitoring(&self) -> Vec<MonitorId> {
        self.monitors.keys().copied().collect()
    }

    /// Everything, once the incarnation has ended.
    pub(super) fn into_parts(self) -> (Vec<(Pid, Link)>, Vec<Watched>) {
        (self.links.into_iter().collect(), self.monitors.into_values().flatten().collect())
    }
}
