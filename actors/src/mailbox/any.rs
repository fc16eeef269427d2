//! The operations on a mailbox that do not depend on the type of its messages.

use std::borrow::Cow;
use std::task::{Poll, Waker};

use tokio::task;

use super::cold::{ExitCallback, ExitHook};
use super::send::wake;
use super::shared::{IDLE, KILL, Mailbox, OUTCOME_WAITERS};
use super::state::{Interest, MessageOutcome, Phase};
use crate::counters::MessageStats;
use crate::foreign::wake_each;

/// The traffic of a mailbox so far. Two equal values mean that it stayed idle in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Traffic {
    accepted: u64,
    incarnation: u32,
}

/// A mailbox of messages of any type.
pub(crate) trait AnyMailbox {
    /// Returns the number of the attached incarnation, if there is one.
    fn attached_incarnation(&self) -> Option<u32>;
    /// Returns `true` if the mailbox is closed.
    fn is_closed(&self) -> bool;
    /// Returns the number of the latest incarnation, attached or not.
    fn latest_incarnation(&self) -> u32;
    /// Returns the message counters. They add up whenever they are read (invariant 4).
    fn counters(&self) -> MessageStats;
    /// Returns the outcome of the message with this sequence number. While it is pending, `waker`
    /// is woken when it is decided.
    ///
    /// Both locks are held until the flag is set: the consumer must not settle the message and take
    /// the next one in between (invariant 6).
    fn outcome(&self, sequence: u64, waker: &Waker) -> MessageOutcome;
    /// Removes the waker for the outcome of this message.
    fn forget_outcome(&self, sequence: u64);
    /// Returns `true` if the mailbox is open and no incarnation is attached.
    fn is_vacant(&self) -> bool;
    /// Returns `true` if the attached incarnation runs in this task.
    fn is_run_by(&self, task: task::Id) -> bool;
    /// Returns the task of the attached incarnation, if it is known.
    fn task(&self) -> Option<task::Id>;
    /// Makes the attached incarnation poll its init or handler again: now, or when it next waits
    /// inside one.
    fn poke(&self);
    /// Registers `hook` to run on the end of its incarnation or on the close, before any watcher is
    /// notified. Returns the number under which a hook on the close can be removed, or the hook if
    /// its event has happened already.
    fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook>;
    /// Removes a hook on the close and returns it, to be dropped outside the locks.
    fn remove_close_hook(&self, number: u64) -> Option<ExitHook>;
    /// Returns `true` if a hook on the close is registered.
    fn has_close_hook(&self, number: u64) -> bool;
    /// Returns the names that are released when the mailbox is closed.
    fn names(&self) -> Vec<Cow<'static, str>>;
    /// Registers `watcher` for the end of the attached incarnation, or of the next one. Returns it
    /// if the mailbox is closed. While close hooks are still running, the watcher is kept instead,
    /// and is notified once the names are free.
    fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback>;
    /// Returns the number of watchers that wait for an end.
    fn watchers(&self) -> usize;
    /// Removes a watcher that was not notified yet.
    fn unwatch(&self, id: u64);
    /// Resolves if the mailbox is idle: no message is queued or in flight, the attached
    /// incarnation, if there is one, is parked, and the end of the previous one was reported.
    /// Otherwise `waker` is woken when that may be so.
    fn poll_idle(&self, waker: &Waker) -> Poll<Traffic>;
    /// Kills the attached incarnation: its code ends at the next await. Returns `true` if one is
    /// attached.
    fn kill(&self) -> bool;
}

impl<M> AnyMailbox for Mailbox<M> {
    fn attached_incarnation(&self) -> Option<u32> {
        self.state.lock().attached_incarnation()
    }

    fn is_closed(&self) -> bool {
        self.state.lock().phase <= Phase::Drained
    }

    fn latest_incarnation(&self) -> u32 {
        self.state.lock().incarnation
    }

    fn counters(&self) -> MessageStats {
        let state = self.state.lock();
        let batch = self.batch.lock();
        let in_flight = self.in_flight(&batch);
        let (lost, dead, discarded) =
            state.cold().map(|cold| &cold.not_handled).map_or((0, 0, 0), |not_handled| {
                (not_handled.lost, not_handled.dead + not_handled.evicted_unsettled, not_handled.discarded)
            });
        MessageStats {
            accepted: state.accepted + discarded,
            handled: self.handled(&state, &batch, in_flight),
            lost_in_flight: lost,
            dead_lettered: dead + discarded,
            queued: (state.messages.len() + batch.len()) as u64 + in_flight,
        }
    }

