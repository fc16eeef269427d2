//! The links and monitors of one incarnation, as it keeps them itself.
//!
//! A link has two ends, each kept by one of the two under its own lock. To link and to unlink takes both locks at once, so
//! that nobody ever sees half a link, and no two who do so at once can cross. An end takes the locks one after the other:
//! first what the incarnation kept itself, then, one by one, what the others kept of it.
//!
//! The end that an incarnation keeps itself decides whether it is told: a signal is put under the same lock under which an
//! unlink removes the end, so after an unlink nothing more comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::control::ExitSource;
use crate::pid::Pid;
use crate::signal::MonitorId;

/// Who this incarnation is linked to, and whom it watches. `P` is a process, whatever its messages are.
pub(crate) struct Relations<P: ?Sized> {
    links: BTreeMap<Pid, Arc<P>>,
    /// Who started it, linked; whatever becomes of that link.
    parent: Option<Pid>,
    monitors: BTreeMap<MonitorId, Option<MonitorTarget<P>>>,
}

/// The target of a monitor, and the number of the watcher there.
pub(crate) struct MonitorTarget<P: ?Sized> {
    pub(crate) target: Arc<P>,
    pub(crate) watcher: u64,
}

/// The ends of links: to whom, and how to reach him.
type Ends<P> = Vec<(Pid, Arc<P>)>;

impl<P: ?Sized> Default for Relations<P> {
    fn default() -> Self {
        Self { links: BTreeMap::new(), parent: None, monitors: BTreeMap::new() }
    }
}

impl<P: ?Sized> Relations<P> {
    /// Adds an end of a link; not if there is one.
    pub(crate) fn add_link(&mut self, to: Pid, other: Arc<P>) {
        self.links.entry(to).or_insert(other);
    }

    /// Who it is linked to has started it.
    pub(crate) fn set_parent(&mut self, parent: Pid) {
        self.parent = Some(parent);
    }

    pub(crate) fn is_linked(&self, to: Pid) -> bool {
        self.links.contains_key(&to)
    }

    /// Takes the ends of all links to incarnations of one identity.
    #[must_use]
    pub(crate) fn take_links(&mut self, identity: u64) -> Vec<Arc<P>> {
        let all = Pid::new(identity, 0)..=Pid::new(identity, u32::MAX);
        let pids: Vec<Pid> = self.links.range(all).map(|(pid, _)| *pid).collect();
        pids.into_iter().filter_map(|pid| self.links.remove(&pid)).collect()
    }

    /// Takes the end of a link; what is not needed any more is to be dropped outside the lock.
    #[must_use]
    pub(crate) fn take_link(&mut self, to: Pid) -> Option<Arc<P>> {
        self.links.remove(&to)
    }

    /// Who an exit signal of `from` comes from. A link that is made once more, from either side, does not make a stranger of
    /// the parent, and neither does a signal that the parent sends by hand: OTP tells a parent by its pid alone.
    pub(crate) fn sender(&self, from: Pid) -> ExitSource {
        if self.parent == Some(from) { ExitSource::Parent } else { ExitSource::Other }
    }

    /// A monitor that is about to be set.
    pub(crate) fn reserve_monitor(&mut self, monitor: MonitorId) {
        self.monitors.insert(monitor, None);
    }

    /// A monitor that was set; gives it back if it has told, or was taken back, before.
    pub(crate) fn set_monitor(
        &mut self,
        monitor: MonitorId,
        watched: MonitorTarget<P>,
    ) -> Option<MonitorTarget<P>> {
        match self.monitors.get_mut(&monitor) {
            Some(place) => place.replace(watched),
            None => Some(watched),
        }
    }

    /// Takes a monitor back: what it watched, or none if there is no such monitor.
    pub(crate) fn take_monitor(&mut self, monitor: MonitorId) -> Option<Option<MonitorTarget<P>>> {
        self.monitors.remove(&monitor)
    }

    pub(crate) fn linked(&self) -> Vec<Pid> {
        self.links.keys().copied().collect()
    }

    pub(crate) fn monitoring(&self) -> Vec<MonitorId> {
        self.monitors.keys().copied().collect()
    }

    /// Everything, once the incarnation has ended.
    pub(crate) fn into_parts(self) -> (Ends<P>, Vec<MonitorTarget<P>>) {
        (self.links.into_iter().collect(), self.monitors.into_values().flatten().collect())
    }
}
