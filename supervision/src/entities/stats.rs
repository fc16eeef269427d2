//! The numbers of entities.

/// The numbers of entities.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntitiesStats {
    /// The incarnations that exist, those that start and stop included.
    pub live: usize,
    /// The entities that have messages and wait for a place, or for the delay after a failure.
    pub pending: usize,
    /// The keys that are known: those of the two above, those whose address is held, and those
    /// whose failures count still.
    pub known: usize,
}
