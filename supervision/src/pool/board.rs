//! The queue of a pool as a pure state machine: what waits, who works at what, and what comes next.
//!
//! There is no clock in it, no task and no lock: the time comes in, and whom to wake comes out. It knows nothing of jobs but where they
//! stand.
//!
//! # Rules
//!
//! 1. A job is in one place at a time: it waits, is delayed, or is leased to one worker.
//! 2. Who leases is known by slot and incarnation. What an old incarnation says of a lease changes nothing.
//! 3. A worker that finds nothing is idle, and is woken for the next job that it may have: so no job waits beside an idle worker.
//! 4. A job that comes back stands at the front of its own priority.
//! 5. What has expired is never leased.

use std::collections::BTreeMap;
use std::time::Duration;

use perennial_actors::Pid;

use super::lane::{Lane, Waiting};
use super::rate::Bucket;

/// Time since the pool was made.
pub(super) type Time = Duration;

/// What a worker has.
#[derive(Debug)]
struct Lease<I> {
    pid: Pid,
    job: Waiting<I>,
}

/// Where a worker stands.
#[derive(Debug)]
struct Slot<I> {
    /// What only it may have.
    own: Lane<I>,
    lease: Option<Lease<I>>,
    idle: bool,
    /// Whether it is to have anything at all.
    open: bool,
}

/// Whether jobs are taken in and handed out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
    /// This job, which has waited for so long.
    Job(I, Duration),
    /// Nothing, until it is woken.
    Nothing,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Board<I> {
    shared: Lane<I>,
    slots: Vec<Slot<I>>,
    /// By when they are due, and by number so that each has a place of its own.
    delayed: BTreeMap<(Time, u64), Waiting<I>>,
    next_number: u64,
    /// How many wait, delayed ones included.
    waiting: usize,
    leased: usize,
    idle: Vec<usize>,
    capacity: usize,
    paused: bool,
    phase: Phase,
    bucket: Option<Bucket>,
}

impl<I> Board<I> {
    pub(super) fn new(slots: usize, capacity: usize, bucket: Option<Bucket>) -> Self {
        let slot = || Slot { own: Lane::default(), lease: None, idle: false, open: true };
        Self {
            shared: Lane::default(),
            slots: std::iter::repeat_with(slot).take(slots).collect(),
            delayed: BTreeMap::new(),
            next_number: 0,
            waiting: 0,
            leased: 0,
            idle: Vec::new(),
            capacity,
            paused: false,
            phase: Phase::Open,
            bucket,
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) const fn leased(&self) -> usize {
        self.leased
    }

    /// Whether nothing waits and nothing is worked at.
    pub(super) const fn is_done(&self) -> bool {
        self.waiting == 0 && self.leased == 0
    }

    pub(super) const fn has_room(&self) -> bool {
        self.waiting < self.capacity
    }

    /// The open slot with the least before it, for those who choose one.
    pub(super) fn least_queued(&self) -> Option<usize> {
        let open = self.slots.iter().enumerate().filter(|(_, slot)| slot.open);
        open.min_by_key(|(_, slot)| slot.own.len() + usize::from(slot.lease.is_some()))
            .map(|(place, _)| place)
    }

    /// The open slot that a number leads to.
    pub(super) fn slot_of(&self, number: u64) -> Option<usize> {
        let open = self.slots.iter().filter(|slot| slot.open).count() as u64;
        let nth = number.checked_rem(open)? as usize;
        self.slots.iter().enumerate().filter(|(_, slot)| slot.open).nth(nth).map(|(place, _)| place)
    }

    /// Puts a job in, at the back or, if it comes back, at the front; whom to wake.
    pub(super) fn put(&mut self, job: Waiting<I>, front: bool) -> Option<usize> {
        self.waiting += 1;
        let slot = job.stand.slot.filter(|slot| self.slots.get(*slot).is_some_and(|slot| slot.open));
        match slot {
            Some(slot) => {
                self.slots[slot].own.push(job, front);
                self.rouse(slot)
            }
            None => {
                self.shared.push(job, front);
                self.rouse_any()
            }
        }
    }

    /// Keeps a job back until then.
    pub(super) fn delay(&mut self, job: Waiting<I>, until: Time) {
        self.waiting += 1;
        self.next_number += 1;
        self.delayed.insert((until, self.next_number), job);
    }

    /// Lets in what is due; whom to wake. Also those who wait for the rate.
    pub(super) fn tick(&mut self, now: Time) -> Vec<usize> {
        let mut roused = Vec::new();
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let job = entry.remove();
            self.waiting -= 1;
            roused.extend(self.put(job, false));
        }
        if self.bucket.as_mut().is_some_and(|bucket| bucket.is_ready(now))
            && self.waiting > self.delayed.len()
        {
            roused.extend(self.rouse_any());
        }
        roused
    }

    /// When to [`tick`](Self::tick), if nothing happens before.
    pub(super) fn next_deadline(&self, now: Time) -> Option<Time> {
        let due = self.delayed.keys().next().map(|(due, _)| *due);
        let waits = !self.paused && self.waiting > self.delayed.len();
        let rated = self.bucket.as_ref().filter(|_| waits).and_then(|bucket| bucket.ready_at(now));
        [due, rated].into_iter().flatten().min()
    }

