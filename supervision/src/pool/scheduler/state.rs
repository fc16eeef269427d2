//! The state of the scheduler, and its transitions. The rules are those of the [module](super).

use std::collections::VecDeque;
use std::time::Duration;

use super::job_queues::JobQueues;
use super::key_rates::KeyRates;
use super::priority_queue::{QueueId, QueuedJob, Target};
use super::rate::Rate;
use super::slots::{Incarnation, Readiness, Slot, Slots};

/// The most expired jobs that are removed under one lock of the queue: other threads wait for it.
pub(crate) const EXPIRED_AT_ONCE: usize = 256;

/// Time since the pool was made.
pub(crate) type Time = Duration;

/// Which jobs are accepted and started. A phase is only followed by a later one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// Jobs are accepted and started.
    Open,
    /// Queued jobs are finished, and no job is accepted.
    Finishing,
    /// No job is accepted or started.
    Closed,
}

/// The result of a request for a job.
#[derive(Debug)]
pub(crate) enum Next<I> {
    /// The leased job, and since when it waited, if that is measured.
    Job(I, Option<Time>),
    /// No job: the worker is idle until it is woken.
    Nothing,
}

/// The queue of a pool.
#[derive(Debug)]
pub(crate) struct Scheduler<I> {
    pub(crate) queues: JobQueues<I>,
    pub(crate) slots: Slots<I>,
    pub(super) leased: usize,
    /// Jobs that were pinned to a worker that is no longer due. They are to be dropped.
    orphaned: Vec<I>,
    pub(crate) idle: Vec<usize>,
    pub(crate) capacity: usize,
    /// What keeps all jobs from being leased: a pause, and each hold (rule 12).
    pub(crate) stops: u32,
    pub(crate) phase: Phase,
    pub(crate) rate: Option<Rate>,
    /// `true` if a worker found a job that the rate did not allow to start.
    pub(crate) rate_limited: bool,
    /// `true` if workers are unready until a probe has succeeded.
    pub(crate) is_probed: bool,
    /// The rates of the kinds of jobs.
    pub(crate) key_rates: KeyRates,
}

impl<I> Scheduler<I> {
    pub(crate) fn new(slots: usize, capacity: usize) -> Self {
        Self {
            queues: JobQueues::new(slots),
            slots: Slots::new(slots),
            leased: 0,
            orphaned: Vec::new(),
            idle: Vec::new(),
            capacity,
            stops: 0,
            phase: Phase::Open,
            rate: None,
            rate_limited: false,
            is_probed: false,
            key_rates: KeyRates::default(),
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the number of queued jobs, delayed ones included.
    pub(crate) const fn waiting(&self) -> usize {
        self.queues.len()
    }

    /// Returns the number of jobs that an additional worker could start now.
    pub(crate) fn runnable(&self) -> usize {
        if self.is_blocked() { 0 } else { self.queues.startable() }
    }

    pub(crate) const fn leased(&self) -> usize {
        self.leased
    }

    /// Returns the leased jobs.
    pub(crate) fn leases(&self) -> impl Iterator<Item = &I> {
        self.slots.iter().filter_map(|slot| slot.lease.as_ref()).map(|job| &job.item)
    }

    /// Returns the number of idle workers that take jobs.
    pub(crate) fn idle(&self) -> usize {
        self.idle.iter().filter(|slot| self.slots.takes_jobs(**slot)).count()
    }

    /// Returns `true` if no job is queued or leased.
    pub(crate) const fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.leased == 0
    }

    /// Returns the free capacity of the queue.
    pub(crate) const fn room(&self) -> usize {
        self.capacity.saturating_sub(self.waiting())
    }

    /// Returns how many jobs may be added without waking a worker or exceeding the capacity: 0,
    /// unless all workers that could run them are busy.
    pub(crate) fn credit(&self) -> usize {
        let has_idle = || self.idle.iter().any(|slot| self.slots.takes_jobs(*slot));
        if self.phase == Phase::Open && !has_idle() { self.room() } else { 0 }
    }

    /// Returns `true` if the current time matters.
    pub(crate) fn is_timed(&self) -> bool {
        self.rate.is_some() || self.queues.is_timed()
    }

    /// Returns `true` if there is a job that this worker may run.
    pub(crate) fn has_job_for(&self, slot: usize) -> bool {
        self.queues.has_job_for(slot, || self.slots.is_alone(slot))
    }

    /// Returns since when the oldest job has waited for a worker.
    pub(crate) fn oldest(&self) -> Option<Time> {
        self.queues.oldest()
    }
}

/// Queued jobs.
impl<I> Scheduler<I> {
    /// Queues a job. Returns the worker to wake.
    pub(crate) fn enqueue(&mut self, job: QueuedJob<I>) -> Option<usize> {
        let Some(queue) = self.queue_for(job.placement.target) else {
            self.orphaned.push(job.item);
            return None;
        };
        self.queues.push(job, queue);
        match queue {
            _ if self.is_blocked() => None,
            QueueId::Keyed(slot) | QueueId::Routed(slot) if !self.slots.takes_jobs(slot) => None,
            QueueId::Keyed(slot) | QueueId::Routed(slot) => self.mark_busy(slot),
            QueueId::Shared | QueueId::Except(_) => self.wake_idle_worker(),
        }
    }

