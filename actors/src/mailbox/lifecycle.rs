//! The owner's operations: open, close, attach and detach.

use std::task::{Poll, Waker};

use super::cold::{AnyLetters, ColdState, ExitCallback, ExitHook, LostRange, PendingRestart, SignalQueue};
use super::config::MailboxOnRestart;
use super::recv::register_waker;
use super::shared::{Batch, EVICTED, KILL, Mailbox, SENDERS_WAITING, SIGNAL};
use super::state::{Interest, MailboxState, Phase};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::foreign::{drop_each, wake_each};
use crate::seq_map::SeqMap;
use crate::spans::SenderSpan;
use crate::sync::Ordering;

/// Why no incarnation could attach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AttachRefused {
    /// The mailbox is closed.
    Closed,
    /// Another incarnation is attached.
    Attached,
}

/// The work that is left after a detach or a close. The caller does it outside the locks.
#[must_use]
pub(crate) struct DetachEffects<M> {
    /// The incarnation that ended, if one was attached.
    pub(crate) ended: Option<u32>,
    /// The number of messages that were in flight and were lost with the incarnation. There are
    /// several only if it was abandoned.
    pub(crate) lost_in_flight: u64,
    /// The number of those whose handler had not begun.
    lost_behind: u64,
    /// The queued messages that no incarnation will handle.
    pub(crate) dead: Vec<M>,
    /// The stop of a drain that was not completed.
    stop: Option<ExitReason>,
    pub(crate) hooks: Vec<ExitHook>,
    /// `true` if [`Mailbox::finish_close`] must be called once the hooks have run.
    pub(crate) is_closing: bool,
    pub(crate) watchers: SeqMap<ExitCallback>,
    pub(crate) wakers: Vec<Waker>,
    /// Discarded values. They are dropped outside the locks too, because a reason may hold any
    /// value.
    signals: (Option<ControlSignal>, SignalQueue),
    /// The ranges that were pushed out. An end loses at most two new ones.
    lost_ranges: [Option<LostRange>; 2],
    pending_restart: Option<PendingRestart>,
    /// The spans of the senders of the dead messages.
    senders: Vec<SenderSpan>,
}

impl<M> DetachEffects<M> {
    /// Drops the remaining values, each under its own guard. The drop of a message, or of an error
    /// inside a reason, may panic.
    pub(crate) fn drop_each(&mut self) {
        drop_each(std::mem::take(&mut self.dead));
        drop_each(self.signals.0.take());
        drop_each(self.signals.1.take().into_signals());
        self.lost_ranges.iter_mut().filter_map(Option::take).for_each(LostRange::drop_here);
        drop_each(self.pending_restart.take());
        drop_each(self.stop.take());
        drop_each(std::mem::take(&mut self.senders));
    }

    /// Returns `true` if no remaining value can run foreign code when it is dropped.
    pub(crate) fn is_empty(&self) -> bool {
        let holds_reasons = self.pending_restart.is_some() || self.stop.is_some();
        let holds_no_signals = self.signals.0.is_none() && self.signals.1.is_empty();
        let holds_ranges = self.lost_ranges.iter().any(Option::is_some);
        let holds_messages = !self.dead.is_empty() || !self.senders.is_empty();
        holds_no_signals && !holds_messages && !holds_ranges && !holds_reasons
    }

    /// Returns the number of messages that no incarnation will have handled because of the end. It
    /// does not include a message whose handler failed.
    pub(crate) fn dropped(&self, reason: &ExitReason) -> u64 {
        let was_killed = matches!(reason, ExitReason::Killed);
        self.dead.len() as u64 + if was_killed { self.lost_in_flight } else { self.lost_behind }
    }

    pub(crate) const fn new() -> Self {
        Self {
            ended: None,
            lost_in_flight: 0,
            lost_behind: 0,
            dead: Vec::new(),
            stop: None,
            hooks: Vec::new(),
            is_closing: false,
            watchers: SeqMap::new(),
            wakers: Vec::new(),
            signals: (None, SignalQueue::new()),
            lost_ranges: [None, None],
            pending_restart: None,
            senders: Vec::new(),
        }
    }
}

