//! The owner's side: opening and closing, and one incarnation after the other coming and going.

use std::collections::VecDeque;
use std::task::Waker;

use super::batch::Batch;
use super::config::OnRestart;
use super::lanes::{Hook, Interest, Lanes, Loss, Outage, Service, Watcher};
use super::shared::{DROPPED, KILL, LINE, Queue, SIGNAL, settled};
use crate::exit::ExitReason;
use crate::foreign::{drop_each, wake_each};
use crate::order::Order;
use crate::seq_map::SeqMap;
use crate::sync::Ordering;

/// Why no incarnation can attach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AttachError {
    /// The mailbox is closed.
    Closed,
    /// An incarnation is attached.
    Served,
}

/// What is to be done outside the locks after an end.
#[must_use]
pub(crate) struct Leftover<M> {
    /// The incarnation that ended, if one was attached.
    pub(crate) ended: Option<u32>,
    /// A message was in the hand of the incarnation and went down with it.
    pub(crate) lost_in_flight: bool,
    /// Messages that nobody will handle.
    pub(crate) dead: VecDeque<M>,
    /// The stop of a drain that did not come to it.
    stop: Option<ExitReason>,
    pub(crate) hooks: Vec<Hook>,
    /// When the hooks have run, it is to be [told](Queue::hooks_have_run).
    pub(crate) is_closing: bool,
    pub(crate) watchers: SeqMap<Watcher>,
    pub(crate) wakers: Vec<Waker>,
    /// Forgotten, and dropped outside the locks as well: a reason may hold anything.
    signals: VecDeque<Order>,
    losses: Vec<Loss>,
    outage: Option<Outage>,
}

impl<M> Leftover<M> {
    /// Drops all that is left, each thing under a guard of its own: a message, or an error inside a reason, may panic.
    pub(crate) fn drop_each(&mut self) {
        if self.is_empty() {
            return;
        }
        drop_each(std::mem::take(&mut self.dead));
        drop_each(std::mem::take(&mut self.signals));
        drop_each(std::mem::take(&mut self.losses));
        drop_each(self.outage.take());
        drop_each(self.stop.take());
    }

    /// Returns `true` if there is nothing in it that foreign code could be a part of.
    pub(crate) fn is_empty(&self) -> bool {
        let holds_reasons = self.outage.is_some() || self.stop.is_some();
        self.dead.is_empty() && self.signals.is_empty() && self.losses.is_empty() && !holds_reasons
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
            losses: Vec::new(),
            outage: None,
        }
    }
}

impl<M> Queue<M> {
    /// From now on messages queue: an incarnation is due. Does nothing if it is open.
    pub(crate) fn open(&self) {
        let mut lanes = self.lanes.lock();
        if lanes.service <= Service::Drained {
            lanes.service = Service::Vacant;
        }
    }

    /// Begins the next incarnation; its number.
    pub(crate) fn attach(&self) -> Result<u32, AttachError> {
        let mut lanes = self.lanes.lock();
        match lanes.service {
            Service::Closed => return Err(AttachError::Closed),
            Service::Served | Service::Draining => return Err(AttachError::Served),
            Service::Vacant | Service::Drained => {}
        }
        lanes.incarnation += 1;
        lanes.service = Service::Served;
        let outage = lanes.seldom_if_any().and_then(|seldom| seldom.outage.take());
        let mut batch = self.batch.lock();
        batch.give_to(lanes.incarnation);
        lanes.since = settled(&lanes, &batch);
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
        let mut lanes = self.lanes.lock();
        if lanes.service != Service::Served {
            return Err(reason);
        }
        lanes.service = Service::Draining;
        lanes.seldom_mut().stop_when_empty = Some(reason);
        let mut wakers = lanes.seldom_mut().waiting.refuse_all();
        self.attention.clear(LINE);
        let is_empty = lanes.messages.is_empty() && self.batch.lock().len() == 0;
        if let Some(stop) = is_empty.then(|| lanes.take_stop()).flatten() {
            lanes.seldom_mut().signals.push_back(stop);
            self.attention.set(SIGNAL);
            wakers.extend(lanes.rouse(Interest::Signals));
        }
        drop(lanes);
        wake_each(wakers);
        Ok(())
    }

    /// Says why there is no incarnation, and when there is to be one; what was said before comes back. Means nothing if there is
    /// one, or the mailbox is closed.
    pub(crate) fn announce(&self, outage: Outage) -> Option<Outage> {
        let mut lanes = self.lanes.lock();
        if lanes.service == Service::Vacant {
            lanes.seldom_mut().outage.replace(outage)
        } else {
            Some(outage)
        }
    }

    /// What was said of the time until the next incarnation, if that time is now.
    pub(crate) fn outage(&self) -> Option<Outage> {
        let lanes = self.lanes.lock();
        if lanes.service == Service::Vacant { lanes.seldom()?.outage.clone() } else { None }
    }

