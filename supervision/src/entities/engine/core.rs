//! The state machine: events in, actions out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use perennial_actors::host::{GAMMA, jitter_sample};

use super::slots::{Phase, SlotKey, Slots};
use super::values::{Action, Event, Limits, Reading};

/// The state machine.
pub(in super::super) struct Engine {
    pub(super) limits: Limits,
    pub(super) slots: Slots,
    /// The entities that wait for a place.
    pub(super) waiting: VecDeque<SlotKey>,
    /// The entities that run, by their last use.
    pub(super) order: BTreeMap<u64, SlotKey>,
    /// The number of the last use.
    pub(super) uses: u64,
    /// The entities for which something is due.
    pub(super) due: BTreeSet<(Duration, SlotKey)>,
    /// The number of incarnations that exist.
    pub(super) running: usize,
    /// The number of them that were told to stop.
    pub(super) stopping: usize,
    /// When to look for a place again.
    pub(super) retry_at: Option<Duration>,
    /// Nothing is started any more.
    pub(super) is_closing: bool,
    pub(super) actions: Vec<Action>,
}

impl Engine {
    pub(in super::super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: Slots::default(),
            waiting: VecDeque::new(),
            order: BTreeMap::new(),
            uses: 0,
            due: BTreeSet::new(),
            running: 0,
            stopping: 0,
            retry_at: None,
            is_closing: false,
            actions: Vec::new(),
        }
    }

    /// Adds an entity. Returns `None` if there are as many as there may be.
    pub(in super::super) fn add(&mut self) -> Option<SlotKey> {
        (self.slots.len() < self.limits.max_keys).then(|| self.slots.add())
    }

    /// Removes an entity that has no incarnation. Returns `false` if it has to stay: it is not at
    /// rest, or its failures count still.
    pub(in super::super) fn remove(&mut self, key: SlotKey, now: Duration) -> bool {
        let Some(slot) = self.slots.get(key) else { return false };
        if slot.phase != Phase::Passive || (slot.failures > 0 && now < slot.failures_until) {
            return false;
        }
        self.slots.remove(key);
        true
    }

    /// Returns `true` if there is an entity with this key.
    pub(in super::super) fn knows(&self, key: SlotKey) -> bool {
        self.slots.get(key).is_some()
    }

    /// Returns `true` if an entity is at rest.
    pub(in super::super) fn is_passive(&self, key: SlotKey) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.phase == Phase::Passive)
    }

    /// Removes an entity that is given up.
    pub(in super::super) fn forget(&mut self, key: SlotKey) {
        self.set_due(key, None);
        self.slots.remove(key);
    }

    /// Removes all entities. Their slots get other generations, so late events have no effect.
    pub(in super::super) fn clear(&mut self) {
        for key in self.slots.keys() {
            self.slots.remove(key);
        }
        self.waiting.clear();
        self.order.clear();
        self.due.clear();
        self.actions.clear();
        (self.running, self.stopping, self.retry_at) = (0, 0, None);
    }

    /// Records that the address of an entity was asked for.
    pub(in super::super) fn use_now(&mut self, key: SlotKey, now: Duration) {
        let is_ordered = self.slots.get(key).is_some_and(|slot| slot.phase == Phase::Live);
        if is_ordered {
            self.leave_order(key);
            self.join_order(key, now);
        }
    }

    /// Handles an event. The actions are returned by the next [`advance`](Self::advance).
    pub(in super::super) fn handle(&mut self, key: SlotKey, event: Event, now: Duration) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        match (event, slot.phase) {
            (Event::Queued, Phase::Passive) if !self.is_closing => {
                if slot.not_before > now {
                    slot.phase = Phase::BackingOff;
                    let until = slot.not_before;
                    self.set_due(key, Some(until));
                } else {
                    slot.phase = Phase::Waiting;
                    self.waiting.push_back(key);
                }
            }
            (Event::Started, Phase::Starting) => {
                slot.phase = Phase::Live;
                slot.started_at = now;
                self.set_due(key, None);
                self.join_order(key, now);
            }
            (Event::Ended { failed }, phase) if phase.is_running() => self.ended(key, failed, now),
            _ => {}
        }
    }

    /// Does everything that is due. `seen` reads what an incarnation is doing.
    pub(in super::super) fn advance(
        &mut self,
        now: Duration,
        seen: impl Fn(SlotKey) -> Reading,
    ) -> Vec<Action> {
        while let Some(&(at, key)) = self.due.first() {
            if at > now {
                break;
            }
            self.due.pop_first();
            self.came_due(key, now);
        }
        if !self.is_closing {
            self.passivate_idle(now, &seen);
            self.make_room(now, &seen);
        }
        std::mem::take(&mut self.actions)
    }

    /// Returns when something is due next.
    pub(in super::super) fn next_due(&self) -> Option<Duration> {
        let idle = self.limits.idle_after.filter(|_| !self.is_closing).and_then(|after| {
            let oldest = self.slots.get(*self.order.first_key_value()?.1)?;
            Some(oldest.used_at.saturating_add(after))
        });
        let due = self.due.first().map(|&(at, _)| at);
        [due, idle, self.retry_at].into_iter().flatten().min()
    }

    /// Stops all that run, and starts nothing until [`reopen`](Self::reopen).
    pub(in super::super) fn close(&mut self, now: Duration) {
        self.is_closing = true;
        self.retry_at = None;
        for key in std::mem::take(&mut self.waiting) {
            self.rest(key);
        }
        for key in self.slots.keys() {
            match self.slots.get(key).map(|slot| slot.phase) {
                Some(Phase::BackingOff) => {
                    self.set_due(key, None);
                    self.rest(key);
                }
                Some(Phase::Starting) => self.begin_stop(key, Phase::Killing, now),
                Some(Phase::Live | Phase::Stopping) => self.begin_stop(key, Phase::Stopping, now),
                _ => {}
            }
        }
    }

    /// Allows starts again. Each entity is asked whether it has messages.
    pub(in super::super) fn reopen(&mut self) {
        self.is_closing = false;
        for key in self.slots.keys() {
            if self.slots.get(key).is_some_and(|slot| slot.phase == Phase::Passive) {
                self.actions.push(Action::Rest(key));
            }
        }
    }

    /// Returns the number of incarnations that exist.
    pub(in super::super) const fn running(&self) -> usize {
        self.running
    }

    /// Returns the number of entities that have messages and wait for a place or a delay.
    pub(in super::super) fn pending(&self) -> usize {
        self.waiting.len() + self.slots.count(Phase::BackingOff)
    }

    /// Returns the number of keys that are known.
    pub(in super::super) fn known(&self) -> usize {
        self.slots.len()
    }

    fn ended(&mut self, key: SlotKey, failed: bool, now: Duration) {
        self.leave_order(key);
        self.set_due(key, None);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let was_told = matches!(slot.phase, Phase::Stopping | Phase::Killing);
        let ran_for = (slot.phase != Phase::Starting).then(|| now.saturating_sub(slot.started_at));
        let reset_after = self.limits.backoff.healthy();
        let is_healthy = ran_for.is_some_and(|time| time >= reset_after);
        self.running -= 1;
        self.stopping -= usize::from(was_told);
        slot.phase = Phase::Passive;
        // Nothing has failed that was told to end with the others.
        if !failed || (self.is_closing && was_told) {
            slot.failures = if is_healthy { 0 } else { slot.failures };
            self.actions.push(Action::Rest(key));
            return;
        }
        let before = if is_healthy { 0 } else { slot.failures };
        let sample = jitter_sample(u64::from(key.index()).wrapping_mul(GAMMA) ^ u64::from(before));
        slot.failures = before.saturating_add(1);
        slot.not_before = now.saturating_add(self.limits.backoff.delay(before, sample));
        slot.failures_until = slot.not_before.saturating_add(reset_after);
        let is_over = self.limits.give_up_after.is_some_and(|most| slot.failures >= most);
        self.actions.push(if is_over { Action::GiveUp(key) } else { Action::Rest(key) });
    }

    fn came_due(&mut self, key: SlotKey, now: Duration) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.due = None;
        match slot.phase {
            Phase::BackingOff => {
                slot.phase = Phase::Waiting;
                self.waiting.push_back(key);
            }
            Phase::Starting | Phase::Stopping => self.begin_stop(key, Phase::Killing, now),
            Phase::Killing => self.actions.push(Action::Abandon(key)),
            Phase::Passive | Phase::Waiting | Phase::Live => {}
        }
    }

    /// Puts an entity that waited back to rest.
    fn rest(&mut self, key: SlotKey) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.phase = Phase::Passive;
            self.actions.push(Action::Rest(key));
        }
    }

    pub(super) fn set_due(&mut self, key: SlotKey, at: Option<Duration>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if let Some(before) = std::mem::replace(&mut slot.due, at) {
            self.due.remove(&(before, key));
        }
        self.due.extend(at.map(|at| (at, key)));
    }

    /// Begins to stop, or to kill, an entity that runs.
    pub(super) fn begin_stop(&mut self, key: SlotKey, into: Phase, now: Duration) {
        self.leave_order(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let was_told = matches!(slot.phase, Phase::Stopping | Phase::Killing);
        slot.phase = into;
        self.stopping += usize::from(!was_told);
        match into {
            Phase::Killing => self.actions.push(Action::Kill(key)),
            _ if !was_told => self.actions.push(Action::Stop(key)),
            _ => {}
        }
        // One that makes room finishes what it does, however long that takes.
        let is_limited = into == Phase::Killing || self.is_closing;
        self.set_due(key, is_limited.then(|| now.saturating_add(self.limits.stop_timeout)));
    }

    /// Makes an entity the most recently used of those that run.
    pub(super) fn join_order(&mut self, key: SlotKey, now: Duration) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        self.uses += 1;
        slot.order = Some(self.uses);
        slot.used_at = now;
        self.order.insert(self.uses, key);
    }

    pub(super) fn leave_order(&mut self, key: SlotKey) {
        let place = self.slots.get_mut(key).and_then(|slot| slot.order.take());
        if let Some(place) = place {
            self.order.remove(&place);
        }
    }
}
