//! The queue of a pool as a pure state machine: what waits, who works at what, and what comes next.
//!
//! There is no clock in it, no task and no lock: the time comes in, and whom to wake comes out. Of a job it knows its place only.
//!
//! # Rules
//!
//! 1. A job is in one place at a time: it waits, is delayed, or is leased to one worker.
//! 2. Who leases is known by slot and incarnation. What an old incarnation says or asks changes nothing.
//! 3. A worker that finds nothing is idle, and is woken for the next job that it may have: so no job waits beside an idle worker, unless the
//!    pool is paused or its rate does not allow it.
//! 4. Jobs are leased by priority, and then by number. One that comes back has its number still, so it stands ahead of those that were
//!    submitted after it.
//! 5. What has expired is never leased, and comes out as soon as it has.

use std::collections::VecDeque;
use std::time::Duration;

use super::backlog::Backlog;
use super::lane::Waiting;
use super::rate::Rate;

/// Time since the pool was made.
pub(super) type Time = Duration;

/// Which incarnation of the worker in a slot.
pub(super) type Incarnation = u32;

/// Where a worker stands.
#[derive(Debug)]
struct Slot<I> {
    /// The last incarnation that has come; 0 if none has.
    last: Incarnation,
    /// Whether it is there still.
    is_taken: bool,
    lease: Option<Waiting<I>>,
    idle: bool,
    /// Whether it is to have anything at all.
    open: bool,
}

/// Whether jobs are taken in and handed out. It only ever goes on to a later one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Phase {
    /// Both.
    Open,
    /// What is there is finished, and nothing more taken in.
    Finishing,
    /// Neither.
    Closed,
}

/// What a worker is to do next.
#[derive(Debug)]
pub(super) enum Next<I> {
    /// This job, and since when it has waited, if that was taken.
    Job(I, Option<Time>),
    /// Nothing, until it is woken.
    Nothing,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Board<I> {
    backlog: Backlog<I>,
    slots: Vec<Slot<I>>,
    leased: usize,
    idle: Vec<usize>,
    capacity: usize,
    paused: bool,
    phase: Phase,
    rate: Option<Rate>,
    /// A worker found a job that the rate did not allow it to begin.
    held_up: bool,
}

impl<I> Board<I> {
    pub(super) fn new(slots: usize, capacity: usize) -> Self {
        let slot = || Slot { last: 0, is_taken: false, lease: None, idle: false, open: true };
        Self {
            backlog: Backlog::new(slots),
            slots: std::iter::repeat_with(slot).take(slots).collect(),
            leased: 0,
            idle: Vec::new(),
            capacity,
            paused: false,
            phase: Phase::Open,
            rate: None,
            held_up: false,
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// How many wait, delayed ones included.
    pub(super) const fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// How many a worker could begin with.
    pub(super) fn ready(&self) -> usize {
        self.backlog.ready()
    }

    /// How many a worker could begin with now, if there was one more.
    pub(super) fn pressing(&self) -> usize {
        if self.is_held_up() { 0 } else { self.ready() }
    }

    pub(super) const fn leased(&self) -> usize {
        self.leased
    }

    /// What is worked at.
    pub(super) fn leases(&self) -> impl Iterator<Item = &I> {
        self.slots.iter().filter_map(|slot| slot.lease.as_ref()).map(|job| &job.item)
    }

    /// How many workers have nothing to do.
    pub(super) fn idle(&self) -> usize {
        self.idle.iter().filter(|slot| self.slots[**slot].open).count()
    }

    /// Whether nothing waits and nothing is worked at.
    pub(super) const fn is_done(&self) -> bool {
        self.waiting() == 0 && self.leased == 0
    }

    /// How many may wait.
    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many more may wait.
    pub(super) const fn room(&self) -> usize {
        self.capacity.saturating_sub(self.waiting())
    }

    /// For how many more jobs nobody has to be woken, and no lack of room be feared: none, unless all who could have one are busy.
    pub(super) fn credit(&self) -> usize {
        if self.phase == Phase::Open && self.idle() == 0 { self.room() } else { 0 }
    }

    /// Whether what it does depends on the time.
    pub(super) fn is_timed(&self) -> bool {
        self.rate.is_some() || self.backlog.is_timed()
    }

    /// The open slot with the least before it, for those who choose one.
    pub(super) fn least_queued(&self) -> Option<usize> {
        let open = self.slots.iter().enumerate().filter(|(_, slot)| slot.open);
        open.min_by_key(|(place, slot)| self.backlog.reserved_for(*place) + usize::from(slot.lease.is_some()))
            .map(|(place, _)| place)
    }

    /// The open slot that a number leads to.
    pub(super) fn slot_of(&self, number: u64) -> Option<usize> {
        let open = self.slots.iter().filter(|slot| slot.open).count() as u64;
        let nth = number.checked_rem(open)? as usize;
        self.slots.iter().enumerate().filter(|(_, slot)| slot.open).nth(nth).map(|(place, _)| place)
    }

    /// Whether there is a job that this worker may have.
    pub(super) fn has_for(&self, slot: usize) -> bool {
        self.backlog.has_for(slot)
    }

    /// Since when the first of all that wait for a worker has done so.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.backlog.oldest()
    }
}

/// What waits.
impl<I> Board<I> {
    /// Puts a job in; whom to wake.
    pub(super) fn put(&mut self, job: Waiting<I>) -> Option<usize> {
        let slot = job.stand.slot.filter(|slot| self.slots.get(*slot).is_some_and(|slot| slot.open));
        self.backlog.push(job, slot);
        match slot {
            _ if self.is_held_up() => None,
            Some(slot) => self.stir(slot),
            None => self.rouse_for_what_waits(),
        }
    }

