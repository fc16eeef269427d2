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
    #[error("the intensity of supervisor {supervisor:?} has a period of zero")]
    ZeroPeriod {
        /// The supervisor.
        supervisor: Arc<str>,
    },
    /// The mailbox of a child was set after its address had been taken. The address already had a
    /// mailbox with the earlier settings.
    #[error("the mailbox of child {id:?} was configured after its address was taken")]
    MailboxTooLate {
        /// The child.
        id: Arc<str>,
    },
    /// The mailbox of a child, or the queue of a pool, has a capacity of zero.
    #[error("child {id:?} has a mailbox or a queue with a capacity of zero")]
    ZeroCapacity {
        /// The child, or the pool.
        id: Arc<str>,
    },
    /// A rate limit of a pool has zero jobs, a period of zero, or a burst of zero.
    #[error("pool {id:?} has a rate limit with zero jobs, a period of zero, or a burst of zero")]
    ZeroRate {
        /// The pool.
        id: Arc<str>,
    },
    /// The workers of a pool are renewed after zero jobs or at an age of zero, or entities are idle
    /// after no time.
    #[error("what {id:?} starts ends at once: it has a lifetime of zero")]
    ZeroLifetime {
        /// The pool, or the entities.
        id: Arc<str>,
    },
    /// The soft time limit of a pool is not shorter than its time limit: no job would be told in
    /// time.
    #[error("the soft time limit of pool {id:?} is not shorter than its time limit")]
    SoftLimitTooLate {
        /// The pool.
        id: Arc<str>,
    },
    /// A child is significant and permanent. A child that always restarts never shuts its
    /// supervisor down.
    #[error("child {id:?} is significant and permanent")]
    SignificantPermanent {
        /// The child.
        id: Arc<str>,
    },
    /// A child is significant, but its supervisor has no [`AutoShutdown`](crate::AutoShutdown).
    #[error("child {id:?} is significant, but supervisor {supervisor:?} has no auto_shutdown")]
    SignificantForNothing {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        id: Arc<str>,
    },
    /// A deadline, a period, a timeout or a threshold of a child's liveness, or of the readiness of
    /// a pool's workers, is zero.
    #[error("a duration or a threshold in the liveness of child {id:?} is zero")]
    ZeroLiveness {
        /// The child.
        id: Arc<str>,
    },
    /// A task has a handler deadline. A task has no handlers, so the deadline would have no effect.
    #[error("task {id:?} has a handler deadline, but no handlers")]
    HandlerDeadlineOfTask {
        /// The task.
        id: Arc<str>,
    },
    /// The success threshold of a liveness probe is not 1. Kubernetes refuses that too.
    #[error("the liveness probe of child {id:?} has a success threshold other than 1")]
    LivenessSuccessThreshold {
        /// The pool.
        id: Arc<str>,
    },
    /// The burst or the interval of a child's start limit is zero.
    #[error("the burst or the interval in the start limit of child {id:?} is zero")]
    ZeroStartLimit {
        /// The child.
        id: Arc<str>,
    },
}
