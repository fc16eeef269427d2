//! The end of an incarnation or of an identity: the transition, then the notifications, then the
//! drop of foreign values.
//!
//! The transition is one step under the locks of the mailbox. It is complete when foreign code
//! runs. So a hook, a waker or a message that panics prevents no notification of the parent or of
//! another watcher.

use std::any::type_name;
use std::sync::Arc;

use super::kept_letters::KeptLetters;
use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{Each, dispose, ignore_panic, wake_each};
use crate::log::{self, EndKind};
use crate::mailbox::{AnyMailbox, DetachEffects};
use crate::pid::Pid;
use crate::system::{DeadLetterReason, LifecycleEvent, LifecycleState};

/// Where messages that no incarnation will handle are dropped.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum DropIn {
    /// In the task of the incarnation that ended. Their callers are notified before links and
    /// monitors.
    OwnTask,
    /// In a task of its own. The owner, a supervisor, does not wait for a user's `Drop`.
    NewTask,
}

impl<M: Send + 'static> Process<M> {
    /// Ends an incarnation, which another one may follow unless it is the last. Adds the values to
    /// drop after its parent was notified. Returns `false` if the incarnation is not attached any
    /// more.
    pub(crate) fn end(
        &self,
        incarnation: u32,
        reason: &ExitReason,
        kind: EndKind,
        is_last: bool,
        deferred: &mut DeferredDrop<M>,
    ) -> bool {
        let effects = &mut deferred.effects;
        let has_ended = if is_last {
            self.queue.close_into(reason, effects)
        } else {
            self.queue.detach_into(incarnation, reason, effects)
        };
        if !has_ended {
            return false;
        }
        deferred.dropped = effects.dropped(reason);
        self.publish_ended(incarnation, reason, kind, effects);
        if is_last {
            self.publish_closed(reason);
        }
        self.notify_exit(deferred, self.pid_of(incarnation), reason, DropIn::OwnTask);
        true
    }

    /// Takes the mailbox away from an incarnation that does not end. Returns `false` if it is not
    /// attached any more.
    pub(crate) fn abandon(&self, incarnation: u32) -> bool {
        let reason = ExitReason::Killed;
        let mut deferred = DeferredDrop::new();
        if !self.queue.detach_into(incarnation, &reason, &mut deferred.effects) {
            return false;
        }
        let pid = self.pid_of(incarnation);
        self.publish(LifecycleState::Ended(pid), |label| LifecycleEvent::Abandoned { pid, label });
        self.notify_exit(&mut deferred, pid, &reason, DropIn::NewTask);
        if let Some(registration) = self.registration() {
            log::actor_abandoned(registration.system.log(), pid, registration.label.clone());
        }
        self.queue.end_reported();
        deferred.dispose();
        true
    }

    /// Closes the mailbox: messages are refused, and no incarnation will follow. Returns how many
    /// messages were dropped, or `None` if it was closed before.
    pub(crate) fn close(&self, reason: &ExitReason) -> Option<u64> {
        let mut deferred = DeferredDrop::new();
        let effects = &mut deferred.effects;
        if !self.queue.close_into(reason, effects) {
            return None;
        }
        let dropped = effects.dropped(reason);
        self.publish_closed(reason);
        let pid = self.pid_of(self.queue.latest_incarnation());
        self.notify_exit(&mut deferred, pid, reason, DropIn::NewTask);
        if deferred.effects.ended.is_some() {
            self.queue.end_reported();
        }
        deferred.dispose();
        Some(dropped)
    }

    fn publish_ended(
        &self,
        incarnation: u32,
        reason: &ExitReason,
        kind: EndKind,
        effects: &DetachEffects<M>,
    ) {
        let pid = self.pid_of(incarnation);
        let state = LifecycleState::Ended(pid);
        self.publish(state, |label| LifecycleEvent::Ended { pid, label, reason: reason.clone() });
        if let Some(registration) = self.registration() {
            if kind == EndKind::RuntimeGone {
                registration.system.runtime_gone();
            }
            let message_type = (effects.lost_in_flight > 0).then(type_name::<M>);
            log::actor_ended(registration.system.log(), pid, &registration.label, reason, kind, message_type);
        }
    }

    fn publish_closed(&self, reason: &ExitReason) {
        let pid = self.pid_of(self.queue.latest_incarnation());
        let state = LifecycleState::Closed(pid);
        self.publish(state, |label| {
            let messages = self.queue.counters();
            LifecycleEvent::Closed { pid, label, reason: reason.clone(), messages }
        });
    }

    /// Notifies of an end in the promised order. Names are free, and callers and senders are
    /// notified, before any link or monitor is.
    fn notify_exit(&self, deferred: &mut DeferredDrop<M>, pid: Pid, reason: &ExitReason, drop_in: DropIn) {
        for hook in std::mem::take(&mut deferred.effects.hooks) {
            ignore_panic(|| (hook.run)(reason));
        }
        for _ in 0..deferred.effects.lost_in_flight {
            self.dead_letter(pid, None, || DeadLetterReason::InFlight(reason.clone()));
        }
        if !deferred.effects.dead.is_empty() {
            self.dead_letter_unhandled(deferred, pid, reason, drop_in);
        }
        let effects = &mut deferred.effects;
        wake_each(std::mem::take(&mut effects.wakers));
        let ended = effects.ended.map(|incarnation| self.pid_of(incarnation));
        if let Some(ended) = ended {
            self.activity.reset(ended.incarnation());
            self.notify_links(ended, reason);
        }
        for (_, watcher) in std::mem::take(&mut effects.watchers).into_values() {
            ignore_panic(|| watcher(ended, reason));
        }
        if effects.is_closing {
            for (_, watcher) in self.queue.finish_close().into_values() {
                ignore_panic(|| watcher(None, &ExitReason::NoProcess));
            }
        }
    }
}

/// The messages and reasons to drop after all notifications of an end.
#[must_use = "dropped before others are notified, it could keep them waiting"]
pub(crate) struct DeferredDrop<M: Send + 'static> {
    pub(super) effects: DetachEffects<M>,
    /// What keeps copies of the messages, if the actor keeps such letters, and their first number.
    pub(super) kept: Option<(u64, Arc<KeptLetters<M>>)>,
    /// The number of messages that no incarnation will have handled because of the end.
    pub(super) dropped: u64,
}

impl<M: Send + 'static> DeferredDrop<M> {
    /// Returns nothing to drop.
    pub(super) const fn new() -> Self {
        Self { effects: DetachEffects::new(), kept: None, dropped: 0 }
    }

    /// Drops the values in a task of its own, if there are any.
    fn dispose(self) {
        if !self.effects.is_empty() {
            dispose(self);
        }
    }

    /// Drops the messages. They are copied before if they are kept.
    pub(super) fn drop_messages(&mut self) {
        let messages = Each::new(std::mem::take(&mut self.effects.dead));
        if let Some((first, kept)) = self.kept.take() {
            kept.keep_each(first, &messages);
        }
    }
}

impl<M: Send + 'static> Drop for DeferredDrop<M> {
    fn drop(&mut self) {
        if !self.effects.is_empty() {
            self.drop_messages();
            self.effects.drop_each();
        }
    }
}