    /// Puts in jobs for whom nobody has to be woken, as there was [credit](Self::credit) for them. They are later than all that wait.
    pub(super) fn append(&mut self, jobs: &mut VecDeque<Waiting<I>>) {
        self.backlog.append(jobs);
    }

    /// Keeps a job back until then.
    pub(super) fn delay(&mut self, job: Waiting<I>, until: Time) {
        self.backlog.delay(job, until);
    }

    /// Lets in what is due, puts what has expired into `expired`, and ends the wait for the rate; whom to wake.
    pub(super) fn tick(&mut self, now: Time, expired: &mut Vec<I>) -> Vec<usize> {
        expired.extend(std::iter::from_fn(|| self.backlog.pop_expired(now)));
        let mut roused = Vec::new();
        while let Some(job) = self.backlog.pop_due(now) {
            // It waits for a worker from now on.
            let since = job.since.map(|_| now);
            roused.extend(self.put(Waiting { since, ..job }));
        }
        if self.held_up && self.is_within_rate(now) {
            self.held_up = false;
            roused.extend(self.rouse_for_what_waits());
        }
        roused
    }

    /// When to [`tick`](Self::tick), if nothing happens before.
    pub(super) fn next_deadline(&mut self, now: Time) -> Option<Time> {
        let rate = self.rate.as_mut().filter(|_| self.held_up && !self.paused);
        let allowed = rate.map(|rate| rate.ready_at(now).unwrap_or(now));
        [self.backlog.next_deadline(), allowed].into_iter().flatten().min()
    }

    /// Takes out everything that waits.
    pub(super) fn clear(&mut self) -> Vec<I> {
        self.backlog.clear()
    }

    /// Takes one job out that waits.
    pub(super) fn withdraw(&mut self, number: u64) -> Option<I> {
        self.backlog.withdraw(number)
    }
}

/// Who works.
impl<I> Board<I> {
    /// An incarnation has come, unless a later one has, be it gone or not.
    pub(super) fn arrive(&mut self, slot: usize, incarnation: Incarnation) {
        if let Some(place) = self.slots.get_mut(slot).filter(|place| place.last < incarnation) {
            (place.last, place.is_taken) = (incarnation, true);
        }
    }

    /// The next job for a worker, or it is idle; and whom to wake. What has expired is put into `expired` (rule 5). The time is of no
    /// account unless the board [is timed](Self::is_timed).
    pub(super) fn lease(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
        now: Time,
        expired: &mut Vec<I>,
    ) -> (Next<I>, Option<usize>)
    where
        I: Clone,
    {
        if !self.is_served(slot, incarnation) {
            return (Next::Nothing, None);
        }
        self.stir(slot);
        while self.may_have_one(slot) {
            if !self.is_within_rate(now) {
                self.held_up = true;
                break;
            }
            let Some(job) = self.backlog.pop(slot) else { break };
            if job.stand.expires.is_some_and(|expires| expires <= now) {
                expired.push(job.item);
                continue;
            }
            let (item, since) = (job.item.clone(), job.since);
            let is_own = job.stand.slot.is_some();
            self.slots[slot].lease = Some(job);
            self.leased += 1;
            self.spend(now);
            return (Next::Job(item, since), self.hand_on(is_own));
        }
        let roused = self.hand_on(false);
        self.slots[slot].idle = true;
        self.idle.push(slot);
        (Next::Nothing, roused)
    }

