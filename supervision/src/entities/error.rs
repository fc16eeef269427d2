//! The error of an address.

/// The reason for which there is no address for a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError {
    /// The tree of the entities was not started yet.
    #[error("the entities were not started yet")]
    Unstarted,
    /// The tree of the entities is gone.
    #[error("the entities have stopped")]
    Closed,
    /// As many keys are [known](super::EntitiesStats::known) as may be.
    #[error("there are too many entities")]
    TooMany,
    /// The `Display` or the `Clone` of the key has panicked.
    #[error("the key panicked")]
    KeyPanicked,
}
