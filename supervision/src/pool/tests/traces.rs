//! A board under whatever may happen to it, against the [model](super::model).

use proptest::prelude::*;

use super::model::{Job, Model, Place, ms};
use crate::pool::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::rate::Rate;
use crate::pool::scheduler::{Next, Scheduler};

#[derive(Clone, Copy, Debug)]
enum Op {
    Submit {
        priority: u8,
        target: Target,
        expires_in: Option<u64>,
        delay: Option<u64>,
    },
    /// A worker that is due to look does; if none is, this one.
    Look(usize),
    Done(usize),
    /// An attempt has failed, and is made again, at once or later.
    Fail(usize, Option<u64>),
    /// A worker crashes; its job comes back.
    Crash(usize),
    /// The next incarnation comes.
    Arrive(usize),
    /// An incarnation that is gone does whatever it would do.
    Ghost(usize),
    Open(usize, bool),
    /// The next incarnation declines to come, or one that is there is told of as if it had.
    Decline(usize),
    Pause(bool),
    Withdraw(u64),
    Clear,
    Pass(u64),
    /// Everybody does what is due.
    CalmDown,
}

const SLOTS: usize = 4;

fn op() -> impl Strategy<Value = Op> {
    let slot = || 0..SLOTS;
    let target = prop_oneof![
        6 => Just(Target::Any),
        2 => slot().prop_map(Target::Slot),
        2 => (0..6_u64).prop_map(Target::Key),
        1 => slot().prop_map(Target::Pinned),
    ];
    let submit = (0..3_u8, target, prop::option::weighted(0.2, 0..30_u64));
    let submit = (submit, prop::option::weighted(0.2, 0..20_u64));
    prop_oneof![
        6 => submit.prop_map(|((priority, target, expires_in), delay)| {
            Op::Submit { priority, target, expires_in, delay }
        }),
        6 => slot().prop_map(Op::Look),
        4 => slot().prop_map(Op::Done),
        2 => (slot(), prop::option::of(0..20_u64)).prop_map(|(slot, delay)| Op::Fail(slot, delay)),
        2 => slot().prop_map(Op::Crash),
        3 => slot().prop_map(Op::Arrive),
        1 => slot().prop_map(Op::Ghost),
        1 => (slot(), any::<bool>()).prop_map(|(slot, open)| Op::Open(slot, open)),
        1 => slot().prop_map(Op::Decline),
        1 => prop::bool::weighted(0.3).prop_map(Op::Pause),
        1 => (0..100_u64).prop_map(Op::Withdraw),
        1 => prop::bool::weighted(0.1).prop_map(|clear| if clear { Op::Clear } else { Op::CalmDown }),
        3 => (0..15_u64).prop_map(Op::Pass),
        1 => Just(Op::CalmDown),
    ]
}

/// The board and the model, side by side.
struct World {
    board: Scheduler<u64>,
    model: Model,
}

