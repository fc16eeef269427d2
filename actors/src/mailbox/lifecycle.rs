//! The owner's side: opening and closing, and one incarnation after the other coming and going.

use std::collections::VecDeque;
use std::task::Waker;

use super::batch::Batch;
use super::config::MailboxOnRestart;
use super::shared::{EVICTED, KILL, Mailbox, SENDERS_WAITING, SIGNAL, settled_count};
use super::state::{ExitCallback, ExitHook, Interest, LostRange, MailboxState, PendingRestart, Phase};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::foreign::{drop_each, wake_each};
use crate::seq_map::SeqMap;
use crate::sync::Ordering;

/// Why no incarnation can attach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AttachRefused {
    /// The mailbox is closed.
    Closed,
    /// An incarnation is attached.
    Attached,
}

/// What is to be done outside the locks after an end.
#[must_use]
pub(crate) struct DetachEffects<M> {
    /// The incarnation that ended, if one was attached.
    pub(crate) ended: Option<u32>,
    /// A message was in the hand of the incarnation and went down with it.
    pub(crate) lost_in_flight: bool,
    /// Messages that nobody will handle.
    pub(crate) dead: VecDeque<M>,
    /// The stop of a drain that did not come to it.
    stop: Option<ExitReason>,
    pub(crate) hooks: Vec<ExitHook>,
    /// When the hooks have run, it is to be [told](MailboxConfig::finish_close).
    pub(crate) is_closing: bool,
    pub(crate) watchers: SeqMap<ExitCallback>,
    pub(crate) wakers: Vec<Waker>,
    /// Forgotten, and dropped outside the locks as well: a reason may hold anything.
    signals: VecDeque<ControlSignal>,
    lost_ranges: Vec<LostRange>,
    pending_restart: Option<PendingRestart>,
}

impl<M> DetachEffects<M> {
    /// Drops all that is left, each thing under a guard of its own: a message, or an error inside a reason, may panic.
    pub(crate) fn drop_each(&mut self) {
        if self.is_empty() {
            return;
        }
        drop_each(std::mem::take(&mut self.dead));
        drop_each(std::mem::take(&mut self.signals));
        drop_each(std::mem::take(&mut self.lost_ranges));
        drop_each(self.pending_restart.take());
        drop_each(self.stop.take());
    }

    /// Returns `true` if there is nothing in it that foreign code could be a part of.
    pub(crate) fn is_empty(&self) -> bool {
        let holds_reasons = self.pending_restart.is_some() || self.stop.is_some();
        self.dead.is_empty() && self.signals.is_empty() && self.lost_ranges.is_empty() && !holds_reasons
    }

    /// Returns how many messages no incarnation will have handled because of the end. A message whose handler has failed is not
    /// among them.
    pub(crate) fn dropped(&self, reason: &ExitReason) -> u64 {
        let was_killed = matches!(reason, ExitReason::Killed);
        self.dead.len() as u64 + u64::from(self.lost_in_flight && was_killed)
    }

    const fn new() -> Self {
        Self {
            ended: None,
            lost_in_flight: false,
            dead: VecDeque::new(),
            stop: None,
            hooks: Vec::new(),
            is_closing: false,
            watchers: SeqMap::new(),
            wakers: Vec::new(),
            signals: VecDeque::new(),
            lost_ranges: Vec::new(),
            pending_restart: None,
        }
    }
}

impl<M> Mailbox<M> {
    /// From now on messages queue: an incarnation is due. Does nothing if it is open.
    pub(crate) fn open(&self) {
        let mut lanes = self.state.lock();
        if lanes.service <= Phase::Drained {
            lanes.service = Phase::Detached;
        }
    }

