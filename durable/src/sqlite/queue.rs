//! The queue of the thread that writes.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use perennial_actors::host::sync::{Condvar, Mutex};

use super::transaction::CallerTransaction;
use crate::request::Request;

/// A time that is longer than any wait.
const FOREVER: Duration = Duration::from_secs(3600);

/// Work of the thread that writes.
pub(super) enum Work {
    /// A batch, which is committed with others.
    Batch(Request),
    /// A transaction of the caller, which is committed apart.
    Caller(Box<dyn CallerTransaction>),
}

/// The queue of the thread that writes. It wakes that thread at most twice for a transaction, for
/// the first part and the last, and not for each: to wake a thread takes longer than to queue a
/// request.
#[derive(Default)]
pub(super) struct WorkQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    /// How many the thread that writes waits for. 0 if it does not wait, or has been woken.
    wanted: usize,
    is_closed: bool,
}

impl WorkQueue {
    /// Adds work. Gives it back if the queue is closed.
    pub(super) fn push(&self, work: Work) -> Result<(), Work> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(work);
        }
        state.waiting.push_back(work);
        let is_enough = state.wanted > 0 && state.waiting.len() >= state.wanted;
        if is_enough {
            state.wanted = 0;
        }
        drop(state);
        if is_enough {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Refuses all that comes from now on.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits until there is so much work, until the queue is closed, or until the time is over.
    /// Adds all that waits to `taken`. Returns `false` if the queue is closed.
    pub(super) fn take(&self, wanted: usize, until: Option<Instant>, taken: &mut VecDeque<Work>) -> bool {
        let mut state = self.state.lock();
        while !state.is_closed && state.waiting.len() < wanted {
            let left = until.map_or(FOREVER, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state.wanted = wanted;
            state = self.changed.wait_timeout(state, left);
        }
        state.wanted = 0;
        if taken.is_empty() {
            mem::swap(taken, &mut state.waiting);
        } else {
            taken.append(&mut state.waiting);
        }
        !state.is_closed
    }
}
