//! The errors of a spec.

use std::sync::Arc;

/// Why a spec is invalid. The whole tree is checked before any child starts.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Two children of one supervisor have the same id.
    #[error("supervisor {supervisor:?} has two children with the id {id:?}")]
    DuplicateId {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The id that two of its children have.
        id: Arc<str>,
    },
    /// The period of an intensity is zero: no restart would ever count.
    #[error("supervisor {supervisor:?} counts restarts within a period of zero")]
    ZeroPeriod {
        /// The supervisor.
        supervisor: Arc<str>,
    },
    /// The mailbox of a child was set after its address had been taken. The address already had a
    /// mailbox with the earlier settings.
    #[error("the mailbox of child {id:?} was set after its address had been taken")]
    MailboxTooLate {
        /// The child.
        id: Arc<str>,
    },
    /// A child is significant and permanent. A child that always restarts never shuts its
    /// supervisor down.
    #[error("child {id:?} is significant, but permanent")]
    SignificantPermanent {
        /// The child.
        id: Arc<str>,
    },
    /// A child is significant, but its supervisor has no [`AutoShutdown`](crate::AutoShutdown).
    #[error("child {id:?} is significant, but supervisor {supervisor:?} does not shut down by itself")]
    SignificantForNothing {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        id: Arc<str>,
    },
    /// A deadline, a period, a timeout or a failure threshold of a child's liveness is zero.
    #[error("the liveness of child {id:?} leaves it no time at all")]
    ZeroLiveness {
        /// The child.
        id: Arc<str>,
    },
}
