//! The end of an incarnation, and of an identity: the transition, then the notifications, then foreign values.
//!
//! The transition is one step under the locks of the mailbox. When foreign code runs, it is complete: a hook, a waker or
//! a message that panics costs neither the parent nor another watcher what it was to be told.

use std::any::type_name;

use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{dispose, drop_each, ignore_panic, wake_each};
use crate::log::{self, EndKind};
use crate::mailbox::DetachEffects;
use crate::pid::Pid;
use crate::system::{DeadLetterReason, LifecycleEvent};

/// Where messages that no incarnation will handle are dropped.
#[derive(Clone, Copy, Eq, PartialEq)]
enum DropDead {
    /// In the task of the incarnation that ended: their callers are told before links and monitors are.
    Here,
    /// In a task of its own: the owner, a supervisor, waits for no user's `Drop`.
    Elsewhere,
}

impl<M: Send + 'static> Process<M> {
    /// Ends an incarnation that another one may follow. Returns what is left of it to be dropped when its parent was
    /// told, or `None` if it is not attached any more.
    pub(crate) fn detach(&self, incarnation: u32, reason: &ExitReason, kind: EndKind) -> Option<Remains<M>> {
        let mut leftover = self.queue.detach(incarnation, reason)?;
        let dropped = leftover.dropped(reason);
        self.publish_ended(incarnation, reason, kind, &leftover);
        self.notify_exit(&mut leftover, self.pid_of(incarnation), reason, DropDead::Here);
        Some(Remains { leftover, dropped })
    }

    /// Ends an incarnation that no other follows. Returns as [`detach`](Self::detach) does.
    pub(crate) fn detach_and_close(
        &self,
        incarnation: u32,
        reason: &ExitReason,
        kind: EndKind,
    ) -> Option<Remains<M>> {
        let mut leftover = self.queue.close(reason)?;
        let dropped = leftover.dropped(reason);
        self.publish_ended(incarnation, reason, kind, &leftover);
        self.publish_closed(reason);
        self.notify_exit(&mut leftover, self.pid_of(incarnation), reason, DropDead::Here);
        Some(Remains { leftover, dropped })
    }

    /// Takes the mailbox away from an incarnation that does not die. Returns `false` if it is not attached any more.
    pub(crate) fn abandon(&self, incarnation: u32) -> bool {
        let reason = ExitReason::Killed;
        let Some(mut leftover) = self.queue.detach(incarnation, &reason) else { return false };
        let pid = self.pid_of(incarnation);
        self.publish(|label| LifecycleEvent::Abandoned { pid, label });
        self.notify_exit(&mut leftover, pid, &reason, DropDead::Elsewhere);
        if let Some(home) = self.home() {
            log::actor_abandoned(home.system.log(), pid, home.label.clone());
        }
        self.queue.end_reported();
        Remains { leftover, dropped: 0 }.dispose();
        true
    }

    /// Refuses messages from now on: no incarnation is due any more. Returns how many messages were dropped, or `None` if it
    /// was closed before.
    pub(crate) fn close(&self, reason: &ExitReason) -> Option<u64> {
        let mut leftover = self.queue.close(reason)?;
        let dropped = leftover.dropped(reason);
        self.publish_closed(reason);
        self.notify_exit(
            &mut leftover,
            self.pid_of(self.queue.latest_incarnation()),
            reason,
            DropDead::Elsewhere,
        );
        if leftover.ended.is_some() {
            self.queue.end_reported();
        }
        Remains { leftover, dropped }.dispose();
        Some(dropped)
    }

    fn publish_ended(
        &self,
        incarnation: u32,
        reason: &ExitReason,
        kind: EndKind,
        leftover: &DetachEffects<M>,
    ) {
        let pid = self.pid_of(incarnation);
        self.publish(|label| LifecycleEvent::Ended { pid, label, reason: reason.clone() });
        if let Some(home) = self.home() {
            if kind == EndKind::RuntimeGone {
                home.system.runtime_gone();
            }
            let message_type = leftover.lost_in_flight.then(type_name::<M>);
            log::actor_ended(home.system.log(), pid, &home.label, reason, kind, message_type);
        }
    }

    fn publish_closed(&self, reason: &ExitReason) {
        let pid = self.pid_of(self.queue.latest_incarnation());
        self.publish(|label| LifecycleEvent::Closed { pid, label, reason: reason.clone() });
    }

    /// Notifies of an end, in an order that is promised: names are free, callers and senders are told, before
    /// any link or monitor is told.
    fn notify_exit(
        &self,
        leftover: &mut DetachEffects<M>,
        pid: Pid,
        reason: &ExitReason,
        drop_dead: DropDead,
    ) {
        for hook in std::mem::take(&mut leftover.hooks) {
            ignore_panic(|| (hook.run)(reason));
        }
        if leftover.lost_in_flight {
            self.dead_letter(pid, || DeadLetterReason::InFlight(reason.clone()));
        }
        for _ in &leftover.dead {
            self.dead_letter(pid, || DeadLetterReason::Unhandled(reason.clone()));
        }
        if drop_dead == DropDead::Here && !leftover.dead.is_empty() {
            drop_each(std::mem::take(&mut leftover.dead));
        }
        wake_each(std::mem::take(&mut leftover.wakers));
        let ended = leftover.ended.map(|incarnation| self.pid_of(incarnation));
        if let Some(ended) = ended {
            self.activity.reset();
            self.notify_links(ended, reason);
        }
        for (_, watcher) in std::mem::take(&mut leftover.watchers).into_values() {
            ignore_panic(|| watcher(ended, reason));
        }
        if leftover.is_closing {
            for (_, watcher) in self.queue.finish_close().into_values() {
                ignore_panic(|| watcher(None, &ExitReason::NoProcess));
            }
        }
    }
}

/// What is left of an end when all were told: messages and reasons, to be dropped.
#[must_use = "dropped before others are told, it could keep them waiting"]
pub(crate) struct Remains<M> {
    leftover: DetachEffects<M>,
    /// How many messages no incarnation will have handled because of the end.
    pub(super) dropped: u64,
}

impl<M: Send + 'static> Remains<M> {
    /// Drops what is left in a task of its own, if there is anything.
    fn dispose(self) {
        if !self.leftover.is_empty() {
            dispose(self);
        }
    }
}

impl<M> Drop for Remains<M> {
    fn drop(&mut self) {
        self.leftover.drop_each();
    }
}