    /// The next job for a worker, or it is idle; and whom to wake. What has expired is put into `expired` (rule 5).
    pub(super) fn lease(
        &mut self,
        slot: usize,
        pid: Pid,
        now: Time,
        expired: &mut Vec<I>,
    ) -> (Next<I>, Option<usize>)
    where
        I: Clone,
    {
        while self.may_hand_out(slot, now) {
            let Some(job) = self.take(slot) else { break };
            self.waiting -= 1;
            if job.stand.expires.is_some_and(|expires| expires <= now) {
                expired.push(job.item);
                continue;
            }
            if let Some(bucket) = &mut self.bucket {
                bucket.spend(now);
            }
            let (item, waited) = (job.item.clone(), now.saturating_sub(job.since));
            self.slots[slot].lease = Some(Lease { pid, job });
            self.leased += 1;
            // Those who wait for the rate are woken one by the other.
            let roused = if self.is_rated() { self.rouse_any() } else { None };
            return (Next::Job(item, waited), roused);
        }
        self.rest(slot);
        (Next::Nothing, None)
    }

    fn may_hand_out(&mut self, slot: usize, now: Time) -> bool {
        let ready = self.bucket.as_mut().is_none_or(|bucket| bucket.is_ready(now));
        let open = self.slots.get(slot).is_some_and(|slot| slot.open && slot.lease.is_none());
        ready && open && !self.paused && self.phase != Phase::Closed
    }

    /// Of its own jobs and of those for all, the more urgent; its own first if both are.
    fn take(&mut self, slot: usize) -> Option<Waiting<I>> {
        let own = &mut self.slots[slot].own;
        if own.first() >= self.shared.first() && own.first().is_some() {
            own.pop()
        } else {
            self.shared.pop()
        }
    }

    fn rest(&mut self, slot: usize) {
        if let Some(resting) = self.slots.get_mut(slot).filter(|slot| !slot.idle) {
            resting.idle = true;
            self.idle.push(slot);
        }
    }

    fn rouse(&mut self, slot: usize) -> Option<usize> {
        let idle = self.slots.get_mut(slot).filter(|slot| slot.idle)?;
        idle.idle = false;
        self.idle.retain(|idle| *idle != slot);
        Some(slot)
    }

    fn rouse_any(&mut self) -> Option<usize> {
        while let Some(slot) = self.idle.pop() {
            self.slots[slot].idle = false;
            if self.slots[slot].open {
                return Some(slot);
            }
        }
        None
    }

    /// Everybody who is idle, to look again.
    pub(super) fn rouse_all(&mut self) -> Vec<usize> {
        let roused = std::mem::take(&mut self.idle);
        for slot in &roused {
            self.slots[*slot].idle = false;
        }
        roused
    }

    /// A lease is over, if it is still that incarnation's (rule 2).
    pub(super) fn settle(&mut self, slot: usize, pid: Pid) -> Option<Waiting<I>> {
        let lease = self.slots.get_mut(slot)?.lease.take_if(|lease| lease.pid == pid)?;
        self.leased -= 1;
        Some(lease.job)
    }

    /// An incarnation is gone: it is not idle any more, and what it had comes out. It may have been woken and have gone before it
    /// looked, so another is.
    pub(super) fn gone(&mut self, slot: usize, pid: Pid) -> (Option<Waiting<I>>, Option<usize>) {
        let _ = self.rouse(slot);
        let roused = if self.waiting > self.delayed.len() { self.rouse_any() } else { None };
        (self.settle(slot, pid), roused)
    }

    /// Whether jobs that wait may have to wait for the rate.
    pub(super) const fn is_rated(&self) -> bool {
        self.bucket.is_some() && self.waiting > 0
    }

    /// Whether a slot is to have jobs. What only it may have goes to all when it is not.
    pub(super) fn set_open(&mut self, slot: usize, open: bool) -> Vec<usize> {
        let Some(place) = self.slots.get_mut(slot) else { return Vec::new() };
        place.open = open;
        let homeless: Vec<_> = if open { Vec::new() } else { place.own.drain().collect() };
        self.waiting -= homeless.len();
        homeless.into_iter().filter_map(|job| self.put(job, false)).collect()
    }

    pub(super) fn pause(&mut self, paused: bool) -> Vec<usize> {
        self.paused = paused;
        if paused { Vec::new() } else { self.rouse_all() }
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(super) fn set_bucket(&mut self, bucket: Bucket) {
        self.bucket = Some(bucket);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Takes out everything that waits.
    pub(super) fn clear(&mut self) -> Vec<I> {
        let mut all: Vec<Waiting<I>> = self.shared.drain().collect();
        for slot in &mut self.slots {
            all.extend(slot.own.drain());
        }
        all.extend(std::mem::take(&mut self.delayed).into_values());
        self.waiting = 0;
        all.into_iter().map(|job| job.item).collect()
    }

    /// Takes one job out that waits.
    pub(super) fn withdraw(&mut self, is_meant: impl Fn(&I) -> bool) -> Option<I> {
        let mut lanes =
            std::iter::once(&mut self.shared).chain(self.slots.iter_mut().map(|slot| &mut slot.own));
        let queued = lanes.find_map(|lane| lane.withdraw(&is_meant));
        let delayed = || {
            let key = *self.delayed.iter().find(|(_, job)| is_meant(&job.item))?.0;
            self.delayed.remove(&key)
        };
        let job = queued.or_else(delayed)?;
        self.waiting -= 1;
        Some(job.item)
    }

    /// Since when the first of all that wait for a worker has done so.
    pub(super) fn oldest(&self) -> Option<Time> {
        let lanes = std::iter::once(&self.shared).chain(self.slots.iter().map(|slot| &slot.own));
        lanes.filter_map(Lane::oldest).min()
    }
}