    /// Ends the incarnation of this number: itself does so as its last act, or its supervisor takes the mailbox
    /// away from it. Whoever comes second finds nothing to end.
    ///
    /// A message in hand is lost if the reason is abnormal or its handler was cut short, and counts as handled otherwise. The rest of the batch goes
    /// back to the front of the lane, or to the dead letters if the mailbox is set so.
    pub(crate) fn detach(&self, incarnation: u32, reason: &ExitReason) -> Option<Leftover<M>> {
        let mut lanes = self.lanes.lock();
        let mut batch = self.batch.lock();
        if lanes.served_by() != Some(incarnation) {
            return None;
        }
        let mut leftover = Leftover::new();
        self.end(&mut lanes, &mut batch, reason, &mut leftover);
        lanes.service = if lanes.service == Service::Draining { Service::Drained } else { Service::Vacant };
        if self.on_restart == OnRestart::Discard {
            bury(&mut lanes, &batch, reason, &mut leftover);
        }
        leftover.wakers.extend(self.admit(&mut lanes, Some(0)));
        leftover.watchers =
            lanes.seldom_if_any().map(|seldom| std::mem::take(&mut seldom.watchers)).unwrap_or_default();
        Some(leftover)
    }

    /// From now on messages are refused; those that wait are dead. Does nothing if it is closed.
    pub(crate) fn close(&self, reason: &ExitReason) -> Option<Leftover<M>> {
        let mut lanes = self.lanes.lock();
        let mut batch = self.batch.lock();
        if lanes.service == Service::Closed {
            return None;
        }
        let mut leftover = Leftover::new();
        self.end(&mut lanes, &mut batch, reason, &mut leftover);
        lanes.service = Service::Closed;
        bury(&mut lanes, &batch, reason, &mut leftover);
        if let Some(seldom) = lanes.seldom_if_any() {
            leftover.wakers.extend(seldom.waiting.refuse_all());
            let hooks = std::mem::take(&mut seldom.close_hooks);
            leftover.hooks.extend(hooks.into_values().map(|(_, hook)| hook));
            leftover.is_closing = !leftover.hooks.is_empty();
            seldom.closings += u32::from(leftover.is_closing);
            leftover.outage = seldom.outage.take();
            leftover.watchers = std::mem::take(&mut seldom.watchers);
        }
        Some(leftover)
    }

    /// Who watches a closed mailbox, to be told that nobody is there, now that its names are free.
    pub(crate) fn hooks_have_run(&self) -> SeqMap<Watcher> {
        let mut lanes = self.lanes.lock();
        let seldom = lanes.seldom_mut();
        seldom.closings = seldom.closings.saturating_sub(1);
        if seldom.closings == 0 { std::mem::take(&mut seldom.late_watchers) } else { SeqMap::default() }
    }

    /// Takes the batch back from whoever has it, and forgets what was meant for that incarnation alone.
    fn end(
        &self,
        lanes: &mut Lanes<M>,
        batch: &mut Batch<M>,
        reason: &ExitReason,
        leftover: &mut Leftover<M>,
    ) {
        let in_hand = self.exchange_hand(0);
        if std::mem::take(&mut lanes.is_cut_short) || reason.is_abnormal() {
            leftover.lost_in_flight = in_hand > 0;
            lanes.count_lost(in_hand);
        } else {
            lanes.handled += in_hand;
        }
        batch.release();
        lanes.settle_dropped();
        self.attention.clear(DROPPED);
        if let Some(incarnation) = lanes.served_by() {
            leftover.ended = Some(incarnation);
            lanes.ends_to_report += 1;
            leftover.hooks =
                lanes.seldom_if_any().map(|seldom| std::mem::take(&mut seldom.end_hooks)).unwrap_or_default();
            leftover.losses.extend(lanes.remember_loss(lanes.since + 1, settled(lanes, batch), reason));
        }
        // Accepted before everything in the lane, so it goes to its front (invariant 3).
        batch.messages.append(&mut lanes.messages);
        std::mem::swap(&mut batch.messages, &mut lanes.messages);
        lanes.swapped = true;
        self.batch_len.store(0, Ordering::Relaxed);
        self.asleep.store(0, Ordering::Relaxed);
        if let Some(seldom) = lanes.seldom_if_any() {
            leftover.signals = std::mem::take(&mut seldom.signals);
            leftover.stop = seldom.stop_when_empty.take();
        }
        lanes.ending = false;
        lanes.task = None;
        lanes.is_poked = false;
        lanes.interest = Interest::Nothing;
        // If it is not the incarnation itself that ends so, it has to hear of it.
        leftover.wakers.extend(lanes.waker.take());
        self.attention.clear(KILL | SIGNAL);
        leftover.wakers.extend(self.settled_up_to(lanes, u64::MAX));
        leftover.wakers.extend(self.take_idle_wakers(lanes));
    }
}

/// Everything that waits is dead.
fn bury<M>(lanes: &mut Lanes<M>, batch: &Batch<M>, reason: &ExitReason, leftover: &mut Leftover<M>) {
    leftover.dead = std::mem::take(&mut lanes.messages);
    let first = settled(lanes, batch) + 1;
    lanes.count_dead(leftover.dead.len() as u64);
    leftover.losses.extend(lanes.remember_loss(first, lanes.accepted(), reason));
}
