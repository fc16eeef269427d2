//! The slots of a pool: the running workers, the due workers, and the slot that a job maps to.

use perennial_actors::host::{GAMMA, mix};

use super::priority_queue::QueuedJob;

/// The number of an incarnation of the worker in a slot.
pub(crate) type Incarnation = u32;

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
}

impl<I> Slot<I> {
    const fn new(open: bool) -> Self {
        Self { last: 0, is_occupied: false, starting: None, lease: None, idle: false, open, declined: false }
    }

    /// Returns `true` if its worker has started, has not ended, and is due.
    pub(crate) const fn runs(&self) -> bool {
        self.is_occupied && self.open
    }
}

/// All slots of a pool.
#[derive(Debug)]
pub(crate) struct Slots<I> {
    all: Vec<Slot<I>>,
    /// The number of running workers.
    running: usize,
    /// The slot after the one that had the last turn.
    cursor: usize,
}

impl<I> Slots<I> {
    pub(crate) fn new(slots: usize) -> Self {
        let slot = || Slot::new(true);
        Self { all: std::iter::repeat_with(slot).take(slots).collect(), running: 0, cursor: 0 }
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

    /// Changes a slot and updates the number of running workers.
    #[inline]
    pub(crate) fn change<R>(&mut self, slot: usize, change: impl FnOnce(&mut Slot<I>) -> R) -> Option<R> {
        let slot = self.all.get_mut(slot)?;
        let ran = slot.runs();
        let result = change(slot);
        self.running += usize::from(slot.runs());
        self.running -= usize::from(ran);
        Some(result)
    }

    pub(crate) fn is_open(&self, slot: usize) -> bool {
        self.get(slot).is_some_and(|slot| slot.open)
    }

    pub(crate) fn runs(&self, slot: usize) -> bool {
        self.get(slot).is_some_and(Slot::runs)
    }

    /// Returns `true` if no worker in another slot runs.
    pub(crate) fn is_alone(&self, slot: usize) -> bool {
        self.running <= usize::from(self.runs(slot))
    }

    /// Returns the next slot with a running worker, after the slot that had the last turn.
    pub(crate) fn next_in_turn(&mut self) -> Option<usize> {
        let slots = self.all.len();
        let slot = (self.cursor..self.cursor + slots).map(|n| n % slots).find(|slot| self.runs(*slot))?;
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
