//! The states of the entities, by slot. A slot is used again, under another generation.

use std::time::Duration;

/// One use of a slot.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) struct SlotKey {
    index: u32,
    generation: u32,
}

impl SlotKey {
    /// Returns the number of the slot.
    pub(in super::super) const fn index(self) -> u32 {
        self.index
    }

    /// Returns the key as one number.
    pub(in super::super) const fn to_number(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// Returns the key that [`to_number`](Self::to_number) made this number of.
    pub(in super::super) const fn from_number(number: u64) -> Self {
        Self { index: number as u32, generation: (number >> 32) as u32 }
    }
}

/// The phase of an entity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// It has no incarnation and no message that is known.
    Passive,
    /// It has a message and waits for a place.
    Waiting,
    /// It has a message and waits until its delay is over.
    BackingOff,
    /// Its incarnation starts.
    Starting,
    /// Its incarnation runs.
    Live,
    /// Its incarnation was told to stop.
    Stopping,
    /// Its incarnation was killed.
    Killing,
}

impl Phase {
    /// Returns `true` if there is an incarnation.
    pub(super) const fn is_running(self) -> bool {
        matches!(self, Self::Starting | Self::Live | Self::Stopping | Self::Killing)
    }
}

/// The state of one entity.
pub(super) struct Slot {
    pub(super) phase: Phase,
    /// The number of its last use, while it runs.
    pub(super) order: Option<u64>,
    pub(super) used_at: Duration,
    /// The step that was seen last.
    pub(super) step: u32,
    /// The step that its incarnation began with.
    pub(super) first_step: u32,
    pub(super) started_at: Duration,
    /// The failures in a row.
    pub(super) failures: u32,
    pub(super) not_before: Duration,
    /// When the failures are forgotten.
    pub(super) failures_until: Duration,
    pub(super) due: Option<Duration>,
}

struct Place {
    generation: u32,
    slot: Option<Slot>,
}

/// All slots.
#[derive(Default)]
pub(super) struct Slots {
    places: Vec<Place>,
    free: Vec<u32>,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn add(&mut self) -> SlotKey {
        let slot = Slot {
            phase: Phase::Passive,
            order: None,
            used_at: Duration::ZERO,
            step: 0,
            first_step: 0,
            started_at: Duration::ZERO,
            failures: 0,
            not_before: Duration::ZERO,
            failures_until: Duration::ZERO,
            due: None,
        };
        if let Some(index) = self.free.pop() {
            if let Some(place) = self.places.get_mut(index as usize) {
                place.slot = Some(slot);
                return SlotKey { index, generation: place.generation };
            }
        }
        let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(Place { generation: 0, slot: Some(slot) });
        SlotKey { index, generation: 0 }
    }

    pub(super) fn remove(&mut self, key: SlotKey) {
        if let Some(place) = self.place_mut(key) {
            place.slot = None;
            place.generation = place.generation.wrapping_add(1);
            self.free.push(key.index);
        }
    }

    pub(super) fn get(&self, key: SlotKey) -> Option<&Slot> {
        let place = self.places.get(key.index as usize)?;
        place.slot.as_ref().filter(|_| place.generation == key.generation)
    }

    pub(super) fn get_mut(&mut self, key: SlotKey) -> Option<&mut Slot> {
        self.place_mut(key)?.slot.as_mut()
    }

    /// Returns all keys.
    pub(super) fn keys(&self) -> Vec<SlotKey> {
        let used = self.places.iter().zip(0..).filter(|(place, _)| place.slot.is_some());
        used.map(|(place, index)| SlotKey { index, generation: place.generation }).collect()
    }

    /// Counts the entities in a phase.
    pub(super) fn count(&self, phase: Phase) -> usize {
        let slots = self.places.iter().filter_map(|place| place.slot.as_ref());
        slots.filter(|slot| slot.phase == phase).count()
    }

    fn place_mut(&mut self, key: SlotKey) -> Option<&mut Place> {
        let place = self.places.get_mut(key.index as usize)?;
        (place.generation == key.generation && place.slot.is_some()).then_some(place)
    }
}