    /// Begins the next incarnation; its number.
    pub(crate) fn attach(&self) -> Result<u32, AttachRefused> {
        let mut lanes = self.state.lock();
        match lanes.service {
            Phase::Closed => return Err(AttachRefused::Closed),
            Phase::Attached | Phase::Draining => return Err(AttachRefused::Attached),
            Phase::Detached | Phase::Drained => {}
        }
        lanes.incarnation += 1;
        lanes.service = Phase::Attached;
        let outage = lanes.cold_mut().and_then(|seldom| seldom.pending_restart.take());
        let mut batch = self.batch.lock();
        batch.set_owner(lanes.incarnation);
        lanes.first_sequence = settled_count(&lanes, &batch);
        let incarnation = lanes.incarnation;
        drop((batch, lanes));
        // A reason may hold anything.
        drop(outage);
        Ok(incarnation)
    }

    /// Refuses messages from now on, and stops the incarnation that is attached when it has handled those that are queued. At
    /// once if there are none. Senders in line are refused. Returns the reason if no incarnation is attached, or if it is told
    /// already.
    pub(crate) fn drain(&self, reason: ExitReason) -> Result<(), ExitReason> {
        let mut lanes = self.state.lock();
        if lanes.service != Phase::Attached {
            return Err(reason);
        }
        lanes.service = Phase::Draining;
        lanes.cold_or_init().stop_when_empty = Some(reason);
        let mut wakers = lanes.cold_or_init().waiting.refuse_all();
        self.attention.clear(SENDERS_WAITING);
        let is_empty = lanes.messages.is_empty() && self.batch.lock().len() == 0;
        if let Some(stop) = is_empty.then(|| lanes.take_stop()).flatten() {
            lanes.cold_or_init().signals.push_back(stop);
            self.attention.set(SIGNAL);
            wakers.extend(lanes.take_waker_if(Interest::Signals));
        }
        drop(lanes);
        wake_each(wakers);
        Ok(())
    }

    /// Says why there is no incarnation, and when there is to be one; what was said before comes back. Means nothing if there is
    /// one, or the mailbox is closed.
    pub(crate) fn set_pending_restart(&self, outage: PendingRestart) -> Option<PendingRestart> {
        let mut lanes = self.state.lock();
        if lanes.service == Phase::Detached {
            lanes.cold_or_init().pending_restart.replace(outage)
        } else {
            Some(outage)
        }
    }

    /// What was said of the time until the next incarnation, if that time is now.
    pub(crate) fn pending_restart(&self) -> Option<PendingRestart> {
        let lanes = self.state.lock();
        if lanes.service == Phase::Detached { lanes.seldom()?.pending_restart.clone() } else { None }
    }

    /// Ends the incarnation of this number: itself does so as its last act, or its supervisor takes the mailbox
    /// away from it. Whoever comes second finds nothing to end.
    ///
    /// A message in hand is lost if the reason is abnormal or its handler was cut short, and counts as handled otherwise. The rest of the batch goes
    /// back to the front of the lane, or to the dead letters if the mailbox is set so.
    pub(crate) fn detach(&self, incarnation: u32, reason: &ExitReason) -> Option<DetachEffects<M>> {
        let mut lanes = self.state.lock();
        let mut batch = self.batch.lock();
        if lanes.served_by() != Some(incarnation) {
            return None;
        }
        let mut leftover = DetachEffects::new();
        self.end(&mut lanes, &mut batch, reason, &mut leftover);
        lanes.service = if lanes.service == Phase::Draining { Phase::Drained } else { Phase::Detached };
        if self.on_restart == MailboxOnRestart::Discard {
            dead_letter_all(&mut lanes, &batch, reason, &mut leftover);
        }
        leftover.wakers.extend(self.admit(&mut lanes, Some(0)));
        leftover.watchers =
            lanes.cold_mut().map(|seldom| std::mem::take(&mut seldom.watchers)).unwrap_or_default();
        Some(leftover)
    }

