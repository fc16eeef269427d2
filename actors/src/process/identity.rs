//! The owner's side of a process. The owner decides when its incarnations start and end.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::consumer::MailboxConsumer;
use super::report::{ExitNotifier, Parent};
use super::shared::Process;
use super::start_order;
use crate::error::AttachError;
use crate::exit::ExitReason;
use crate::label::Label;
use crate::mailbox::{AttachRefused, MailboxConfig, PendingRestart};
use crate::pid::Pid;
use crate::sync::{Ordering, fence};
use crate::system::System;

/// The part of an actor that outlives its incarnations: its mailbox, its address, its names.
///
/// Its owner, usually a child spec, opens it before the first start, attaches one incarnation after
/// the other, and closes it when none will follow. It may be opened again.
pub struct Identity<M: Send + 'static> {
    pub(crate) process: Arc<Process<M>>,
}

impl<M: Send + 'static> Identity<M> {
    /// Creates an identity that is not open yet.
    #[must_use]
    pub fn new(mailbox: MailboxConfig) -> Self {
        Self { process: Process::new(mailbox) }
    }

    /// Sets the id by which errors name the actor until it is opened for the first time.
    pub fn set_id(&self, id: Arc<str>) {
        start_order::set_id(&*self.process, id);
    }

    /// Opens the identity: from now on messages are queued. The first call fixes the system and the
    /// label.
    pub fn open(&self, system: &System, label: impl FnOnce() -> Label) {
        self.process.open(system, label);
    }

    /// Returns the label that the first opening fixed, or `None` before that.
    #[must_use]
    pub fn label(&self) -> Option<Label> {
        self.process.registration().map(|registration| registration.label.clone())
    }

    /// Sets why there is no incarnation, and in how long the next one starts.
    /// [`pending_restart`](crate::ActorHandle::pending_restart) returns this until an incarnation
    /// attaches.
    pub fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration) {
        let until = self.process.age().saturating_add(retry_in);
        drop(self.process.queue.set_pending_restart(PendingRestart { reason, until }));
    }

    /// Closes the identity: messages are refused, and queued messages become dead letters. Returns
    /// how many messages were dropped, or `None` if it was closed before.
    pub fn close(&self, reason: &ExitReason) -> Option<u64> {
        self.process.close(reason)
    }

    /// Attaches the next incarnation. It reports its start and its end to `parent` as number `run`.
    ///
    /// # Errors
    ///
    /// [`AttachError::Closed`] if the identity is not open. [`AttachError::AlreadyAttached`] if the
    /// previous incarnation is still attached: there is never more than one.
    pub fn attach(&self, parent: Arc<dyn Parent>, run: u64) -> Result<MailboxConsumer<M>, AttachError> {
        self.process.attach(ExitNotifier::Parent(parent, run))
    }

    /// Waits until a message is queued for the next incarnation. Resolves at once if an incarnation
    /// is attached, or if the identity is not open. The next
    /// incarnation replaces the waker: until then, it may be woken for nothing.
    pub fn poll_queued(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.process.queue.poll_queued(cx.waker())
    }

    /// Returns `true` if an address, a handle or an incarnation refers to this identity.
    #[must_use]
    pub fn is_referred_to(&self) -> bool {
        let count = Arc::strong_count(&self.process);
        // What the holder of an address has done before it dropped that is seen from now on.
        fence(Ordering::Acquire);
        count > 1
    }

    /// Returns a number that grows with each step that the incarnation takes, and whether the
    /// incarnation has nothing to do.
    #[must_use]
    pub fn step(&self) -> (u32, bool) {
        self.process.activity.step()
    }

    /// Takes the mailbox away from an incarnation that was killed and does not end, because it
    /// never awaits. It cannot use the mailbox any more, and its parent is not notified of its end.
    /// Returns `false` if it has ended by itself.
    pub fn abandon(&self, pid: Pid) -> bool {
        self.process.pid_of(pid.incarnation()) == pid && self.process.abandon(pid.incarnation())
    }
}

impl<M: Send + 'static> Process<M> {
    /// Opens the process: from now on messages are queued. The first call fixes the system and the
    /// label.
    pub(crate) fn open(self: &Arc<Self>, system: &System, label: impl FnOnce() -> Label) {
        self.register(system, label);
        self.queue.open();
    }

    /// Attaches the next incarnation.
    pub(crate) fn attach(
        self: &Arc<Self>,
        notifier: ExitNotifier,
    ) -> Result<MailboxConsumer<M>, AttachError> {
        let incarnation = self.queue.attach().map_err(|error| match error {
            AttachRefused::Closed => AttachError::Closed,
            AttachRefused::Attached => AttachError::AlreadyAttached,
        })?;
        // Only a process that was opened gets here, and opening registers it.
        let registration = self.registration().ok_or(AttachError::Closed)?;
        Ok(MailboxConsumer::new(self.clone(), registration.system.clone(), incarnation, notifier))
    }
}

impl<M: Send + 'static> Drop for Identity<M> {
    fn drop(&mut self) {
        self.process.mark_unowned();
    }
}

impl<M: Send + 'static> std::fmt::Debug for Identity<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("label", &self.process.registration().map(|registration| &registration.label))
            .finish_non_exhaustive()
    }
}
