//! Links and monitors between two processes: the steps, in the order that makes them safe.

use std::sync::{Arc, Weak};

use super::relations::{Relations, Watched};
use super::shared::Process;
use crate::exit::ExitReason;
use crate::order::{Exit, Order, Sender};
use crate::pid::Pid;
use crate::signal::{Down, MonitorId};
use crate::sync::MutexGuard;
use crate::untyped::{AnyProcess, Link};

impl<M: Send + 'static> Process<M> {
    /// The relations of the incarnation that lives, if it is this one.
    ///
    /// Who ends detaches first and takes its relations afterwards. So what is added while the incarnation is seen attached
    /// under this lock is found when it ends.
    fn living_relations(&self, incarnation: u32) -> Option<MutexGuard<'_, Option<Box<Relations>>>> {
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

    /// See [`AnyProcess::add_link`].
    pub(super) fn keep_link(&self, incarnation: u32, to: Pid, link: Link) -> bool {
        let Some(mut own) = self.living_relations(incarnation) else { return false };
        let unneeded = own.get_or_insert_default().add_link(to, link);
        drop(own);
        drop(unneeded);
        true
    }

    /// See [`AnyProcess::remove_link`].
    pub(super) fn give_up_link(&self, incarnation: u32, to: Pid, stamp: u64) {
        let Some(mut own) = self.living_relations(incarnation) else { return };
        let link = own.as_mut().and_then(|own| own.remove_link(to, stamp));
        drop(own);
        drop(link);
    }

    /// See [`AnyProcess::link_ended`].
    pub(super) fn hear_of_link(&self, incarnation: u32, from: Pid, reason: &ExitReason) {
        let Some(mut own) = self.living_relations(incarnation) else { return };
        let Some((link, by)) = own.as_mut().and_then(|own| Some((own.take_link(from)?, own.sender(from))))
        else {
            return;
        };
        let order = Order::Exit(Box::new(Exit { from: Some(from), reason: reason.clone(), by }));
        let waker = self.queue.put_signal(Some(incarnation), order).flatten();
        drop(own);
        drop(link);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// An exit signal that `from` sends by hand, as this process takes it: the parent is nobody else.
    pub(super) fn attribute(&self, exit: &mut Exit) {
        if let Exit { from: Some(from), by: by @ Sender::Other, .. } = exit {
            *by = self.relations.lock().as_ref().map_or(Sender::Other, |own| own.sender(*from));
        }
    }

    /// The target of a monitor has ended: a signal, if the monitor is still there.
    fn hear_of_monitor(&self, incarnation: u32, monitor: MonitorId, down: Down) {
        let Some(mut own) = self.living_relations(incarnation) else { return };
        let Some(watched) = own.as_mut().and_then(|own| own.take_monitor(monitor)) else { return };
        let waker =
            self.queue.put_signal(Some(incarnation), Order::Down { monitor, down: Box::new(down) }).flatten();
        drop(own);
        drop(watched);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Links an incarnation of this process to one of another. False if that other one does not live, or not in this system: pids
    /// tell incarnations of one system apart.
    ///
    /// Its own end comes first: if the other one ends in between, its end of the link is refused, and this one is taken back.
    pub(crate) fn link(self: &Arc<Self>, incarnation: u32, other: &Arc<dyn AnyProcess>, child: bool) -> bool {
        let (own_pid, Some(home)) = (self.pid_of(incarnation), self.home()) else { return false };
        let Some(other_pid) = other.state().pid() else { return false };
        if other.system_key() != Some(home.system.key()) {
            return false;
        }
        if own_pid.same_identity(other_pid) {
            return true;
        }
        let stamp = home.system.next_number();
        let own: Arc<dyn AnyProcess> = self.clone();
        let end = Link { stamp, to_parent: false, other: other.clone() };
        if !self.keep_link(incarnation, other_pid, end) {
            return false;
        }
        let linked =
            other.add_link(other_pid.incarnation(), own_pid, Link { stamp, to_parent: child, other: own });
        if !linked {
            self.give_up_link(incarnation, other_pid, stamp);
        } else if self.queue.served_by() != Some(incarnation) {
            // The mailbox was taken away meanwhile, and whoever did that may have looked before the other end was there.
            other.link_ended(other_pid.incarnation(), own_pid, &ExitReason::Killed);
        }
        linked
    }

    /// Takes links to another process back. When this returns, no exit signal will come from them any more.
    pub(crate) fn unlink(&self, incarnation: u32, other: &Arc<dyn AnyProcess>) {
        let Some(mut own) = self.living_relations(incarnation) else { return };
        let ends = own.as_mut().map(|own| own.take_links(other.identity())).unwrap_or_default();
        drop(own);
        for (pid, end) in ends {
            end.other.remove_link(pid.incarnation(), self.pid_of(incarnation), end.stamp);
        }
    }

    /// Sets a monitor for an incarnation of this process.
    pub(crate) fn set_monitor(
        self: &Arc<Self>,
        incarnation: u32,
        monitor: MonitorId,
        target: &Arc<dyn AnyProcess>,
    ) {
        match self.living_relations(incarnation) {
            Some(mut own) => own.get_or_insert_default().announce_monitor(monitor),
            None => return,
        }
        let observer: Weak<Self> = Arc::downgrade(self);
        let told = target.watch(Box::new(move |pid, reason| {
            if let Some(observer) = observer.upgrade() {
                let down = Down { pid, reason: reason.clone() };
                observer.hear_of_monitor(incarnation, monitor, down);
            }
        }));
        match told {
            Ok(watcher) => {
                let watched = Watched { target: target.clone(), watcher };
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
    pub(super) fn dissolve(&self, pid: Pid, reason: &ExitReason) {
        let Some(own) = self.relations.lock().take() else { return };
        let (links, monitors) = own.into_parts();
        for watched in monitors {
            watched.target.unwatch(watched.watcher);
        }
        for (to, link) in links {
            link.other.link_ended(to.incarnation(), pid, reason);
        }
    }
}
