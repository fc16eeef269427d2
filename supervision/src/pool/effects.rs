//! The effects of a change of the queue.

use std::sync::Arc;
use std::task::Waker;

use super::deferred_drop::DeferredDrop;
use super::job_state::{JobState, Outcome};

/// The effects to perform when the queue is unlocked.
pub(super) struct Effects<J, T, E> {
    pub(super) to_wake: Option<usize>,
    pub(super) result: Option<JobOutcome<J, T, E>>,
    pub(super) notify_manager: bool,
    /// The rarer effects, allocated on demand.
    pub(super) late: Option<Box<LateEffects<J, T, E>>>,
}

pub(super) struct LateEffects<J, T, E> {
    pub(super) to_wake: Vec<usize>,
    pub(super) outcomes: Vec<JobOutcome<J, T, E>>,
    pub(super) deferred: Vec<DeferredDrop<J, T, E>>,
    /// The wakers of submitters that waited for room.
    pub(super) wakers: Vec<Waker>,
}

impl<J, T, E> Effects<J, T, E> {
    pub(super) fn late(&mut self) -> &mut LateEffects<J, T, E> {
        self.late.get_or_insert_with(|| {
            Box::new(LateEffects {
                to_wake: Vec::new(),
                outcomes: Vec::new(),
                deferred: Vec::new(),
                wakers: Vec::new(),
            })
        })
    }
}

/// A job and its outcome.
pub(super) type JobOutcome<J, T, E> = (Arc<JobState<J, T, E>>, Outcome<T, E>);