    /// Removes one of the jobs that were pinned to a worker that is no longer due.
    pub(crate) fn pop_orphaned(&mut self) -> Option<I> {
        self.orphaned.pop()
    }

    /// Returns the queue for a job with this target (rules 6 to 9), or `None` if it is pinned to a
    /// worker that is not due.
    fn queue_for(&self, target: Target) -> Option<QueueId> {
        Some(match target {
            Target::Pinned(slot) if self.slots.is_open(slot) => QueueId::Keyed(slot),
            Target::Pinned(_) => return None,
            Target::Slot(slot) if self.slots.takes_jobs(slot) => QueueId::Routed(slot),
            Target::Key(key) => self.slot_of_key(key).map_or(QueueId::Shared, QueueId::Keyed),
            Target::Except(slot) if slot < self.slots.len() => QueueId::Except(slot),
            Target::Any | Target::Slot(_) | Target::Except(_) => QueueId::Shared,
        })
    }

    /// Appends jobs that were covered by [credit](Self::credit), so no worker has to be woken. They
    /// are later than all queued jobs.
    pub(crate) fn append(&mut self, jobs: &mut VecDeque<QueuedJob<I>>) {
        self.queues.append(jobs);
    }

    /// Delays a job until this time.
    pub(crate) fn delay(&mut self, job: QueuedJob<I>, until: Time) {
        self.queues.delay(job, until);
    }

    /// Queues the delayed jobs that are due, moves expired jobs into `expired`, and ends the wait
    /// for the rate. Returns the workers to wake. If [`EXPIRED_AT_ONCE`] jobs were moved, more may
    /// have expired.
    pub(crate) fn tick(&mut self, now: Time, expired: &mut Vec<I>) -> Vec<usize> {
        expired.extend(std::iter::from_fn(|| self.queues.pop_expired(now)).take(EXPIRED_AT_ONCE));
        let mut to_wake = Vec::new();
        while let Some(job) = self.queues.pop_due(now) {
            // Its wait for a worker starts now.
            let since = job.since.map(|_| now);
            to_wake.extend(self.enqueue(QueuedJob { since, ..job }));
        }
        self.key_rates.remove_unused(now);
        let is_allowed = self.rate_limited && self.is_within_rate(now);
        self.rate_limited &= !is_allowed;
        if self.queues.kinds.release(now) | is_allowed {
            to_wake.extend(self.wake_idle_worker());
        }
        to_wake
    }

    /// Returns when to [`tick`](Self::tick), if nothing happens before.
    pub(crate) fn next_deadline(&mut self, now: Time) -> Option<Time> {
        let rate = self.rate.as_mut().filter(|_| self.rate_limited && self.stops == 0);
        let allowed = rate.map(|rate| rate.ready_at(now).unwrap_or(now));
        let released = self.queues.kinds.next_release().filter(|_| self.stops == 0);
        [self.queues.next_deadline(), allowed, released].into_iter().flatten().min()
    }

    /// Removes all queued jobs.
    pub(crate) fn clear(&mut self) -> Vec<I> {
        self.queues.clear()
    }

    /// Removes one queued job.
    pub(crate) fn cancel(&mut self, number: u64) -> Option<I> {
        self.queues.cancel(number)
    }
}

/// Workers.
impl<I> Scheduler<I> {
    /// Records that the init of an incarnation runs.
    pub(crate) fn init_began(&mut self, slot: usize, incarnation: Incarnation) {
        self.slots.change(slot, |place| place.starting = Some(incarnation));
    }

    /// Records that the init of an incarnation is over, whatever its outcome.
    pub(crate) fn init_ended(&mut self, slot: usize, incarnation: Incarnation) {
        self.slots.change(slot, |place| place.end_init(incarnation));
    }

    /// Registers an incarnation, unless a later one was registered before.
    pub(crate) fn worker_started(&mut self, slot: usize, incarnation: Incarnation) {
        let is_probed = self.is_probed;
        self.slots.change(slot, |place| {
            if place.last < incarnation {
                (place.last, place.is_occupied, place.declined) = (incarnation, true, false);
                if place.readiness.incarnation() != incarnation {
                    place.readiness = Readiness::new(incarnation, is_probed);
                }
            }
        });
    }

    /// Registers that an incarnation declined to start, unless a later one is known. Its worker is
    /// then no longer due. Returns the workers to wake.
    pub(crate) fn decline(&mut self, slot: usize, incarnation: Incarnation) -> Vec<usize> {
        let mut is_news = false;
        self.slots.change(slot, |place| {
            is_news = place.last < incarnation;
            if is_news {
                (place.last, place.declined) = (incarnation, true);
                place.end_renewal();
            }
        });
        if is_news { self.set_open(slot, false) } else { Vec::new() }
    }

