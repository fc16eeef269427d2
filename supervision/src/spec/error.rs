//! What is wrong with a spec.

use std::sync::Arc;

/// Why a spec cannot be started. Checked as a whole before any child is.
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
    #[error("the intensity of supervisor {supervisor:?} has a period of zero")]
    ZeroPeriod {
        /// The supervisor.
        supervisor: Arc<str>,
    },
    /// The mailbox of a child was set after its address had been given away, with the mailbox it had by then.
    #[error("the mailbox of child {id:?} was configured after its address was taken")]
    MailboxTooLate {
        /// The child.
        id: Arc<str>,
    },
    /// The mailbox of a child, or the queue of a pool, was set to hold nothing.
    #[error("child {id:?} has a mailbox or a queue with a capacity of zero")]
    ZeroCapacity {
        /// The child, or the pool.
        id: Arc<str>,
    },
    /// A child is significant and permanent: one that always comes back never ends its supervisor.
    #[error("child {id:?} is significant and permanent")]
    SignificantPermanent {
        /// The child.
        id: Arc<str>,
    },
    /// A child is significant, and its supervisor never looks at that.
    #[error("child {id:?} is significant, but supervisor {supervisor:?} has no auto_shutdown")]
    SignificantForNothing {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        id: Arc<str>,
    },
    /// A deadline, an interval or a timeout of a child's liveness is zero, or so is the number of answers that it may miss.
    #[error("a duration or a threshold in the liveness of child {id:?} is zero")]
    ZeroLiveness {
        /// The child.
        id: Arc<str>,
    },
}
