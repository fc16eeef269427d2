//! What a change of the queue leaves to be done when it is unlocked.

use std::sync::Arc;
use std::task::Waker;

use super::deferred_drop::Trash;
use super::job_state::{JobState, Outcome};

/// What is to be done when the queue is unlocked.
pub(super) struct Effects<J, T, E> {
    pub(super) roused: Option<usize>,
    pub(super) result: Option<Given<J, T, E>>,
    pub(super) calls_foreman: bool,
    /// Most of the time there is nothing else.
    pub(super) rest: Option<Box<LateEffects<J, T, E>>>,
}

pub(super) struct LateEffects<J, T, E> {
    pub(super) roused: Vec<usize>,
    pub(super) given: Vec<Given<J, T, E>>,
    pub(super) trash: Vec<Trash<J, T, E>>,
    /// Of submitters that have waited for room.
    pub(super) wakers: Vec<Waker>,
}

impl<J, T, E> Effects<J, T, E> {
    pub(super) fn rest(&mut self) -> &mut LateEffects<J, T, E> {
        self.rest.get_or_insert_with(|| {
            Box::new(LateEffects {
                roused: Vec::new(),
                given: Vec::new(),
                trash: Vec::new(),
                wakers: Vec::new(),
            })
        })
    }
}

/// A result, and whose it is.
pub(super) type Given<J, T, E> = (Arc<JobState<J, T, E>>, Outcome<T, E>);