    fn outcome(&self, sequence: u64, waker: &Waker) -> MessageOutcome {
        let mut state = self.state.lock();
        let batch = self.batch.lock();
        let outcome = state.outcome(sequence, self.settled(&state, &batch));
        if matches!(outcome, MessageOutcome::Pending) {
            state.cold_or_init().outcomes.register(sequence, waker);
            self.flags.set(OUTCOME_WAITERS);
        }
        outcome
    }

    fn forget_outcome(&self, sequence: u64) {
        let waker = self.state.lock().cold_mut().and_then(|cold| cold.outcomes.remove(sequence));
        drop(waker);
    }

    fn is_vacant(&self) -> bool {
        self.state.lock().phase == Phase::Detached
    }

    fn is_run_by(&self, task: task::Id) -> bool {
        self.state.lock().is_run_by(Some(task))
    }

    fn task(&self) -> Option<task::Id> {
        let state = self.state.lock();
        state.attached_incarnation().and(state.task)
    }

    fn poke(&self) {
        let waker = {
            let mut state = self.state.lock();
            let waits_inside = matches!(state.wake_on, Interest::Kill | Interest::Exits | Interest::Signals);
            state.is_poked = !waits_inside && state.attached_incarnation().is_some();
            if waits_inside { state.waker.clone() } else { None }
        };
        wake_each(waker);
    }

    fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook> {
        let mut state = self.state.lock();
        let over = match hook.incarnation {
            Some(_) => state.attached_incarnation() != hook.incarnation,
            None => state.phase == Phase::Closed,
        };
        if over {
            return Err(hook);
        }
        let observers = &mut state.cold_or_init().observers;
        if hook.incarnation.is_some() {
            observers.exit_hooks.push(hook);
        } else {
            observers.last_hook += 1;
            observers.close_hooks.insert(observers.last_hook, hook);
        }
        Ok(observers.last_hook)
    }

    fn remove_close_hook(&self, number: u64) -> Option<ExitHook> {
        self.state.lock().cold_mut()?.observers.close_hooks.remove(number)
    }

    fn has_close_hook(&self, number: u64) -> bool {
        self.state.lock().cold().is_some_and(|cold| cold.observers.close_hooks.get(number).is_some())
    }

    fn names(&self) -> Vec<Cow<'static, str>> {
        let state = self.state.lock();
        let hooks = state.cold().into_iter().flat_map(|cold| cold.observers.close_hooks.iter());
        hooks.filter_map(|(_, hook)| hook.name.clone()).collect()
    }

    fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback> {
        let mut state = self.state.lock();
        let is_closed = state.phase == Phase::Closed;
        if is_closed && state.cold().is_none_or(|cold| cold.observers.pending_closes == 0) {
            return Err(watcher);
        }
        let observers = &mut state.cold_or_init().observers;
        let id = observers.next_watcher;
        observers.next_watcher += 1;
        if is_closed { &mut observers.close_watchers } else { &mut observers.watchers }.insert(id, watcher);
        Ok(id)
    }

    fn watchers(&self) -> usize {
        self.state.lock().cold().map_or(0, |cold| cold.observers.watchers.len())
    }

    fn unwatch(&self, id: u64) {
        let watcher = {
            let mut state = self.state.lock();
            state
                .cold_mut()
                .map(|cold| &mut cold.observers)
                .and_then(|known| known.watchers.remove(id).or_else(|| known.close_watchers.remove(id)))
        };
        drop(watcher);
    }

    fn poll_idle(&self, waker: &Waker) -> Poll<Traffic> {
        let mut state = self.state.lock();
        let is_parked = match state.phase {
            Phase::Attached => state.wake_on == Interest::Messages,
            // It ends once it has handled the queued messages.
            Phase::Draining => false,
            Phase::Detached | Phase::Closed | Phase::Drained => {
                state.messages.is_empty() && self.batch.lock().len() == 0
            }
        };
        if is_parked && state.unreported_ends == 0 {
            return Poll::Ready(Traffic { accepted: state.accepted, incarnation: state.incarnation });
        }
        let wakers = &mut state.cold_or_init().observers.idle_wakers;
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        self.flags.set(IDLE);
        Poll::Pending
    }

    fn kill(&self) -> bool {
        let mut state = self.state.lock();
        if state.attached_incarnation().is_none() {
            return false;
        }
        self.flags.set(KILL);
        let waker = state.take_waker_if(Interest::Kill);
        drop(state);
        wake(waker);
        true
    }
}
