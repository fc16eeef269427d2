//! Places that are kept for somebody who will send later.

use std::task::Waker;

use tokio::task;

use super::lanes::Lanes;
use super::sender::{Refused, wake_all};
use super::shared::{LINE, Queue};
use super::waiting::Outcome;

impl<M> Queue<M> {
    /// Keeps a place, if there is room and nobody stands in line for it.
    pub(crate) fn try_reserve(&self) -> Result<(), Refused<()>> {
        let mut lanes = self.lanes.lock();
        self.reserve_in(&mut lanes)
    }

    fn reserve_in(&self, lanes: &mut Lanes<M>) -> Result<(), Refused<()>> {
        if lanes.refuses() {
            return Err(Refused::Closed(()));
        }
        if lanes.has_line() || !self.has_room(lanes) {
            return Err(Refused::Full(()));
        }
        lanes.seldom_mut().reserved += 1;
        Ok(())
    }

    /// Keeps a place, or stands in line for one: then the ticket. Refused if the task that asks would wait for itself.
    ///
    /// The line's bit is set before the batch is looked at, as for messages (invariant 6).
    pub(crate) fn reserve_or_join(
        &self,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Result<(), u64>, Refused<()>> {
        match self.try_reserve() {
            Err(Refused::Full(())) if is_circular() => return Err(Refused::WouldDeadlock(())),
            Err(Refused::Full(())) => {}
            reserved => return reserved.map(Ok),
        }
        let mut lanes = self.lanes.lock();
        match self.reserve_in(&mut lanes) {
            Err(Refused::Full(())) if lanes.is_run_by(task::try_id()) => {
                return Err(Refused::WouldDeadlock(()));
            }
            Err(Refused::Full(())) => {}
            reserved => return reserved.map(Ok),
        }
        let ticket = lanes.seldom_mut().waiting.join(None, waker.clone());
        self.attention.set(LINE);
        let admitted = self.admit(&mut lanes, None);
        wake_all(lanes, admitted);
        Ok(Err(ticket))
    }

    /// Leaves the line; a place that was kept in the meantime is given back.
    pub(crate) fn leave_place(&self, ticket: u64) {
        let outcome = self.lanes.lock().seldom_mut().waiting.leave(ticket);
        if matches!(outcome, Some(Outcome::Reserved)) {
            self.give_back();
        }
    }

    /// Gives a place back that was kept: the first in line gets it.
    pub(crate) fn give_back(&self) {
        let mut lanes = self.lanes.lock();
        lanes.seldom_mut().reserved -= 1;
        let admitted = self.admit(&mut lanes, None);
        wake_all(lanes, admitted);
    }

    /// Puts a message in the place that was kept for it. It comes back if the mailbox is closed; the place is gone either way.
    pub(crate) fn fill(&self, message: M) -> Result<u64, M> {
        let mut lanes = self.lanes.lock();
        lanes.seldom_mut().reserved -= 1;
        if lanes.refuses() {
            return Err(message);
        }
        Ok(Self::take_in(lanes, message))
    }
}
