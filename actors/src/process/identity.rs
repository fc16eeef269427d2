//! The owner's end of a process: who decides whether, when and for how long it is served.

use std::sync::Arc;
use std::time::Duration;

use super::consumer::MailboxConsumer;
use super::report::{ExitNotifier, Parent};
use super::shared::Process;
use super::start_order;
use crate::exit::ExitReason;
use crate::label::Label;
use crate::mailbox::{AttachRefused, MailboxConfig, PendingRestart};
use crate::pid::Pid;
use crate::system::System;

/// What stays of an actor while its incarnations come and go: its mailbox, its address, its names.
///
/// Its owner, usually a child spec, opens it when somebody is due to serve it, attaches one incarnation after
/// the other, and closes it when nobody is due any more. It may be opened again.
pub struct Identity<M: Send + 'static> {
    pub(crate) process: Arc<Process<M>>,
}

/// Why an incarnation could not begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The identity is not open: nobody is due to serve it.
    #[error("the mailbox of the actor is not open")]
    Closed,
    /// The incarnation before it still lives.
    #[error("another incarnation of the actor is running")]
    AlreadyAttached,
}

impl<M: Send + 'static> Identity<M> {
    /// An identity that is not open yet.
    #[must_use]
    pub fn new(mailbox: MailboxConfig) -> Self {
        Self { process: Process::new(mailbox) }
    }

    /// Sets the id by which errors name the actor until it is opened for the first time.
    pub fn set_id(&self, id: Arc<str>) {
        start_order::set_id(&*self.process, id);
    }

    /// Lets messages queue from now on. The first time settles the system and the label.
    pub fn open(&self, system: &System, label: impl FnOnce() -> Label) {
        self.process.open(system, label);
    }

    /// Returns the label that the first opening settled, or `None` before that.
    #[must_use]
    pub fn label(&self) -> Option<Label> {
        self.process.home().map(|home| home.label.clone())
    }

    /// Says why there is no incarnation, and in how long the next is to begin, for those who
    /// [ask](crate::ActorHandle::pending_restart). It holds until there is one.
    pub fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration) {
        let until = self.process.age().saturating_add(retry_in);
        drop(self.process.queue.set_pending_restart(PendingRestart { reason, until }));
    }

    /// Refuses messages from now on; those that wait go to the dead letters. Returns how many messages were dropped, or
    /// `None` if it was closed before.
    pub fn close(&self, reason: &ExitReason) -> Option<u64> {
        self.process.close(reason)
    }

    /// Begins the next incarnation, which is to tell `parent` of its start and its end as number `run`.
    ///
    /// # Errors
    ///
    /// When it is not open, or when the incarnation before lives: there is never more than one.
    pub fn attach(&self, parent: Arc<dyn Parent>, run: u64) -> Result<MailboxConsumer<M>, AttachError> {
        self.process.attach(ExitNotifier::Parent(parent, run))
    }

    /// Takes the mailbox away from an incarnation that was killed and does not die, because it never awaits. It can do
    /// nothing more with it, and its parent is not told of its end. False if it has ended by itself.
    pub fn abandon(&self, pid: Pid) -> bool {
        self.process.pid_of(pid.incarnation()) == pid && self.process.abandon(pid.incarnation())
    }
}

impl<M: Send + 'static> Process<M> {
    /// Lets messages queue from now on. The first time settles the system and the label.
    pub(crate) fn open(self: &Arc<Self>, system: &System, label: impl FnOnce() -> Label) {
        self.register(system, label);
        self.queue.open();
    }

    /// Begins the next incarnation.
    pub(crate) fn attach(
        self: &Arc<Self>,
        reporter: ExitNotifier,
    ) -> Result<MailboxConsumer<M>, AttachError> {
        let incarnation = self.queue.attach().map_err(|error| match error {
            AttachRefused::Closed => AttachError::Closed,
            AttachRefused::Attached => AttachError::AlreadyAttached,
        })?;
        // Only a process that was opened gets here, and opening settles it.
        let home = self.home().ok_or(AttachError::Closed)?;
        Ok(MailboxConsumer::new(self.clone(), home.system.clone(), incarnation, reporter))
    }
}

impl<M: Send + 'static> Drop for Identity<M> {
    fn drop(&mut self) {
        self.process.disown();
    }
}

impl<M: Send + 'static> std::fmt::Debug for Identity<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("label", &self.process.home().map(|home| &home.label))
            .finish_non_exhaustive()
    }
}
