//! Process ids: which identity, and which of its incarnations.

use std::fmt;

/// Names one incarnation of one identity within its [`System`](crate::System).
///
/// The identity stays the same for as long as the actor's address does; the incarnation number grows by one with every
/// start, failed ones included. So two pids are equal only if they mean the very same run of an actor, which is what
/// Erlang's pid means, while [`same_identity`](Self::same_identity) tells whether two runs are of one actor.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pid {
    identity: u64,
    incarnation: u32,
}

impl Pid {
    pub(crate) const fn new(identity: u64, incarnation: u32) -> Self {
        Self { identity, incarnation }
    }

    /// The number of the identity, unique within its system.
    #[must_use]
    pub const fn identity(self) -> u64 {
        self.identity
    }

    /// The number of the incarnation, counted from 1.
    #[must_use]
    pub const fn incarnation(self) -> u32 {
        self.incarnation
    }

    /// Whether both are incarnations of one actor.
    #[must_use]
    pub const fn same_identity(self, other: Self) -> bool {
        self.identity == other.identity
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.identity, self.incarnation)
    }
}
