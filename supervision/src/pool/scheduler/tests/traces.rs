//! The scheduler under random operations, compared with the [model](super::model).

use proptest::prelude::*;

use super::model::{Job, KindState, Model, Place, WorkerSlot, ms, setting};
use super::ops::{Op, SLOTS, op};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::rate_limit::RateLimit;
use crate::pool::scheduler::{Next, RateKey, ReadinessSource, Scheduler};

/// Returns the rate key of a kind.
fn key_of(kind: usize) -> RateKey {
    RateKey::MIN.saturating_add(kind as u64)
}

/// The scheduler and the model, side by side.
struct Comparison {
    scheduler: Scheduler<u64>,
    model: Model,
}

impl Comparison {
    fn new(rate: Option<(u32, u64)>) -> Self {
        let mut scheduler = Scheduler::new(SLOTS, usize::MAX);
        (0..SLOTS).for_each(|slot| scheduler.worker_started(slot, 1));
        if let Some((jobs, period)) = rate {
            scheduler.set_rate(Some(RateLimit::window(jobs, ms(period))));
        }
        Self { scheduler, model: Model::new(SLOTS, rate) }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Submit { priority, target, expires_in, delay, kind } => {
                self.submit(priority, target, expires_in, delay, kind);
            }
            Op::LimitKind(kind, limit) => {
                self.model.kinds[kind] = KindState { limit, begun: Vec::new() };
                let woken = self.scheduler.set_rate_for(key_of(kind), limit.map(setting));
                self.wake(woken);
            }
            Op::Lease(slot) => {
                let woken = (0..SLOTS).map(|n| (n + slot) % SLOTS).find(|slot| self.may_lease(*slot));
                self.lease(woken.unwrap_or(slot));
            }
            Op::Done(slot) => drop(self.release_lease(slot)),
            Op::Exchange(slot) => self.exchange(slot),
            Op::Fail(slot, delay) => {
                if let Some(job) = self.release_lease(slot) {
                    self.retry(slot, job, delay);
                }
            }
            Op::Crash(slot) => self.crash(slot),
            Op::Start(slot) => self.start_worker(slot),
            Op::OldIncarnation(slot) => self.act_as_old_incarnation(slot),
            Op::Open(slot, open) => self.open(slot, open),
            Op::Ready(slot, ready) => self.set_ready(slot, ready),
            Op::Decline(slot) => self.decline(slot),
            Op::Pause(paused) => {
                self.model.paused = paused;
                let woken = self.scheduler.pause(paused);
                self.wake(woken);
            }
            Op::Cancel(number) => self.cancel(number),
            Op::Clear => self.clear(),
            Op::Advance(time) => {
                self.model.now += time;
                self.tick();
            }
            Op::FinishAll => self.finish_all(),
        }
        while let Some(number) = self.scheduler.pop_orphaned() {
            let job = *self.model.job(number);
            assert!(matches!(job.target, Target::Pinned(slot) if !self.model.slots[slot].open), "{job:?}");
            assert_eq!(job.place, Place::Out);
        }
        self.compare();
    }

    fn submit(
        &mut self,
        priority: u8,
        target: Target,
        expires_in: Option<u64>,
        delay: Option<u64>,
        kind: Option<usize>,
    ) {
        let (number, now) = (self.model.jobs.len() as u64, self.model.now);
        let expires = expires_in.map(|time| now + time);
        let (only, except) = (None, None);
        let job = Job { number, priority, target, only, except, expires, kind, place: Place::Out };
        self.model.jobs.push(job);
        let (expires, rate_key) = (expires.map(ms), kind.map(key_of));
        let placement = Placement { priority, target, expires, rate_key };
        self.return_job(QueuedJob { item: number, number, placement, since: Some(ms(now)) }, delay);
    }

    /// Another worker retries the job, unless it has a key or is pinned.
    fn retry(&mut self, slot: usize, mut job: QueuedJob<u64>, delay: Option<u64>) {
        if !matches!(job.placement.target, Target::Key(_) | Target::Pinned(_)) {
            job.placement.target = Target::Except(slot);
        }
        self.model.job(job.number).target = job.placement.target;
        self.return_job(job, delay);
    }

    fn return_job(&mut self, job: QueuedJob<u64>, delay: Option<u64>) {
        let due = delay.map(|delay| self.model.now + delay);
        match due {
            Some(due) => {
                self.model.job(job.number).place = Place::Delayed(due);
                self.scheduler.delay(job, ms(due));
            }
            None => {
                self.model.place(job.number);
                let woken = self.scheduler.enqueue(job);
                self.wake(woken);
            }
        }
    }

    fn wake(&mut self, woken: impl IntoIterator<Item = usize>) {
        for slot in woken {
            let slot_state = &mut self.model.slots[slot];
            assert!(!slot_state.woken, "the worker in {slot} is woken twice");
            assert!(self.model.lease_of(slot).is_none(), "the worker in {slot} is busy");
            self.model.slots[slot].woken = true;
        }
    }

    fn may_lease(&self, slot: usize) -> bool {
        let slot_state = self.model.slots[slot];
        slot_state.present && slot_state.woken && self.model.lease_of(slot).is_none()
    }

    fn lease(&mut self, slot: usize) {
        let slot_state = self.model.slots[slot];
        if !slot_state.present || self.model.lease_of(slot).is_some() {
            return;
        }
        self.model.slots[slot].woken = false;
        let mut expired = Vec::new();
        let (next, woken) = match self.scheduler.lease_plain(slot, slot_state.incarnation) {
            Some((number, since)) => (Next::Job(number, since), None),
            None => self.scheduler.lease(slot, slot_state.incarnation, ms(self.model.now), &mut expired),
        };
        self.expire(&expired);
        let expected = self.model.best_for(slot).filter(|_| self.model.is_within_rate());
        match next {
            Next::Job(number, _) => {
                assert_eq!(Some(number), expected, "the worker in {slot} has another");
                let now = self.model.now;
                self.model.job(number).place = Place::Leased(slot);
                if let Some(kind) = self.model.job(number).kind {
                    assert!(self.model.kinds[kind].allows_start(now), "kind {kind} starts too early");
                    self.model.kinds[kind].begun.push(now);
                }
                self.model.begun.push(now);
            }
            Next::Nothing => assert_eq!(None, expected, "the worker in {slot} has nothing"),
        }
        self.wake(woken);
    }

    fn exchange(&mut self, slot: usize) {
        let (leased, incarnation) = (self.model.lease_of(slot), self.model.slots[slot].incarnation);
        let exchanged = self.scheduler.exchange_plain(slot, incarnation, |job| Some(*job) == leased);
        let Some((done, (next, _))) = exchanged else { return };
        self.model.job(done).place = Place::Out;
        assert_eq!(Some(next), self.model.best_for(slot).filter(|_| self.model.is_within_rate()));
        let now = self.model.now;
        self.model.job(next).place = Place::Leased(slot);
        self.model.begun.push(now);
    }

    fn expire(&mut self, expired: &[u64]) {
        for number in expired {
            let now = self.model.now;
            let job = self.model.job(*number);
            assert!(job.expires.is_some_and(|at| at <= now), "{job:?} has not expired");
            assert!(matches!(job.place, Place::Waiting | Place::Delayed(_)), "{job:?} does not wait");
            job.place = Place::Out;
        }
    }

    fn release_lease(&mut self, slot: usize) -> Option<QueuedJob<u64>> {
        let leased = self.model.lease_of(slot);
        let settled = self.scheduler.release_lease(slot, self.model.slots[slot].incarnation);
        assert_eq!(settled.as_ref().map(|job| job.item), leased);
        let job = settled?;
        self.model.job(job.number).place = Place::Out;
        self.model.slots[slot].woken = true;
        Some(job)
    }

    fn crash(&mut self, slot: usize) {
        let slot_state = self.model.slots[slot];
        if !slot_state.present {
            return;
        }
        let leased = self.model.lease_of(slot);
        self.model.slots[slot].present = false;
        self.model.slots[slot].woken = false;
        self.model.requeue(slot, false);
        let (job, woken) = self.scheduler.worker_exited(slot, slot_state.incarnation);
        assert_eq!(job.as_ref().map(|job| job.item), leased);
        self.wake(woken);
        if let Some(job) = job {
            self.model.job(job.number).place = Place::Out;
            self.retry(slot, job, None);
        }
    }

    fn start_worker(&mut self, slot: usize) {
        let slot_state = &mut self.model.slots[slot];
        if !slot_state.present {
            slot_state.incarnation += 1;
            (slot_state.present, slot_state.ready, slot_state.woken) = (true, true, true);
            self.scheduler.worker_started(slot, slot_state.incarnation);
        }
    }

    /// The calls of an ended incarnation have no effect.
    fn act_as_old_incarnation(&mut self, slot: usize) {
        let slot_state = self.model.slots[slot];
        let old = slot_state.incarnation - u32::from(slot_state.present);
        self.scheduler.worker_started(slot, old);
        let (next, woken) = self.scheduler.lease(slot, old, ms(self.model.now), &mut Vec::new());
        assert!(matches!(next, Next::Nothing) && woken.is_none());
        assert!(self.scheduler.release_lease(slot, old).is_none());
        let (job, woken) = self.scheduler.worker_exited(slot, old);
        assert!(job.is_none() && woken.is_empty());
        assert_eq!(self.scheduler.decline(slot, old), []);
        assert_eq!(self.scheduler.set_ready(slot, old, ReadinessSource::Worker, false), []);
    }

    fn set_ready(&mut self, slot: usize, ready: bool) {
        let slot_state = &mut self.model.slots[slot];
        if !slot_state.present {
            return;
        }
        slot_state.ready = ready;
        let incarnation = slot_state.incarnation;
        if !ready {
            self.model.requeue(slot, false);
        }
        let woken = self.scheduler.set_ready(slot, incarnation, ReadinessSource::Worker, ready);
        self.wake(woken);
        assert_eq!(self.scheduler.is_ready(slot), self.model.takes_jobs(slot));
    }

    fn open(&mut self, slot: usize, open: bool) {
        self.model.slots[slot].open = open;
        if !open {
            self.model.requeue(slot, true);
        }
        let woken = self.scheduler.set_open(slot, open);
        self.wake(woken);
    }

    fn decline(&mut self, slot: usize) {
        let slot_state = &mut self.model.slots[slot];
        if slot_state.present {
            return;
        }
        slot_state.incarnation += 1;
        slot_state.open = false;
        let incarnation = slot_state.incarnation;
        self.model.requeue(slot, true);
        let woken = self.scheduler.decline(slot, incarnation);
        self.wake(woken);
    }

    fn cancel(&mut self, number: u64) {
        let job = self.model.jobs.iter_mut().find(|job| job.number == number);
        let job = job.filter(|job| matches!(job.place, Place::Waiting | Place::Delayed(_)));
        assert_eq!(self.scheduler.cancel(number), job.as_ref().map(|job| job.number));
        if let Some(job) = job {
            job.place = Place::Out;
        }
    }

    fn clear(&mut self) {
        let is_queued = |job: &&mut Job| matches!(job.place, Place::Waiting | Place::Delayed(_));
        let mut expected = Vec::new();
        for job in self.model.jobs.iter_mut().filter(is_queued) {
            job.place = Place::Out;
            expected.push(job.number);
        }
        let mut cleared = self.scheduler.clear();
        cleared.sort_unstable();
        assert_eq!(cleared, expected);
    }

    fn tick(&mut self) {
        let (now, mut expired) = (self.model.now, Vec::new());
        let woken = self.scheduler.tick(ms(now), &mut expired);
        self.expire(&expired);
        let late = |job: &Job| {
            job.expires.is_some_and(|at| at <= now) && matches!(job.place, Place::Waiting | Place::Delayed(_))
        };
        assert!(!self.model.jobs.iter().any(late), "an expired job was not removed");
        let due = |job: &&Job| matches!(job.place, Place::Delayed(due) if due <= now);
        let due: Vec<u64> = self.model.jobs.iter().filter(due).map(|job| job.number).collect();
        due.into_iter().for_each(|number| self.model.place(number));
        self.wake(woken);
    }

    /// Lets every woken worker lease. After that no worker is idle beside a job that it may run,
    /// unless the rate forbids it; then there is a deadline.
    fn finish_all(&mut self) {
        self.tick();
        while let Some(slot) = (0..SLOTS).find(|slot| self.may_lease(*slot)) {
            self.lease(slot);
        }
        let free = |slot: &usize| self.model.slots[*slot].present && self.model.lease_of(*slot).is_none();
        let free: Vec<usize> = (0..SLOTS).filter(free).collect();
        for slot in free {
            let Some(best) = self.model.best_for(slot) else {
                self.check_deadline_of_kinds(slot);
                continue;
            };
            assert!(!self.model.is_within_rate(), "the worker in {slot} is idle beside {best}");
            let (now, (_, period)) = (self.model.now, self.model.rate.expect("there is one"));
            let next = self.scheduler.next_deadline(ms(now)).expect("there is a deadline");
            assert!(next <= ms(now + period), "the deadline is {next:?}");
        }
    }

    /// There is a deadline by when the first job for this worker may start that waits for its kind,
    /// and perhaps for the rate of all jobs too.
    fn check_deadline_of_kinds(&mut self, slot: usize) {
        let kinds: Vec<usize> = self.model.jobs_for(slot).filter_map(|job| job.kind).collect();
        let allows =
            |kind: usize, now| self.model.kinds[kind].allows_start(now) && self.model.rate_allows_start(now);
        let times = |kind: usize| (self.model.now..).find(|now| allows(kind, *now));
        let Some(first) = kinds.into_iter().filter_map(times).min() else { return };
        let next = self.scheduler.next_deadline(ms(self.model.now));
        assert!(next.is_some_and(|next| next <= ms(first)), "{next:?} is after {first}");
    }

    fn compare_slot(&self, slot: usize) {
        let WorkerSlot { present, incarnation, .. } = self.model.slots[slot];
        assert_eq!(self.scheduler.running_incarnation(slot), present.then_some(incarnation));
        assert_eq!(self.scheduler.has_lease(slot), self.model.lease_of(slot).is_some());
        let reserved = |job: &&Job| job.place == Place::Waiting && job.only == Some(slot);
        assert_eq!(self.scheduler.queues.reserved_for(slot), self.model.jobs.iter().filter(reserved).count());
    }

    fn compare(&mut self) {
        let is_queued = |place| matches!(place, Place::Waiting | Place::Delayed(_));
        assert_eq!(self.scheduler.waiting(), self.model.count(is_queued));
        assert_eq!(self.scheduler.queues.ready(), self.model.count(|place| place == Place::Waiting));
        let leased = |place| matches!(place, Place::Leased(_));
        assert_eq!(self.scheduler.leased(), self.model.count(leased));
        assert_eq!(self.scheduler.is_empty(), self.model.count(|place| place != Place::Out) == 0);
        (0..SLOTS).for_each(|slot| self.compare_slot(slot));
        let queued = self.model.jobs.iter().filter(|job| is_queued(job.place));
        let mut listed: Vec<u64> = self.scheduler.queues.iter().copied().collect();
        listed.sort_unstable();
        assert_eq!(listed, queued.map(|job| job.number).collect::<Vec<_>>());
        if let Some((jobs, period)) = self.model.rate {
            let (now, begun) = (self.model.now, &self.model.begun);
            let recent = begun.iter().filter(|at| **at + period > now).count();
            assert!(recent <= jobs as usize, "{recent} have started in a period");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn the_scheduler_matches_the_model(
        rate in prop::option::weighted(0.4, (1..4_u32, 1..25_u64)),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut comparison = Comparison::new(rate);
        for op in ops {
            comparison.apply(op);
        }
        // If nothing else happens, all jobs are done in the end.
        comparison.apply(Op::Pause(false));
        for slot in 0..SLOTS {
            comparison.apply(Op::Open(slot, true));
            comparison.apply(Op::Start(slot));
            comparison.apply(Op::Ready(slot, true));
        }
        while !comparison.scheduler.is_empty() {
            comparison.apply(Op::FinishAll);
            (0..SLOTS).for_each(|slot| comparison.apply(Op::Done(slot)));
            let next = comparison.scheduler.next_deadline(ms(comparison.model.now));
            let next = next.map_or(0, |next| next.as_nanos().div_ceil(1_000_000) as u64);
            let wait = next.saturating_sub(comparison.model.now);
            comparison.apply(Op::Advance(wait));
        }
    }
}