    /// Leases the next job to a worker, or marks it idle. Returns that and the worker to wake.
    /// Expired jobs are moved into `expired` (rule 5). `now` matters only if the scheduler [is
    /// timed](Self::is_timed).
    pub(crate) fn lease(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
        now: Time,
        expired: &mut Vec<I>,
    ) -> (Next<I>, Option<usize>)
    where
        I: Clone,
    {
        if !self.is_current(slot, incarnation) {
            return (Next::Nothing, None);
        }
        self.mark_busy(slot);
        if self.has_held_kind() {
            self.queues.kinds.release(now);
        }
        while self.may_have_one(slot) {
            if !self.is_within_rate(now) {
                self.rate_limited = true;
                break;
            }
            if self.hold_first_if_exhausted(slot, now) {
                continue;
            }
            let Some((job, queue)) = self.queues.pop(slot, self.slots.is_alone(slot)) else { break };
            if job.placement.expires.is_some_and(|expires| expires <= now) {
                expired.push(job.item);
                continue;
            }
            let (item, since, key) = (job.item.clone(), job.since, job.placement.rate_key);
            self.slots.set_lease(slot, job);
            self.leased += 1;
            self.record_start(key, now);
            return (Next::Job(item, since), self.pass_wakeup(queue != QueueId::Shared));
        }
        let to_wake = self.pass_wakeup(false);
        self.slots.set_idle(slot, true);
        self.idle.push(slot);
        (Next::Nothing, to_wake)
    }

    /// Passes a wakeup on after a worker has looked for a job. The worker may have taken another
    /// job than the shared one that it was woken for. Workers that wait for the rate wake each
    /// other, whatever each finds. And where some jobs are not for every worker, a worker may leave
    /// a job that only others may run. Returns the worker to wake.
    fn pass_wakeup(&mut self, took_another: bool) -> Option<usize> {
        let may_be_left = took_another || self.rate.is_some() || self.queues.has_restricted();
        if may_be_left { self.wake_idle_worker() } else { None }
    }

    fn may_have_one(&self, slot: usize) -> bool {
        let is_free = self.slots.get(slot).is_some_and(|place| place.takes_jobs() && place.lease.is_none());
        is_free && self.stops == 0 && self.phase != Phase::Closed && self.has_job_for(slot)
    }

    /// Ends the lease of this incarnation and returns its job, if it still has one (rule 2).
    #[inline]
    pub(crate) fn release_lease(&mut self, slot: usize, incarnation: Incarnation) -> Option<QueuedJob<I>> {
        if !self.is_current(slot, incarnation) {
            return None;
        }
        let job = self.slots.take_lease(slot)?;
        self.leased -= 1;
        Some(job)
    }

    /// Handles the end of an incarnation: its leased job is returned, and the jobs that were routed
    /// to it go to all workers. It may have been woken and ended before it looked for the job, so
    /// another worker is woken; and the last running worker may now run the jobs that it failed.
    /// Returns the job and the workers to wake.
    pub(crate) fn worker_exited(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
    ) -> (Option<QueuedJob<I>>, Vec<usize>) {
        let job = self.release_lease(slot, incarnation);
        if !self.is_current(slot, incarnation) {
            return (None, Vec::new());
        }
        self.slots.change(slot, Slot::end_incarnation);
        self.mark_busy(slot);
        let to_requeue = self.queues.take(QueueId::Routed(slot));
        (job, self.requeue(to_requeue))
    }

    /// Queues jobs again whose worker no longer takes them. Returns the workers to wake: those for
    /// these jobs and one more.
    pub(crate) fn requeue(&mut self, to_requeue: Vec<QueuedJob<I>>) -> Vec<usize> {
        let mut to_wake: Vec<usize> = to_requeue.into_iter().filter_map(|job| self.enqueue(job)).collect();
        to_wake.extend(self.wake_idle_worker());
        to_wake
    }

    /// Returns `true` if an incarnation is registered in the slot.
    pub(crate) fn is_present(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.is_occupied)
    }

    fn is_current(&self, slot: usize, incarnation: Incarnation) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.is_occupied && slot.last == incarnation)
    }

    /// Returns `true` if waking a worker has no effect.
    const fn is_blocked(&self) -> bool {
        self.stops > 0 || self.rate_limited
    }

    /// Removes a worker from the idle list. Returns its slot if it was idle.
    pub(crate) fn mark_busy(&mut self, slot: usize) -> Option<usize> {
        if !self.slots.set_idle(slot, false) {
            return None;
        }
        // The worker is nearly always the one that became idle last.
        if let Some(place) = self.idle.iter().rposition(|idle| *idle == slot) {
            self.idle.remove(place);
        }
        Some(slot)
    }

    /// Marks an idle worker busy for which there is a job, and returns it: the worker to wake.
    pub(super) fn wake_idle_worker(&mut self) -> Option<usize> {
        if self.is_blocked() || self.phase == Phase::Closed {
            return None;
        }
        let has_job = |slot: &&usize| self.slots.takes_jobs(**slot) && self.has_job_for(**slot);
        let slot = *self.idle.iter().rev().find(has_job)?;
        self.mark_busy(slot)
    }
}