    /// A worker has looked, and may have taken one of its own instead of the job for all that it was woken for; and those who wait for the
    /// rate are woken one by the other, whatever each finds. Whom to wake in its place.
    fn hand_on(&mut self, took_its_own: bool) -> Option<usize> {
        if took_its_own || self.rate.is_some() { self.rouse_for_what_waits() } else { None }
    }

    fn may_have_one(&self, slot: usize) -> bool {
        let place = &self.slots[slot];
        let is_free = place.open && place.lease.is_none();
        is_free && !self.paused && self.phase != Phase::Closed && self.backlog.has_for(slot)
    }

    /// A job has begun.
    fn spend(&mut self, now: Time) {
        if let Some(rate) = &mut self.rate {
            rate.spend(now);
            self.held_up = false;
        }
    }

    /// A lease is over, if it is still that incarnation's (rule 2).
    pub(super) fn settle(&mut self, slot: usize, incarnation: Incarnation) -> Option<Waiting<I>> {
        if !self.is_served(slot, incarnation) {
            return None;
        }
        let job = self.slots[slot].lease.take()?;
        self.leased -= 1;
        Some(job)
    }

    /// An incarnation is gone: what it had comes out. It may have been woken and have gone before it looked, so another is.
    pub(super) fn gone(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
    ) -> (Option<Waiting<I>>, Option<usize>) {
        let job = self.settle(slot, incarnation);
        if !self.is_served(slot, incarnation) {
            return (None, None);
        }
        self.slots[slot].is_taken = false;
        self.stir(slot);
        (job, self.rouse_for_what_waits())
    }

    /// Returns `true` if a slot has an incarnation.
    pub(super) fn is_present(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.is_taken)
    }

    fn is_served(&self, slot: usize, incarnation: Incarnation) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.is_taken && slot.last == incarnation)
    }

    fn is_within_rate(&mut self, now: Time) -> bool {
        self.rate.as_mut().is_none_or(|rate| rate.is_ready(now))
    }

    /// Whether there is no use in waking anybody.
    const fn is_held_up(&self) -> bool {
        self.paused || self.held_up
    }

    /// A worker is not idle any more, if it was.
    fn stir(&mut self, slot: usize) -> Option<usize> {
        let idle = self.slots.get_mut(slot).filter(|slot| slot.idle)?;
        idle.idle = false;
        self.idle.retain(|idle| *idle != slot);
        Some(slot)
    }

    /// Wakes one for whom there is a job.
    fn rouse_for_what_waits(&mut self) -> Option<usize> {
        if self.is_held_up() || self.phase == Phase::Closed {
            return None;
        }
        let meant = |slot: &&usize| self.slots[**slot].open && self.backlog.has_for(**slot);
        let slot = *self.idle.iter().rev().find(meant)?;
        self.stir(slot)
    }
}

/// How it is run.
impl<I> Board<I> {
    /// Whether a slot is to have jobs. What only it may have goes to all when it is not. Whom to wake.
    pub(super) fn set_open(&mut self, slot: usize, open: bool) -> Vec<usize> {
        let Some(place) = self.slots.get_mut(slot) else { return Vec::new() };
        place.open = open;
        if open {
            // It may have looked before it was.
            return self.stir(slot).into_iter().collect();
        }
        let homeless = self.backlog.take_reserved(slot);
        let mut roused: Vec<usize> = homeless.into_iter().filter_map(|job| self.put(job)).collect();
        // It may have been woken for a job that it is not to have any more.
        roused.extend(self.rouse_for_what_waits());
        roused
    }

    pub(super) fn pause(&mut self, paused: bool) -> Vec<usize> {
        self.paused = paused;
        self.held_up &= paused;
        let idle = if paused { Vec::new() } else { std::mem::take(&mut self.idle) };
        for slot in &idle {
            self.slots[*slot].idle = false;
        }
        idle
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(super) fn set_rate(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }
}
