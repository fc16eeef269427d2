//! The links and monitors of one incarnation, as it keeps them itself.
//!
//! A link has two ends. Each of the two processes keeps one, under its own lock. A link and an
//! unlink take both locks at once, so that half a link is never visible, and two concurrent calls
//! cannot interleave. An exit takes the locks one after the other: first that of the incarnation,
//! then, one by one, those of the linked processes.
//!
//! The end that an incarnation keeps itself decides whether it is notified. A signal is enqueued
//! under the same lock under which an unlink removes the end, so no signal comes after an unlink.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::control::ExitSource;
use crate::pid::Pid;
use crate::signal::MonitorId;

/// The links and monitors of one incarnation. `P` is a process of any message type.
pub(crate) struct Relations<P: ?Sized> {
    links: BTreeMap<Pid, Arc<P>>,
    /// The process that started this one, linked. It stays set when that link is removed.
    parent: Option<Pid>,
    monitors: BTreeMap<MonitorId, Option<MonitorTarget<P>>>,
}

/// The target of a monitor, and the number of the watcher there.
pub(crate) struct MonitorTarget<P: ?Sized> {
    pub(crate) target: Arc<P>,
    pub(crate) watcher: u64,
}

/// The ends of links: the linked incarnation and its process.
type LinkEnds<P> = Vec<(Pid, Arc<P>)>;

impl<P: ?Sized> Default for Relations<P> {
    fn default() -> Self {
        Self { links: BTreeMap::new(), parent: None, monitors: BTreeMap::new() }
    }
}

impl<P: ?Sized> Relations<P> {
    /// Adds the end of a link, unless it exists.
    pub(crate) fn add_link(&mut self, to: Pid, other: Arc<P>) {
        self.links.entry(to).or_insert(other);
    }

    /// Sets the linked process that started this one.
    pub(crate) fn set_parent(&mut self, parent: Pid) {
        self.parent = Some(parent);
    }

    pub(crate) fn is_linked(&self, to: Pid) -> bool {
        self.links.contains_key(&to)
    }

    /// Removes and returns the ends of all links to incarnations of one identity.
    #[must_use]
    pub(crate) fn take_links(&mut self, identity: u64) -> Vec<Arc<P>> {
        let all = Pid::new(identity, 0)..=Pid::new(identity, u32::MAX);
        let pids: Vec<Pid> = self.links.range(all).map(|(pid, _)| *pid).collect();
        pids.into_iter().filter_map(|pid| self.links.remove(&pid)).collect()
    }

    /// Removes and returns the end of a link. The caller drops it outside the lock.
    #[must_use]
    pub(crate) fn take_link(&mut self, to: Pid) -> Option<Arc<P>> {
        self.links.remove(&to)
    }

    /// Returns the source of an exit signal from `from`. The parent stays the parent if the link is
    /// made once more, from either side, and if it sends the signal explicitly: OTP identifies a
    /// parent by its pid alone.
    pub(crate) fn source_of(&self, from: Pid) -> ExitSource {
        if self.parent == Some(from) { ExitSource::Parent } else { ExitSource::Other }
    }

    /// Adds a monitor that is about to be set.
    pub(crate) fn reserve_monitor(&mut self, monitor: MonitorId) {
        self.monitors.insert(monitor, None);
    }

    /// Completes a monitor that was set. Returns it if it was notified or removed before.
    pub(crate) fn set_monitor(
        &mut self,
        monitor: MonitorId,
        monitored: MonitorTarget<P>,
    ) -> Option<MonitorTarget<P>> {
        match self.monitors.get_mut(&monitor) {
            Some(entry) => entry.replace(monitored),
            None => Some(monitored),
        }
    }

    /// Removes a monitor and returns its target, or `None` if there is no such monitor.
    pub(crate) fn take_monitor(&mut self, monitor: MonitorId) -> Option<Option<MonitorTarget<P>>> {
        self.monitors.remove(&monitor)
    }

    pub(crate) fn linked(&self) -> Vec<Pid> {
        self.links.keys().copied().collect()
    }

    pub(crate) fn monitoring(&self) -> Vec<MonitorId> {
        self.monitors.keys().copied().collect()
    }

    /// Returns all links and monitors, once the incarnation has ended.
    pub(crate) fn into_parts(self) -> (LinkEnds<P>, Vec<MonitorTarget<P>>) {
        (self.links.into_iter().collect(), self.monitors.into_values().flatten().collect())
    }
}
