//! The effects of a change of the queue.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::deferred_drop::DeferredDrop;
use super::job_state::{Admitted, JobState, Outcome};
use crate::pool::worker::Work;

/// The effects to perform when the queue is unlocked.
pub(crate) struct Effects<W: Work + 'static> {
    pub(crate) to_wake: Option<usize>,
    pub(crate) result: Option<JobOutcome<W>>,
    pub(crate) notify_manager: bool,
    /// The rarer effects, allocated on demand.
    pub(crate) late: Option<Box<LateEffects<W>>>,
}

pub(crate) struct LateEffects<W: Work + 'static> {
    pub(crate) to_wake: Vec<usize>,
    pub(crate) outcomes: Vec<JobOutcome<W>>,
    pub(crate) deferred: Vec<DeferredDrop<W>>,
    /// The submitters that waited for room.
    pub(crate) answers: Vec<(oneshot::Sender<Admitted<W>>, Admitted<W>)>,
}

impl<W: Work + 'static> Effects<W> {
    pub(crate) fn late(&mut self) -> &mut LateEffects<W> {
        self.late.get_or_insert_with(|| {
            Box::new(LateEffects {
                to_wake: Vec::new(),
                outcomes: Vec::new(),
                deferred: Vec::new(),
                answers: Vec::new(),
            })
        })
    }
}

/// A job and its outcome.
pub(crate) type JobOutcome<W> = (Arc<JobState<W>>, Outcome<W>);