impl World {
    fn new(rate: Option<(u32, u64)>) -> Self {
        let mut board = Scheduler::new(SLOTS, usize::MAX);
        (0..SLOTS).for_each(|slot| board.worker_started(slot, 1));
        if let Some((jobs, period)) = rate {
            board.set_rate(Rate::new(jobs, ms(period)));
        }
        Self { board, model: Model::new(SLOTS, rate) }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Submit { priority, target, expires_in, delay } => {
                self.submit(priority, target, expires_in, delay);
            }
            Op::Look(slot) => {
                let woken = (0..SLOTS).map(|n| (n + slot) % SLOTS).find(|slot| self.may_look(*slot));
                self.look(woken.unwrap_or(slot));
            }
            Op::Done(slot) => drop(self.settle(slot)),
            Op::Fail(slot, delay) => {
                if let Some(job) = self.settle(slot) {
                    self.retry(slot, job, delay);
                }
            }
            Op::Crash(slot) => self.crash(slot),
            Op::Arrive(slot) => self.arrive(slot),
            Op::Ghost(slot) => self.haunt(slot),
            Op::Open(slot, open) => self.open(slot, open),
            Op::Decline(slot) => self.decline(slot),
            Op::Pause(paused) => {
                self.model.paused = paused;
                let woken = self.board.pause(paused);
                self.wake(woken);
            }
            Op::Withdraw(number) => self.withdraw(number),
            Op::Clear => self.clear(),
            Op::Pass(time) => {
                self.model.now += time;
                self.tick();
            }
            Op::CalmDown => self.calm_down(),
        }
        for number in self.board.take_orphaned() {
            let job = *self.model.job(number);
            assert!(matches!(job.target, Target::Pinned(slot) if !self.model.seats[slot].open), "{job:?}");
            assert_eq!(job.place, Place::Out);
        }
        self.compare();
    }

    fn submit(&mut self, priority: u8, target: Target, expires_in: Option<u64>, delay: Option<u64>) {
        let (number, now) = (self.model.jobs.len() as u64, self.model.now);
        let expires = expires_in.map(|time| now + time);
        let (only, except) = (None, None);
        let job = Job { number, priority, target, only, except, expires, place: Place::Out };
        self.model.jobs.push(job);
        let stand = Placement { priority, target, expires: expires.map(ms) };
        self.come_back(QueuedJob { item: number, number, stand, since: Some(ms(now)) }, delay);
    }

    /// It is tried again by another worker, unless it is for this one.
    fn retry(&mut self, slot: usize, mut job: QueuedJob<u64>, delay: Option<u64>) {
        if !matches!(job.stand.target, Target::Key(_) | Target::Pinned(_)) {
            job.stand.target = Target::Except(slot);
        }
        self.model.job(job.number).target = job.stand.target;
        self.come_back(job, delay);
    }

    fn come_back(&mut self, job: QueuedJob<u64>, delay: Option<u64>) {
        let due = delay.map(|delay| self.model.now + delay);
        match due {
            Some(due) => {
                self.model.job(job.number).place = Place::Delayed(due);
                self.board.delay(job, ms(due));
            }
            None => {
                self.model.place(job.number);
                let woken = self.board.put(job);
                self.wake(woken);
            }
        }
    }

    fn wake(&mut self, woken: impl IntoIterator<Item = usize>) {
        for slot in woken {
            let seat = &mut self.model.seats[slot];
            assert!(!seat.woken, "the worker in {slot} is woken twice");
            assert!(self.model.lease_of(slot).is_none(), "the worker in {slot} is busy");
            self.model.seats[slot].woken = true;
        }
    }

    fn may_look(&self, slot: usize) -> bool {
        let seat = self.model.seats[slot];
        seat.present && seat.woken && self.model.lease_of(slot).is_none()
    }

    fn look(&mut self, slot: usize) {
        let seat = self.model.seats[slot];
        if !seat.present || self.model.lease_of(slot).is_some() {
            return;
        }
        self.model.seats[slot].woken = false;
        let mut expired = Vec::new();
        let (next, woken) = self.board.lease(slot, seat.incarnation, ms(self.model.now), &mut expired);
        self.expire(&expired);
        let expected = self.model.best_for(slot).filter(|_| self.model.is_within_rate());
        match next {
            Next::Job(number, _) => {
                assert_eq!(Some(number), expected, "the worker in {slot} has another");
                self.model.job(number).place = Place::Leased(slot);
                self.model.begun.push(self.model.now);
            }
            Next::Nothing => assert_eq!(None, expected, "the worker in {slot} has nothing"),
        }
        self.wake(woken);
    }

    fn expire(&mut self, expired: &[u64]) {
        for number in expired {
            let now = self.model.now;
            let job = self.model.job(*number);
            assert!(job.expires.is_some_and(|at| at <= now), "{job:?} has not expired");
            assert!(matches!(job.place, Place::Waits | Place::Delayed(_)), "{job:?} does not wait");
            job.place = Place::Out;
        }
    }

    fn settle(&mut self, slot: usize) -> Option<QueuedJob<u64>> {
        let leased = self.model.lease_of(slot);
        let settled = self.board.settle(slot, self.model.seats[slot].incarnation);
        assert_eq!(settled.as_ref().map(|job| job.item), leased);
        let job = settled?;
        self.model.job(job.number).place = Place::Out;
        self.model.seats[slot].woken = true;
        Some(job)
    }

    fn crash(&mut self, slot: usize) {
        let seat = self.model.seats[slot];
        if !seat.present {
            return;
        }
        let leased = self.model.lease_of(slot);
        self.model.seats[slot].present = false;
        self.model.seats[slot].woken = false;
        self.model.place_again(slot, false);
        let (job, woken) = self.board.worker_exited(slot, seat.incarnation);
        assert_eq!(job.as_ref().map(|job| job.item), leased);
        self.wake(woken);
        if let Some(job) = job {
            self.model.job(job.number).place = Place::Out;
            self.retry(slot, job, None);
        }
    }

    fn arrive(&mut self, slot: usize) {
        let seat = &mut self.model.seats[slot];
        if !seat.present {
            seat.incarnation += 1;
            (seat.present, seat.woken) = (true, true);
            self.board.worker_started(slot, seat.incarnation);
        }
    }

    /// Whatever an incarnation does that is gone, nothing comes of it.
    fn haunt(&mut self, slot: usize) {
        let seat = self.model.seats[slot];
        let old = seat.incarnation - u32::from(seat.present);
        self.board.worker_started(slot, old);
        let (next, woken) = self.board.lease(slot, old, ms(self.model.now), &mut Vec::new());
        assert!(matches!(next, Next::Nothing) && woken.is_none());
        assert!(self.board.settle(slot, old).is_none());
        let (job, woken) = self.board.worker_exited(slot, old);
        assert!(job.is_none() && woken.is_empty());
        assert_eq!(self.board.decline(slot, old), []);
    }

    fn open(&mut self, slot: usize, open: bool) {
        self.model.seats[slot].open = open;
        if !open {
            self.model.place_again(slot, true);
        }
        let woken = self.board.set_open(slot, open);
        self.wake(woken);
    }

    fn decline(&mut self, slot: usize) {
        let seat = &mut self.model.seats[slot];
        if seat.present {
            return;
        }
        seat.incarnation += 1;
        seat.open = false;
        let incarnation = seat.incarnation;
        self.model.place_again(slot, true);
        let woken = self.board.decline(slot, incarnation);
        self.wake(woken);
    }

    fn withdraw(&mut self, number: u64) {
        let job = self.model.jobs.iter_mut().find(|job| job.number == number);
        let job = job.filter(|job| matches!(job.place, Place::Waits | Place::Delayed(_)));
        assert_eq!(self.board.cancel(number), job.as_ref().map(|job| job.number));
        if let Some(job) = job {
            job.place = Place::Out;
        }
    }

    fn clear(&mut self) {
        let waits = |job: &&mut Job| matches!(job.place, Place::Waits | Place::Delayed(_));
        let mut expected = Vec::new();
        for job in self.model.jobs.iter_mut().filter(waits) {
            job.place = Place::Out;
            expected.push(job.number);
        }
        let mut cleared = self.board.clear();
        cleared.sort_unstable();
        assert_eq!(cleared, expected);
    }

    fn tick(&mut self) {
        let (now, mut expired) = (self.model.now, Vec::new());
        let woken = self.board.tick(ms(now), &mut expired);
        self.expire(&expired);
        let late = |job: &Job| {
            job.expires.is_some_and(|at| at <= now) && matches!(job.place, Place::Waits | Place::Delayed(_))
        };
        assert!(!self.model.jobs.iter().any(late), "something has expired and was not said to");
        let due = |job: &&Job| matches!(job.place, Place::Delayed(due) if due <= now);
        let due: Vec<u64> = self.model.jobs.iter().filter(due).map(|job| job.number).collect();
        due.into_iter().for_each(|number| self.model.place(number));
        self.wake(woken);
    }

    /// Everybody who is due to look does. Then nobody is idle beside a job that it may have, unless the rate forbids it; and then there is a
    /// time at which it is looked again.
    fn calm_down(&mut self) {
        self.tick();
        while let Some(slot) = (0..SLOTS).find(|slot| self.may_look(*slot)) {
            self.look(slot);
        }
        let free = |slot: &usize| self.model.seats[*slot].present && self.model.lease_of(*slot).is_none();
        for slot in (0..SLOTS).filter(free) {
            let Some(best) = self.model.best_for(slot) else { continue };
            assert!(!self.model.is_within_rate(), "the worker in {slot} is idle beside {best}");
            let (now, (_, period)) = (self.model.now, self.model.rate.expect("there is one"));
            let next = self.board.next_deadline(ms(now)).expect("somebody looks again");
            assert!(next <= ms(now + period), "it is looked at {next:?}");
        }
    }

    fn compare(&mut self) {
        let waits = |place| matches!(place, Place::Waits | Place::Delayed(_));
        assert_eq!(self.board.waiting(), self.model.count(waits));
        assert_eq!(self.board.ready(), self.model.count(|place| place == Place::Waits));
        let leased = |place| matches!(place, Place::Leased(_));
        assert_eq!(self.board.leased(), self.model.count(leased));
        assert_eq!(self.board.is_done(), self.model.count(|place| place != Place::Out) == 0);
        if let Some((jobs, period)) = self.model.rate {
            let (now, begun) = (self.model.now, &self.model.begun);
            let recent = begun.iter().filter(|at| **at + period > now).count();
            assert!(recent <= jobs as usize, "{recent} have begun in a period");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn a_board_does_what_the_model_does(
        rate in prop::option::weighted(0.4, (1..4_u32, 1..25_u64)),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut world = World::new(rate);
        for op in ops {
            world.apply(op);
        }
        // And if nothing more happens to it, everything that there is is done in the end.
        world.apply(Op::Pause(false));
        for slot in 0..SLOTS {
            world.apply(Op::Open(slot, true));
            world.apply(Op::Arrive(slot));
        }
        while !world.board.is_done() {
            world.apply(Op::CalmDown);
            (0..SLOTS).for_each(|slot| world.apply(Op::Done(slot)));
            let next = world.board.next_deadline(ms(world.model.now));
            let wait = next.map_or(0, |next| next.as_millis() as u64).saturating_sub(world.model.now);
            world.apply(Op::Pass(wait));
        }
    }
}