    /// From now on messages are refused; those that wait are dead. Does nothing if it is closed.
    pub(crate) fn close(&self, reason: &ExitReason) -> Option<DetachEffects<M>> {
        let mut lanes = self.state.lock();
        let mut batch = self.batch.lock();
        if lanes.service == Phase::Closed {
            return None;
        }
        let mut leftover = DetachEffects::new();
        self.end(&mut lanes, &mut batch, reason, &mut leftover);
        lanes.service = Phase::Closed;
        dead_letter_all(&mut lanes, &batch, reason, &mut leftover);
        if let Some(seldom) = lanes.cold_mut() {
            leftover.wakers.extend(seldom.waiting.refuse_all());
            let hooks = std::mem::take(&mut seldom.close_hooks);
            leftover.hooks.extend(hooks.into_values().map(|(_, hook)| hook));
            leftover.is_closing = !leftover.hooks.is_empty();
            seldom.pending_closes += u32::from(leftover.is_closing);
            leftover.pending_restart = seldom.pending_restart.take();
            leftover.watchers = std::mem::take(&mut seldom.watchers);
        }
        Some(leftover)
    }

    /// Who watches a closed mailbox, to be told that nobody is there, now that its names are free.
    pub(crate) fn finish_close(&self) -> SeqMap<ExitCallback> {
        let mut lanes = self.state.lock();
        let seldom = lanes.cold_or_init();
        seldom.pending_closes = seldom.pending_closes.saturating_sub(1);
        if seldom.pending_closes == 0 {
            std::mem::take(&mut seldom.close_watchers)
        } else {
            SeqMap::default()
        }
    }

    /// Takes the batch back from whoever has it, and forgets what was meant for that incarnation alone.
    fn end(
        &self,
        lanes: &mut MailboxState<M>,
        batch: &mut Batch<M>,
        reason: &ExitReason,
        leftover: &mut DetachEffects<M>,
    ) {
        let in_hand = self.swap_in_flight(0);
        if std::mem::take(&mut lanes.is_cut_short) || reason.is_abnormal() {
            leftover.lost_in_flight = in_hand > 0;
            lanes.count_lost(in_hand);
        } else {
            lanes.handled += in_hand;
        }
        batch.clear_owner();
        lanes.settle_dropped();
        self.attention.clear(EVICTED);
        if let Some(incarnation) = lanes.served_by() {
            leftover.ended = Some(incarnation);
            lanes.ends_to_report += 1;
            leftover.hooks =
                lanes.cold_mut().map(|seldom| std::mem::take(&mut seldom.end_hooks)).unwrap_or_default();
            leftover.lost_ranges.extend(lanes.remember_loss(
                lanes.first_sequence + 1,
                settled_count(lanes, batch),
                reason,
            ));
        }
        // Accepted before everything in the lane, so it goes to its front (invariant 3).
        batch.messages.append(&mut lanes.messages);
        std::mem::swap(&mut batch.messages, &mut lanes.messages);
        lanes.swapped = true;
        self.batch_len.store(0, Ordering::Relaxed);
        self.parked_incarnation.store(0, Ordering::Relaxed);
        if let Some(seldom) = lanes.cold_mut() {
            leftover.signals = std::mem::take(&mut seldom.signals);
            leftover.stop = seldom.stop_when_empty.take();
        }
        lanes.ending = false;
        lanes.task = None;
        lanes.is_poked = false;
        lanes.wake_on = Interest::Nothing;
        // If it is not the incarnation itself that ends so, it has to hear of it.
        leftover.wakers.extend(lanes.waker.take());
        self.attention.clear(KILL | SIGNAL);
        leftover.wakers.extend(self.settled_up_to(lanes, u64::MAX));
        leftover.wakers.extend(self.take_idle_wakers(lanes));
    }
}

/// Everything that waits is dead.
fn dead_letter_all<M>(
    lanes: &mut MailboxState<M>,
    batch: &Batch<M>,
    reason: &ExitReason,
    leftover: &mut DetachEffects<M>,
) {
    leftover.dead = std::mem::take(&mut lanes.messages);
    let first = settled_count(lanes, batch) + 1;
    lanes.count_dead(leftover.dead.len() as u64);
    leftover.lost_ranges.extend(lanes.remember_loss(first, lanes.accepted(), reason));
}
