//! The slots of a pool: the running workers, the due workers, and the slot that a job maps to.

use perennial_actors::host::{GAMMA, mix};

use super::priority_queue::QueuedJob;

/// The number of an incarnation of the worker in a slot.
pub(crate) type Incarnation = u32;

/// The number of the time in which a slot has a ready worker without a break. A renewal is none.
pub(crate) type Streak = u32;

/// The state of one slot.
#[derive(Debug)]
pub(crate) struct Slot<I> {
    /// The last incarnation that started or declined to start; 0 if none.
    pub(crate) last: Incarnation,
    /// `true` while that incarnation runs.
    pub(crate) is_occupied: bool,
    /// The incarnation whose init runs.
    pub(crate) starting: Option<Incarnation>,
    pub(crate) lease: Option<QueuedJob<I>>,
    pub(crate) idle: bool,
    /// `true` if a worker is due in this slot.
    pub(crate) open: bool,
    /// `true` if the last incarnation declined to start.
    pub(crate) declined: bool,
    /// The readiness of the last incarnation, or of the one whose init runs.
    pub(crate) readiness: Readiness,
    /// `true` while a call that outlives its attempt runs on the thread of this slot.
    pub(crate) has_call: bool,
    /// How often it has stopped to take jobs, renewals left out.
    pub(crate) streak: Streak,
    /// The incarnation that ended to be renewed, until the next one is ready or fails.
    pub(crate) renewed: Option<Incarnation>,
}

impl<I> Slot<I> {
    const fn new(open: bool) -> Self {
        let readiness = Readiness::new(0, false);
        Self {
            last: 0,
            is_occupied: false,
            starting: None,
            lease: None,
            idle: false,
            open,
            declined: false,
            readiness,
            has_call: false,
            streak: 0,
            renewed: None,
        }
    }

    /// Returns `true` if its worker has started, has not ended, and is due.
    pub(crate) const fn runs(&self) -> bool {
        self.is_occupied && self.open
    }

    /// Returns `true` if its worker runs and is ready, and its thread is free.
    pub(crate) const fn takes_jobs(&self) -> bool {
        self.runs() && self.readiness.is_ready() && !self.has_call
    }

    /// Records that the init of an incarnation is over. Unless it has started, it has failed.
    pub(super) fn end_init(&mut self, incarnation: Incarnation) {
        if self.starting == Some(incarnation) {
            self.starting = None;
        }
        if self.last < incarnation {
            self.end_renewal();
        }
    }

    /// Records that the current incarnation has ended.
    pub(super) fn end_incarnation(&mut self) {
        self.is_occupied = false;
        if self.renewed.is_some_and(|renewed| renewed != self.last) {
            self.end_renewal();
        }
    }

    /// Records that no ready incarnation follows the one that was to be renewed.
    pub(super) fn end_renewal(&mut self) {
        if self.renewed.take().is_some() {
            self.streak = self.streak.wrapping_add(1);
        }
    }

    /// Records that the worker begins to take jobs, or takes none any more.
    #[cold]
    fn readiness_changed(&mut self, takes_jobs: bool) {
        if !takes_jobs && self.renewed.is_none() {
            self.streak = self.streak.wrapping_add(1);
        } else if takes_jobs && self.renewed != Some(self.last) {
            self.renewed = None;
        }
    }
}

/// The source of a statement about the readiness of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadinessSource {
    /// The worker itself.
    Worker = 1,
    /// The readiness probe of the pool.
    Probe = 2,
    /// A rollout, which lets the worker finish its job before it is stopped.
    Retirement = 4,
}

/// The readiness of one incarnation: it is ready if all sources say so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    incarnation: Incarnation,
    /// The sum of the sources that say that it is unready.
    unready_by: u8,
}

impl Readiness {
    /// Returns the readiness of an incarnation of which nothing is known. With a readiness probe it
    /// is unready until the probe has succeeded.
    pub(crate) const fn new(incarnation: Incarnation, is_probed: bool) -> Self {
        Self { incarnation, unready_by: if is_probed { ReadinessSource::Probe as u8 } else { 0 } }
    }

    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.unready_by == 0
    }

    pub(crate) const fn set(&mut self, source: ReadinessSource, ready: bool) {
        let source = source as u8;
        self.unready_by = if ready { self.unready_by & !source } else { self.unready_by | source };
    }
}

