//! Places that are kept for somebody who will send later.

use std::task::Waker;

use tokio::task;

use super::send::{PushError, wake_all};
use super::shared::{Mailbox, SENDERS_WAITING};
use super::state::MailboxState;
use super::wait_queue::TicketOutcome;

impl<M> Mailbox<M> {
    /// Keeps a place, if there is room and nobody stands in line for it.
    pub(crate) fn try_reserve(&self) -> Result<(), PushError<()>> {
        let mut lanes = self.state.lock();
        self.reserve_in(&mut lanes)
    }

    fn reserve_in(&self, lanes: &mut MailboxState<M>) -> Result<(), PushError<()>> {
        if lanes.refuses() {
            return Err(PushError::Closed(()));
        }
        if lanes.has_line() || !self.has_room(lanes) {
            return Err(PushError::Full(()));
        }
        lanes.cold_or_init().reserved += 1;
        Ok(())
    }

    /// Keeps a place, or stands in line for one: then the ticket. Refused if the task that asks would wait for itself.
    ///
    /// The line's bit is set before the batch is looked at, as for messages (invariant 6).
    pub(crate) fn reserve_or_join(
        &self,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Result<(), u64>, PushError<()>> {
        match self.try_reserve() {
            Err(PushError::Full(())) if is_circular() => return Err(PushError::WouldDeadlock(())),
            Err(PushError::Full(())) => {}
            reserved => return reserved.map(Ok),
        }
        let mut lanes = self.state.lock();
        match self.reserve_in(&mut lanes) {
            Err(PushError::Full(())) if lanes.is_run_by(task::try_id()) => {
                return Err(PushError::WouldDeadlock(()));
            }
            Err(PushError::Full(())) => {}
            reserved => return reserved.map(Ok),
        }
        let ticket = lanes.cold_or_init().waiting.enqueue(None, waker.clone());
        self.attention.set(SENDERS_WAITING);
        let admitted = self.admit(&mut lanes, None);
        wake_all(lanes, admitted);
        Ok(Err(ticket))
    }

    /// Leaves the line; a place that was kept in the meantime is given back.
    pub(crate) fn cancel_reserve(&self, ticket: u64) {
        let outcome = self.state.lock().cold_or_init().waiting.cancel(ticket);
        if matches!(outcome, Some(TicketOutcome::Reserved)) {
            self.release_permit();
        }
    }

    /// Gives a place back that was kept: the first in line gets it.
    pub(crate) fn release_permit(&self) {
        let mut lanes = self.state.lock();
        lanes.cold_or_init().reserved -= 1;
        let admitted = self.admit(&mut lanes, None);
        wake_all(lanes, admitted);
    }

    /// Puts a message in the place that was kept for it. It comes back if the mailbox is closed; the place is gone either way.
    pub(crate) fn send_reserved(&self, message: M) -> Result<u64, M> {
        let mut lanes = self.state.lock();
        lanes.cold_or_init().reserved -= 1;
        if lanes.refuses() {
            return Err(message);
        }
        Ok(Self::take_in(lanes, message))
    }
}
