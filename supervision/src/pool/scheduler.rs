//! The queue of a pool as a pure state machine: what waits, who works at what, and what comes next.
//!
//! There is no clock in it, no task and no lock: the time comes in, and the workers to wake come out. Of a job it knows its place only.
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
//! 6. A worker *runs* from its arrival until it is gone, unless its slot is closed. Jobs are routed
//!    to workers that run. If none does, or the chosen one does so no more, any worker may have the
//!    job.
//! 7. A worker is *due* while its slot is open. A job with a key waits for the worker that the key
//!    leads to while that is due, and is led to another when it is not.
//! 8. A job that a worker failed is for the other workers, as long as one of them runs. A job with
//!    a key stays with its worker.
//! 9. A job that is pinned to a worker waits for it while that is due, and comes out when it is not.

use std::collections::VecDeque;
use std::time::Duration;

use super::job_queues::{JobQueues, LaneId};
use super::priority_queue::{QueuedJob, Target};
use super::rate::Rate;
use super::slots::{Incarnation, Slots};

/// The number of expired jobs that come out before the queue is unlocked: others wait for its lock.
pub(super) const EXPIRED_AT_ONCE: usize = 256;

/// Time since the pool was made.
pub(super) type Time = Duration;

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
pub(super) struct Scheduler<I> {
    pub(super) backlog: JobQueues<I>,
    pub(super) slots: Slots<I>,
    leased: usize,
    /// The jobs that were pinned to a worker that is not due any more, to be dropped.
    orphaned: Vec<I>,
    pub(super) idle: Vec<usize>,
    pub(super) capacity: usize,
    pub(super) paused: bool,
    pub(super) phase: Phase,
    pub(super) rate: Option<Rate>,
    /// A worker found a job that the rate did not allow it to begin.
    pub(super) rate_limited: bool,
}