/// All slots of a pool.
#[derive(Debug)]
pub(crate) struct Slots<I> {
    all: Vec<Slot<I>>,
    /// The number of workers that run and are ready.
    taking_jobs: usize,
    /// The slot after the one that had the last turn.
    cursor: usize,
}

impl<I> Slots<I> {
    pub(crate) fn new(slots: usize) -> Self {
        let slot = || Slot::new(true);
        Self { all: std::iter::repeat_with(slot).take(slots).collect(), taking_jobs: 0, cursor: 0 }
    }

    /// Adds a slot where no worker is due.
    pub(crate) fn add(&mut self) {
        self.all.push(Slot::new(false));
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<I>> {
        self.all.iter()
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Slot<I>> {
        self.all.get(slot)
    }

    /// Changes a slot and updates the number of workers that take jobs.
    #[inline]
    pub(crate) fn change<R>(&mut self, slot: usize, change: impl FnOnce(&mut Slot<I>) -> R) -> Option<R> {
        let slot = self.all.get_mut(slot)?;
        let took_jobs = slot.takes_jobs();
        let result = change(slot);
        let takes_jobs = slot.takes_jobs();
        self.taking_jobs += usize::from(takes_jobs);
        self.taking_jobs -= usize::from(took_jobs);
        if takes_jobs != took_jobs {
            slot.readiness_changed(takes_jobs);
        }
        Some(result)
    }

    /// Returns the slot of this incarnation, if it takes jobs and is not idle.
    #[inline]
    pub(crate) fn busy(&mut self, slot: usize, incarnation: Incarnation) -> Option<&mut Slot<I>> {
        let slot = self.all.get_mut(slot)?;
        (slot.takes_jobs() && slot.last == incarnation && !slot.idle).then_some(slot)
    }

    /// Leases a job to the worker of a slot.
    pub(crate) fn set_lease(&mut self, slot: usize, job: QueuedJob<I>) {
        if let Some(slot) = self.all.get_mut(slot) {
            slot.lease = Some(job);
        }
    }

    /// Removes and returns the job that is leased to the worker of a slot.
    pub(crate) fn take_lease(&mut self, slot: usize) -> Option<QueuedJob<I>> {
        self.all.get_mut(slot)?.lease.take()
    }

    /// Sets whether the worker of a slot is idle. Returns `true` if it was.
    pub(crate) fn set_idle(&mut self, slot: usize, idle: bool) -> bool {
        self.all.get_mut(slot).is_some_and(|slot| std::mem::replace(&mut slot.idle, idle))
    }

    pub(crate) fn is_open(&self, slot: usize) -> bool {
        self.get(slot).is_some_and(|slot| slot.open)
    }

    /// Returns `true` if the worker of this slot runs and is ready.
    pub(crate) fn takes_jobs(&self, slot: usize) -> bool {
        self.get(slot).is_some_and(Slot::takes_jobs)
    }

    /// Returns the number of workers that run and are ready.
    pub(crate) const fn taking_jobs(&self) -> usize {
        self.taking_jobs
    }

    /// Returns `true` if no worker in another slot takes jobs.
    pub(crate) fn is_alone(&self, slot: usize) -> bool {
        self.taking_jobs <= usize::from(self.takes_jobs(slot))
    }

    /// Returns the next slot whose worker takes jobs, after the slot that had the last turn.
    pub(crate) fn next_in_turn(&mut self) -> Option<usize> {
        let slots = self.all.len();
        let slot =
            (self.cursor..self.cursor + slots).map(|n| n % slots).find(|slot| self.takes_jobs(*slot))?;
        self.cursor = slot + 1;
        Some(slot)
    }

    /// Returns the open slot with the best fit for a key (rendezvous hashing). If a slot opens or
    /// closes, only the keys that map to it change.
    pub(crate) fn of_key(&self, key: u64) -> Option<usize> {
        let open = (0..self.all.len()).filter(|slot| self.is_open(*slot));
        open.max_by_key(|slot| fit(key, *slot))
    }
}

/// Returns how well a slot fits a key: the mixed bits of both.
pub(crate) const fn fit(key: u64, slot: usize) -> u64 {
    mix(key ^ (slot as u64 + 1).wrapping_mul(GAMMA))
}