impl<M> Mailbox<M> {
    /// Opens the mailbox: from now on messages are queued for the next incarnation. Does nothing if
    /// it is open.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock();
        if state.phase <= Phase::Drained {
            state.phase = Phase::Detached;
        }
    }

    /// Attaches the next incarnation and returns its number.
    pub(crate) fn attach(&self) -> Result<u32, AttachRefused> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Closed => return Err(AttachRefused::Closed),
            Phase::Attached | Phase::Draining => return Err(AttachRefused::Attached),
            Phase::Detached | Phase::Drained => {}
        }
        state.incarnation += 1;
        state.phase = Phase::Attached;
        let pending = state.cold_mut().and_then(|cold| cold.pending_restart.take());
        let mut batch = self.batch.lock();
        batch.owner = Some(state.incarnation);
        self.flags.set_attached(batch.owner);
        state.first_sequence = self.settled(&state, &batch);
        let incarnation = state.incarnation;
        drop((batch, state));
        // Outside the locks, because a reason may hold any value.
        drop(pending);
        Ok(incarnation)
    }

    /// Waits until a message is queued for the next incarnation. Resolves at once if an incarnation
    /// is attached, or if messages are refused. The next incarnation replaces the waker: until
    /// then, it may be woken for nothing.
    pub(crate) fn poll_queued(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state.lock();
        if state.phase != Phase::Detached || !state.messages.is_empty() {
            return Poll::Ready(());
        }
        register_waker(&mut state, waker, Interest::Messages);
        Poll::Pending
    }

    /// Drains the mailbox: messages are refused from now on, and the attached incarnation stops
    /// once it has handled the queued ones, or at once if there are none. Waiting senders are
    /// refused. Fails with the reason if no incarnation is attached, or if it is draining already.
    pub(crate) fn drain(&self, reason: ExitReason) -> Result<(), ExitReason> {
        let mut state = self.state.lock();
        if state.phase != Phase::Attached {
            return Err(reason);
        }
        state.phase = Phase::Draining;
        state.admits = 0;
        state.cold_or_init().stop_when_empty = Some(reason);
        let mut wakers = state.cold_mut().map(ColdState::refuse_waiters).unwrap_or_default();
        self.flags.clear(SENDERS_WAITING);
        let is_empty = state.messages.is_empty() && self.taken_out(&self.batch.lock()) == 0;
        if let Some(stop) = is_empty.then(|| state.take_stop()).flatten() {
            state.push_signal(stop);
            self.flags.set(SIGNAL);
            wakers.extend(state.take_waker_if(Interest::Signals));
        }
        drop(state);
        wake_each(wakers);
        Ok(())
    }

    /// Returns `true` if the attached incarnation handles what is queued and then stops.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.lock().phase == Phase::Draining
    }

    /// Sets why there is no incarnation, and when the next one starts. Returns the previous value.
    /// Has no effect and returns the argument unless the mailbox is [detached](Phase::Detached).
    pub(crate) fn set_pending_restart(&self, pending: PendingRestart) -> Option<PendingRestart> {
        let mut state = self.state.lock();
        if state.phase == Phase::Detached {
            state.cold_or_init().pending_restart.replace(pending)
        } else {
            Some(pending)
        }
    }

    /// Returns the pending restart, if the mailbox is detached and one was set.
    pub(crate) fn pending_restart(&self) -> Option<PendingRestart> {
        let state = self.state.lock();
        if state.phase == Phase::Detached { state.cold()?.pending_restart.clone() } else { None }
    }

    /// Detaches the incarnation with this number. An incarnation does this as its last act, or its
    /// owner takes the mailbox away from it. The later of the two calls returns `false`.
    ///
    /// The message in flight is lost if the reason is abnormal or its handler was interrupted.
    /// Otherwise it counts as handled. The rest of the batch returns to the front of the queue, or
    /// becomes dead letters if the mailbox discards on restart.
    ///
    /// The effects are passed in, and not returned, because they are too large to be moved.
    pub(crate) fn detach_into(
        &self,
        incarnation: u32,
        reason: &ExitReason,
        effects: &mut DetachEffects<M>,
    ) -> bool {
        let mut state = self.state.lock();
        let mut batch = self.batch.lock();
        if state.attached_incarnation() != Some(incarnation) {
            return false;
        }
        self.end(&mut state, &mut batch, reason, effects);
        state.phase = if state.phase == Phase::Draining { Phase::Drained } else { Phase::Detached };
        if self.on_restart == MailboxOnRestart::Discard {
            self.dead_letter_all(&mut state, &batch, reason, effects);
        }
        effects.wakers.extend(self.admit(&mut state, Some(0)));
        effects.watchers =
            state.cold_mut().map(|cold| std::mem::take(&mut cold.observers.watchers)).unwrap_or_default();
        true
    }

    /// Closes the mailbox: from now on messages are refused, and queued messages become dead
    /// letters. Returns `false` if it was closed before.
    pub(crate) fn close_into(&self, reason: &ExitReason, effects: &mut DetachEffects<M>) -> bool {
        let mut state = self.state.lock();
        let mut batch = self.batch.lock();
        if state.phase == Phase::Closed {
            return false;
        }
        self.end(&mut state, &mut batch, reason, effects);
        state.phase = Phase::Closed;
        state.admits = 0;
        self.dead_letter_all(&mut state, &batch, reason, effects);
        if let Some(cold) = state.cold_mut() {
            effects.wakers.extend(cold.refuse_waiters());
            let hooks = std::mem::take(&mut cold.observers.close_hooks);
            effects.hooks.extend(hooks.into_values().map(|(_, hook)| hook));
            effects.is_closing = !effects.hooks.is_empty();
            cold.observers.pending_closes += u32::from(effects.is_closing);
            effects.pending_restart = cold.pending_restart.take();
            effects.watchers = std::mem::take(&mut cold.observers.watchers);
        }
        true
    }

    /// Completes a close whose hooks have run, so that its names are free. Returns the watchers
    /// that registered since the close, unless another close is still pending.
    pub(crate) fn finish_close(&self) -> SeqMap<ExitCallback> {
        let mut state = self.state.lock();
        let cold = state.cold_or_init();
        cold.observers.pending_closes = cold.observers.pending_closes.saturating_sub(1);
        if cold.observers.pending_closes == 0 {
            std::mem::take(&mut cold.observers.close_watchers)
        } else {
            SeqMap::default()
        }
    }

    /// Ends the attached incarnation, if any: takes its batch back, and clears what was addressed
    /// to it alone.
    fn end(
        &self,
        state: &mut MailboxState<M>,
        batch: &mut Batch<M>,
        reason: &ExitReason,
        effects: &mut DetachEffects<M>,
    ) {
        let in_flight = self.in_flight(batch);
        let is_lost = std::mem::take(&mut state.is_interrupted) || reason.is_abnormal();
        // An incarnation that ends by itself has returned the messages behind the first.
        effects.lost_behind = in_flight.saturating_sub(1);
        effects.lost_in_flight = if is_lost { in_flight } else { effects.lost_behind };
        state.count_lost(effects.lost_in_flight);
        state.handled += self.swap_taken(0) - effects.lost_in_flight;
        if effects.lost_behind > 0 {
            // The incarnation may still write it.
            batch.unhandled = None;
        }
        batch.owner = None;
        self.flags.set_attached(None);
        state.settle_evicted();
        self.flags.clear(EVICTED);
        if let Some(incarnation) = state.attached_incarnation() {
            effects.ended = Some(incarnation);
            state.unreported_ends += 1;
            effects.hooks = state
                .cold_mut()
                .map(|cold| std::mem::take(&mut cold.observers.exit_hooks))
                .unwrap_or_default();
            let (first, last) = (state.first_sequence + 1, self.settled(state, batch));
            effects.lost_ranges[0] = state.record_lost(first, last, reason);
        }
        // The batch was accepted before everything in the queue, so it goes to the front (invariant
        // 3).
        batch.messages.reverse();
        batch.messages.append(&mut state.messages);
        std::mem::swap(&mut batch.messages, &mut state.messages);
        state.swapped = true;
        self.batch_len.store(0, Ordering::Relaxed);
        self.parked_incarnation.store(0, Ordering::Relaxed);
        effects.signals = state.take_signals();
        if let Some(cold) = state.cold_mut() {
            effects.stop = cold.stop_when_empty.take();
        }
        state.is_ending = false;
        state.task = None;
        state.is_poked = false;
        state.wake_on = Interest::Nothing;
        // An incarnation that did not end itself must be woken to notice its end.
        effects.wakers.extend(state.waker.take());
        self.flags.clear(KILL | SIGNAL);
        effects.wakers.extend(self.settled_up_to(state, u64::MAX));
        effects.wakers.extend(self.take_idle_wakers(state));
    }

    /// Returns what holds the dead letters that are kept.
    pub(crate) fn kept_letters(&self) -> Option<AnyLetters> {
        self.state.lock().cold()?.kept_letters.clone()
    }

    /// Returns what holds the dead letters that are kept. It is made if there is nothing yet.
    pub(crate) fn kept_letters_or(&self, make: impl FnOnce() -> AnyLetters) -> AnyLetters {
        self.state.lock().cold_or_init().kept_letters.get_or_insert_with(make).clone()
    }

    /// Turns every queued message into a dead letter and records the reason.
    fn dead_letter_all(
        &self,
        state: &mut MailboxState<M>,
        batch: &Batch<M>,
        reason: &ExitReason,
        effects: &mut DetachEffects<M>,
    ) {
        effects.dead = std::mem::take(&mut state.messages);
        let first = self.settled(state, batch) + 1;
        state.count_dead(effects.dead.len() as u64);
        effects.lost_ranges[1] = state.record_lost(first, state.accepted, reason);
        effects.senders = state.take_senders();
    }
}
