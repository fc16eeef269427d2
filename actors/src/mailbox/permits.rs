//! Reserved places for messages that are sent later.

use std::task::Waker;

use tokio::task;

use super::send::{PushError, wake_all};
use super::shared::{Mailbox, SENDERS_WAITING};
use super::state::MailboxState;
use super::wait_queue::TicketOutcome;

impl<M> Mailbox<M> {
    /// Reserves a place, if there is room and no sender waits for it.
    pub(crate) fn try_reserve(&self) -> Result<(), PushError<()>> {
        let mut state = self.state.lock();
        self.reserve_locked(&mut state)
    }

    fn reserve_locked(&self, state: &mut MailboxState<M>) -> Result<(), PushError<()>> {
        if state.refuses() {
            return Err(PushError::Closed(()));
        }
        if state.has_waiters() || !self.has_room(state) {
            return Err(PushError::Full(()));
        }
        state.cold_or_init().reserved += 1;
        Ok(())
    }

    /// Reserves a place, or joins the wait queue and returns the ticket. Refused if the calling
    /// task would wait for itself.
    ///
    /// The flag is set before the batch is read, as for messages (invariant 6).
    pub(crate) fn reserve_or_wait(
        &self,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Result<(), u64>, PushError<()>> {
        match self.try_reserve() {
            Err(PushError::Full(())) if is_circular() => return Err(PushError::WouldDeadlock(())),
            Err(PushError::Full(())) => {}
            reserved => return reserved.map(Ok),
        }
        let mut state = self.state.lock();
        match self.reserve_locked(&mut state) {
            Err(PushError::Full(())) if state.is_run_by(task::try_id()) => {
                return Err(PushError::WouldDeadlock(()));
            }
            Err(PushError::Full(())) => {}
            reserved => return reserved.map(Ok),
        }
        let ticket = state.cold_or_init().waiters.enqueue(None, waker.clone());
        self.flags.set(SENDERS_WAITING);
        let admitted = self.admit(&mut state, None);
        wake_all(state, admitted);
        Ok(Err(ticket))
    }

    /// Cancels a reservation that waits. Releases its place if it was granted meanwhile.
    pub(crate) fn cancel_reserve(&self, ticket: u64) {
        let outcome = self.state.lock().cold_or_init().waiters.cancel(ticket);
        if matches!(outcome, Some(TicketOutcome::Reserved)) {
            self.release_permit();
        }
    }

    /// Releases a reserved place. The first waiter gets it.
    pub(crate) fn release_permit(&self) {
        let mut state = self.state.lock();
        state.cold_or_init().reserved -= 1;
        let admitted = self.admit(&mut state, None);
        wake_all(state, admitted);
    }

    /// Enqueues a message in its reserved place. Returns the message if the mailbox is closed. The
    /// reservation ends in both cases.
    pub(crate) fn send_reserved(&self, message: M) -> Result<u64, M> {
        let mut state = self.state.lock();
        state.cold_or_init().reserved -= 1;
        if state.refuses() {
            return Err(message);
        }
        Ok(Self::accept_and_wake(state, message))
    }
}