impl<I> Scheduler<I> {
    pub(super) fn new(slots: usize, capacity: usize) -> Self {
        Self {
            backlog: JobQueues::new(slots),
            slots: Slots::new(slots),
            leased: 0,
            orphaned: Vec::new(),
            idle: Vec::new(),
            capacity,
            paused: false,
            phase: Phase::Open,
            rate: None,
            rate_limited: false,
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
    pub(super) fn runnable(&self) -> usize {
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
        self.idle.iter().filter(|slot| self.slots.is_open(**slot)).count()
    }

    /// Whether nothing waits and nothing is worked at.
    pub(super) const fn is_done(&self) -> bool {
        self.waiting() == 0 && self.leased == 0
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

    /// Whether there is a job that this worker may have.
    pub(super) fn has_for(&self, slot: usize) -> bool {
        self.backlog.has_for(slot, self.slots.is_alone(slot))
    }

    /// Since when the first of all that wait for a worker has done so.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.backlog.oldest()
    }
}

/// What waits.
impl<I> Scheduler<I> {
    /// Puts a job in; whom to wake.
    pub(super) fn put(&mut self, job: QueuedJob<I>) -> Option<usize> {
        let Some(lane) = self.lane_of(job.stand.target) else {
            self.orphaned.push(job.item);
            return None;
        };
        self.backlog.push(job, lane);
        match lane {
            _ if self.is_held_up() => None,
            LaneId::Keyed(slot) | LaneId::Routed(slot) => self.mark_busy(slot),
            LaneId::Shared | LaneId::Except(_) => self.wake_idle_worker(),
        }
    }

    /// Takes out the jobs that were pinned to a worker that is not due any more.
    pub(super) fn take_orphaned(&mut self) -> Vec<I> {
        std::mem::take(&mut self.orphaned)
    }

    /// Returns where a job waits that is for these workers (rules 6 to 9), or `None` if none of them is
    /// due.
    fn lane_of(&self, target: Target) -> Option<LaneId> {
        Some(match target {
            Target::Pinned(slot) if self.slots.is_open(slot) => LaneId::Keyed(slot),
            Target::Pinned(_) => return None,
            Target::Slot(slot) if self.slots.runs(slot) => LaneId::Routed(slot),
            Target::Key(key) => self.slot_of_key(key).map_or(LaneId::Shared, LaneId::Keyed),
            Target::Except(slot) if slot < self.slots.len() => LaneId::Except(slot),
            Target::Any | Target::Slot(_) | Target::Except(_) => LaneId::Shared,
        })
    }

    /// Puts in jobs for whom nobody has to be woken, as there was [credit](Self::credit) for them. They are later than all that wait.
    pub(super) fn append(&mut self, jobs: &mut VecDeque<QueuedJob<I>>) {
        self.backlog.append(jobs);
    }

    /// Keeps a job back until then.
    pub(super) fn delay(&mut self, job: QueuedJob<I>, until: Time) {
        self.backlog.delay(job, until);
    }

    /// Lets in what is due, puts some of what has expired into `expired`, and ends the wait for the rate. Returns the workers to
    /// wake. If that was [as much as at once](EXPIRED_AT_ONCE), there may be more.
    pub(super) fn tick(&mut self, now: Time, expired: &mut Vec<I>) -> Vec<usize> {
        expired.extend(std::iter::from_fn(|| self.backlog.pop_expired(now)).take(EXPIRED_AT_ONCE));
        let mut roused = Vec::new();
        while let Some(job) = self.backlog.pop_due(now) {
            // It waits for a worker from now on.
            let since = job.since.map(|_| now);
            roused.extend(self.put(QueuedJob { since, ..job }));
        }
        if self.rate_limited && self.is_within_rate(now) {
            self.rate_limited = false;
            roused.extend(self.wake_idle_worker());
        }
        roused
    }

    /// When to [`tick`](Self::tick), if nothing happens before.
    pub(super) fn next_deadline(&mut self, now: Time) -> Option<Time> {
        let rate = self.rate.as_mut().filter(|_| self.rate_limited && !self.paused);
        let allowed = rate.map(|rate| rate.ready_at(now).unwrap_or(now));
        [self.backlog.next_deadline(), allowed].into_iter().flatten().min()
    }

    /// Takes out everything that waits.
    pub(super) fn clear(&mut self) -> Vec<I> {
        self.backlog.clear()
    }

    /// Takes one job out that waits.
    pub(super) fn cancel(&mut self, number: u64) -> Option<I> {
        self.backlog.cancel(number)
    }
}

/// Who works.
impl<I> Scheduler<I> {
    /// An incarnation has come, unless a later one has, be it gone or not.
    pub(super) fn worker_started(&mut self, slot: usize, incarnation: Incarnation) {
        self.slots.change(slot, |place| {
            if place.last < incarnation {
                (place.last, place.is_taken, place.declined) = (incarnation, true, false);
            }
        });
    }

    /// An incarnation has declined to start, so its worker is not due any more, unless a later one
    /// has come. Returns the workers to wake.
    pub(super) fn decline(&mut self, slot: usize, incarnation: Incarnation) -> Vec<usize> {
        let mut is_news = false;
        self.slots.change(slot, |place| {
            is_news = place.last < incarnation;
            if is_news {
                (place.last, place.declined) = (incarnation, true);
            }
        });
        if is_news { self.set_open(slot, false) } else { Vec::new() }
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
        self.mark_busy(slot);
        while self.may_have_one(slot) {
            if !self.is_within_rate(now) {
                self.rate_limited = true;
                break;
            }
            let Some((job, lane)) = self.backlog.pop(slot, self.slots.is_alone(slot)) else { break };
            if job.stand.expires.is_some_and(|expires| expires <= now) {
                expired.push(job.item);
                continue;
            }
            let (item, since) = (job.item.clone(), job.since);
            self.slots.change(slot, |place| place.lease = Some(job));
            self.leased += 1;
            self.record_start(now);
            return (Next::Job(item, since), self.pass_wakeup(lane != LaneId::Shared));
        }
        let roused = self.pass_wakeup(false);
        self.slots.change(slot, |place| place.idle = true);
        self.idle.push(slot);
        (Next::Nothing, roused)
    }

    /// A worker has looked, and may have taken another job than the one for all that it was woken
    /// for; and workers that wait for the rate are woken one by the other, whatever each finds. Where
    /// some jobs are not for every worker, one that takes a job may leave another that only others
    /// may have. Returns the worker to wake in its place.
    fn pass_wakeup(&mut self, took_another: bool) -> Option<usize> {
        let may_be_left = took_another || self.rate.is_some() || self.backlog.has_excepted();
        if may_be_left { self.wake_idle_worker() } else { None }
    }

    fn may_have_one(&self, slot: usize) -> bool {
        let is_free = self.slots.get(slot).is_some_and(|place| place.open && place.lease.is_none());
        is_free && !self.paused && self.phase != Phase::Closed && self.has_for(slot)
    }

    /// A job has begun.
    fn record_start(&mut self, now: Time) {
        if let Some(rate) = &mut self.rate {
            rate.record_start(now);
            self.rate_limited = false;
        }
    }

    /// A lease is over, if it is still that incarnation's (rule 2).
    pub(super) fn settle(&mut self, slot: usize, incarnation: Incarnation) -> Option<QueuedJob<I>> {
        if !self.is_served(slot, incarnation) {
            return None;
        }
        let job = self.slots.change(slot, |place| place.lease.take())??;
        self.leased -= 1;
        Some(job)
    }

    /// An incarnation is gone: what it had comes out, and what was routed to it goes to all. It may
    /// have been woken and have gone before it looked, so another is; and the last that runs may
    /// have what it failed. Returns its job and the workers to wake.
    pub(super) fn worker_exited(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
    ) -> (Option<QueuedJob<I>>, Vec<usize>) {
        let job = self.settle(slot, incarnation);
        if !self.is_served(slot, incarnation) {
            return (None, Vec::new());
        }
        self.slots.change(slot, |place| place.is_taken = false);
        self.mark_busy(slot);
        let homeless = self.backlog.take_routed(slot);
        (job, self.put_again(homeless))
    }

    /// Puts jobs in whose worker is not there for them any more. Returns the workers to wake, one
    /// more than for these.
    pub(super) fn put_again(&mut self, homeless: Vec<QueuedJob<I>>) -> Vec<usize> {
        let mut roused: Vec<usize> = homeless.into_iter().filter_map(|job| self.put(job)).collect();
        roused.extend(self.wake_idle_worker());
        roused
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
        self.paused || self.rate_limited
    }

    /// A worker is not idle any more, if it was.
    pub(super) fn mark_busy(&mut self, slot: usize) -> Option<usize> {
        let was_idle = self.slots.change(slot, |place| std::mem::take(&mut place.idle))?;
        if !was_idle {
            return None;
        }
        // Nearly always the last that became idle.
        if let Some(place) = self.idle.iter().rposition(|idle| *idle == slot) {
            self.idle.remove(place);
        }
        Some(slot)
    }

    /// Wakes one for whom there is a job.
    fn wake_idle_worker(&mut self) -> Option<usize> {
        if self.is_held_up() || self.phase == Phase::Closed {
            return None;
        }
        let meant = |slot: &&usize| self.slots.is_open(**slot) && self.has_for(**slot);
        let slot = *self.idle.iter().rev().find(meant)?;
        self.mark_busy(slot)
    }
}
