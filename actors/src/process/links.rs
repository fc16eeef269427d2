//! Links and monitors between two processes: the steps, in the order that makes them safe.

use std::ptr;
use std::sync::{Arc, Weak};

use super::shared::Process;
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, wake};
use crate::pid::Pid;
use crate::signal::{Down, MonitorId};
use crate::sync::MutexGuard;
use crate::system::{AnyProcess, MonitorSlot, RelationsLock, RelationsSlot};

/// Locks the relations of two processes in the order of their addresses, so that two concurrent
/// calls do not deadlock.
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
    /// Returns the relations of this incarnation, locked, if it is attached.
    ///
    /// An incarnation that ends detaches first and takes its relations afterwards. So a relation
    /// that is added under this lock, while the incarnation is attached, is found when it ends.
    fn attached_relations(&self, incarnation: u32) -> Option<MutexGuard<'_, RelationsSlot>> {
        let relations = self.relations.lock();
        (self.queue.attached_incarnation() == Some(incarnation)).then_some(relations)
    }

    /// Implements [`AnyProcess::link_ended`].
    pub(super) fn on_link_exit(&self, incarnation: u32, from: Pid, reason: &ExitReason) {
        let Some(mut own) = self.attached_relations(incarnation) else { return };
        let Some((link, by)) = own.as_mut().and_then(|own| Some((own.take_link(from)?, own.source_of(from))))
        else {
            return;
        };
        let signal =
            ControlSignal::Exit(Box::new(Exit { from: Some(from), reason: reason.clone(), source: by }));
        self.deliver(own, incarnation, signal);
        drop(link);
    }

    /// Sets the source of an exit signal that was sent explicitly: it may be the parent.
    pub(super) fn resolve_source(&self, exit: &mut Exit) {
        if let Exit { from: Some(from), source: by @ ExitSource::Other, .. } = exit {
            *by = self.relations.lock().as_ref().map_or(ExitSource::Other, |own| own.source_of(*from));
        }
    }

    /// Enqueues a down signal when the target of a monitor has ended, if the monitor still exists.
    fn on_monitor_down(&self, incarnation: u32, monitor: MonitorId, down: Down) {
        let Some(mut own) = self.attached_relations(incarnation) else { return };
        let Some(monitored) = own.as_mut().and_then(|own| own.take_monitor(monitor)) else { return };
        self.deliver(own, incarnation, ControlSignal::Down { monitor, down: Box::new(down) });
        drop(monitored);
    }

    /// Enqueues a signal under the lock of the relations, and wakes the incarnation under none.
    fn deliver(&self, own: MutexGuard<'_, RelationsSlot>, incarnation: u32, signal: ControlSignal) {
        let delivered = self.queue.enqueue_signal(Some(incarnation), signal);
        drop(own);
        delivered.into_iter().for_each(wake);
    }

    /// Links an incarnation of this process to the running one of another, both ends at once.
    /// Returns `false` if none is running, or if it is in another system, because a pid identifies
    /// an incarnation within one system only.
    ///
    /// If the link exists already, returns `true`, even if the other incarnation has just ended.
    /// Then an exit signal is on its way.
    pub(crate) fn link(self: &Arc<Self>, incarnation: u32, other: &Arc<dyn AnyProcess>, child: bool) -> bool {
        if !self.same_system(other) {
            return false;
        }
        if ptr::eq(&self.relations, other.relations()) {
            return true;
        }
        let own_pid = self.pid_of(incarnation);
        let (mut own, mut others) = lock_both(&self.relations, other.relations());
        // An incarnation that ends after this check must wait for the lock, and then finds the
        // link.
        let attached = other.state().pid();
        let Some(other_pid) = attached.or_else(|| other.latest_pid()) else { return false };
        if self.queue.attached_incarnation() != Some(incarnation) {
            return false;
        }
        let own = own.get_or_insert_default();
        if own.is_linked(other_pid) || attached.is_none() {
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
        self.system_key().is_some_and(|key| other.system_key() == Some(key))
    }

    /// Removes the links to another process, both ends at once. When this returns, no exit signal
    /// will come from them any more.
    pub(crate) fn unlink(&self, incarnation: u32, other: &Arc<dyn AnyProcess>) {
        if !self.same_system(other) || ptr::eq(&self.relations, other.relations()) {
            return;
        }
        let (mut own, mut others) = lock_both(&self.relations, other.relations());
        if self.queue.attached_incarnation() != Some(incarnation) {
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
        match self.attached_relations(incarnation) {
            Some(mut own) => own.get_or_insert_default().reserve_monitor(monitor),
            None => return,
        }
        let observer: Weak<Self> = Arc::downgrade(self);
        let registered = target.mailbox().watch(Box::new(move |pid, reason| {
            if let Some(observer) = observer.upgrade() {
                let down = Down { pid, reason: reason.clone() };
                observer.on_monitor_down(incarnation, monitor, down);
            }
        }));
        match registered {
            Ok(watcher) => {
                let monitored = MonitorSlot::Set(target.clone(), watcher);
                let unneeded = match self.attached_relations(incarnation) {
                    Some(mut own) => own.get_or_insert_default().set_monitor(monitor, monitored),
                    None => Some(monitored),
                };
                unneeded.into_iter().for_each(MonitorSlot::unwatch);
            }
            Err(watcher) => watcher(None, &ExitReason::NoProcess),
        }
    }

    /// Removes a monitor. Returns `false` if it was notified before, or does not exist.
    pub(crate) fn take_monitor(&self, incarnation: u32, monitor: MonitorId) -> bool {
        let Some(mut own) = self.attached_relations(incarnation) else { return false };
        let Some(monitored) = own.as_mut().and_then(|own| own.take_monitor(monitor)) else { return false };
        drop(own);
        monitored.unwatch();
        true
    }

    /// Notifies every linked process that an incarnation has ended, and removes its monitors.
    pub(super) fn notify_links(&self, pid: Pid, reason: &ExitReason) {
        let Some(own) = self.relations.lock().take() else { return };
        let (links, monitors) = own.into_parts();
        monitors.for_each(MonitorSlot::unwatch);
        for (to, other) in links {
            other.link_ended(to.incarnation(), pid, reason);
        }
    }
}
