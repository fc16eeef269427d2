//! Links and monitors between two processes: the steps, in the order that makes them safe.

use std::ptr;
use std::sync::{Arc, Weak};

use super::shared::Process;
use crate::any_process::{AnyProcess, RelationsLock, RelationsSlot};
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::exit::ExitReason;
use crate::pid::Pid;
use crate::relations::MonitorTarget;
use crate::signal::{Down, MonitorId};
use crate::sync::MutexGuard;

/// Locks the relations of two processes: those that lie lower first, whoever asks, so that two who ask at once do not wait for
/// each other.
fn lock_both<'a>(
    own: &'a RelationsLock,
    other: &'a RelationsLock,
) -> (MutexGuard<'a, RelationsSlot>, MutexGuard<'a, RelationsSlot>) {
    if ptr::from_ref(own) < ptr::from_ref(other) {
        let own = own.lock();
        (own, other.lock())
    } else {
        let other = other.lock();
        (own.lock(), other)
    }
}

impl<M: Send + 'static> Process<M> {
    /// The relations of the incarnation that lives, if it is this one.
    ///
    /// Who ends detaches first and takes its relations afterwards. So what is added while the incarnation is seen attached
    /// under this lock is found when it ends.
    fn living_relations(&self, incarnation: u32) -> Option<MutexGuard<'_, RelationsSlot>> {
        let relations = self.relations.lock();
        (self.queue.served_by() == Some(incarnation)).then_some(relations)
    }

    /// What this incarnation is linked to, as it is told.
    pub(crate) fn linked(&self) -> Vec<Pid> {
        self.relations.lock().as_ref().map(|own| own.linked()).unwrap_or_default()
    }

    pub(crate) fn monitoring(&self) -> Vec<MonitorId> {
        self.relations.lock().as_ref().map(|own| own.monitoring()).unwrap_or_default()
    }

    /// See [`AnyProcess::link_ended`].
    pub(super) fn on_link_exit(&self, incarnation: u32, from: Pid, reason: &ExitReason) {
        let Some(mut own) = self.living_relations(incarnation) else { return };
        let Some((link, by)) = own.as_mut().and_then(|own| Some((own.take_link(from)?, own.sender(from))))
        else {
            return;
        };
        let order = ControlSignal::Exit(Box::new(Exit { from: Some(from), reason: reason.clone(), by }));
        let waker = self.queue.put_signal(Some(incarnation), order).flatten();
        drop(own);
        drop(link);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// An exit signal that `from` sends by hand, as this process takes it: the parent is nobody else.
    pub(super) fn resolve_source(&self, exit: &mut Exit) {
        if let Exit { from: Some(from), by: by @ ExitSource::Other, .. } = exit {
            *by = self.relations.lock().as_ref().map_or(ExitSource::Other, |own| own.sender(*from));
        }
    }

    /// The target of a monitor has ended: a signal, if the monitor is still there.
    fn on_monitor_down(&self, incarnation: u32, monitor: MonitorId, down: Down) {
        let Some(mut own) = self.living_relations(incarnation) else { return };
        let Some(watched) = own.as_mut().and_then(|own| own.take_monitor(monitor)) else { return };
        let waker = self
            .queue
            .put_signal(Some(incarnation), ControlSignal::Down { monitor, down: Box::new(down) })
            .flatten();
        drop(own);
        drop(watched);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Links an incarnation of this process to the one of another that lives, both ends at once. False if none lives, or not in this
    /// system: pids tell incarnations of one system apart. To be linked to it already is enough, also if it has just ended: then
    /// an exit signal is on its way.
    pub(crate) fn link(self: &Arc<Self>, incarnation: u32, other: &Arc<dyn AnyProcess>, child: bool) -> bool {
        if !self.same_system(other) {
            return false;
        }
        if ptr::eq(&self.relations, other.relations()) {
            return true;
        }
        let own_pid = self.pid_of(incarnation);
        let (mut own, mut others) = lock_both(&self.relations, other.relations());
        // Who ends after this look has to wait for the lock, and finds the link.
        let living = other.state().pid();
        let Some(other_pid) = living.or_else(|| other.newest_pid()) else { return false };
        if self.queue.served_by() != Some(incarnation) {
            return false;
        }
        let own = own.get_or_insert_default();
        if own.is_linked(other_pid) || living.is_none() {
            return own.is_linked(other_pid);
        }
        own.add_link(other_pid, other.clone());
        let others = others.get_or_insert_default();
        others.add_link(own_pid, self.clone());
        if child {
            others.set_parent(own_pid);
        }
        true
    }

    fn same_system(&self, other: &Arc<dyn AnyProcess>) -> bool {
        self.home().is_some_and(|home| other.system_key() == Some(home.system.key()))
    }

    /// Takes links to another process back, both ends at once. When this returns, no exit signal will come from them any more.
    pub(crate) fn unlink(&self, incarnation: u32, other: &Arc<dyn AnyProcess>) {
        if !self.same_system(other) || ptr::eq(&self.relations, other.relations()) {
            return;
        }
        let (mut own, mut others) = lock_both(&self.relations, other.relations());
        if self.queue.served_by() != Some(incarnation) {
            return;
        }
        let ends = own.as_mut().map(|own| own.take_links(other.identity()));
        let other_end = others.as_mut().and_then(|others| others.take_link(self.pid_of(incarnation)));
        drop((own, others));
        drop((ends, other_end));
    }

    /// Sets a monitor for an incarnation of this process.
    pub(crate) fn set_monitor(
        self: &Arc<Self>,
        incarnation: u32,
        monitor: MonitorId,
        target: &Arc<dyn AnyProcess>,
    ) {
        match self.living_relations(incarnation) {
            Some(mut own) => own.get_or_insert_default().reserve_monitor(monitor),
            None => return,
        }
        let observer: Weak<Self> = Arc::downgrade(self);
        let told = target.watch(Box::new(move |pid, reason| {
            if let Some(observer) = observer.upgrade() {
                let down = Down { pid, reason: reason.clone() };
                observer.on_monitor_down(incarnation, monitor, down);
            }
        }));
        match told {
            Ok(watcher) => {
                let watched = MonitorTarget { target: target.clone(), watcher };
                let unneeded = match self.living_relations(incarnation) {
                    Some(mut own) => own.get_or_insert_default().set_monitor(monitor, watched),
                    None => Some(watched),
                };
                unneeded.into_iter().for_each(|watched| watched.target.unwatch(watched.watcher));
            }
            Err(watcher) => watcher(None, &ExitReason::NoProcess),
        }
    }

    /// Takes a monitor back. False if it has told, or there is no such monitor.
    pub(crate) fn take_monitor(&self, incarnation: u32, monitor: MonitorId) -> bool {
        let Some(mut own) = self.living_relations(incarnation) else { return false };
        let Some(watched) = own.as_mut().and_then(|own| own.take_monitor(monitor)) else { return false };
        drop(own);
        watched.into_iter().for_each(|watched| watched.target.unwatch(watched.watcher));
        true
    }

    /// Tells everybody who is linked to an incarnation that it has ended, and watches nobody any more.
    pub(super) fn notify_links(&self, pid: Pid, reason: &ExitReason) {
        let Some(own) = self.relations.lock().take() else { return };
        let (links, monitors) = own.into_parts();
        for watched in monitors {
            watched.target.unwatch(watched.watcher);
        }
        for (to, other) in links {
            other.link_ended(to.incarnation(), pid, reason);
        }
    }
}
