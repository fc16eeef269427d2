//! Reconciling the workers of a pool: those that are missing are started, and those that are too many are stopped, whatever took them
//! down or left them.
//!
//! The supervisor restarts a worker that has ended by itself. It leaves one down that was stopped, that declined to start, or that did not
//! start when something asked for it. The foreman finds those, waits for a moment, and has them started; longer each time that fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handle::PoolHandle;
use super::scheduler::{Phase, Time};
use super::shared::{Shared, State};
use crate::policy::Backoff;

/// How long a worker may be missing before it is started, unless the workers have a backoff of their own; and how long at most.
const DELAYS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// How long a repair waits for a change that goes on.
const PATIENCE: Duration = Duration::from_secs(5);

/// When the workers of a pool are reconciled.
#[derive(Debug)]
pub(super) struct Repair {
    delays: Backoff,
    attempts: u32,
    due: Option<Time>,
}

/// What is to be done about the workers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing, until something changes.
    Rest,
    /// To look again after this time.
    Wait(Duration),
    /// To reconcile them.
    Act,
}

impl Repair {
    pub(super) fn new(delays: Option<Backoff>) -> Self {
        Self { delays: delays.unwrap_or(DELAYS), attempts: 0, due: None }
    }

    /// What is to be done now, if there are too few workers or too many.
    pub(super) fn look(&mut self, is_astray: bool, now: Time) -> Step {
        if !is_astray {
            (self.attempts, self.due) = (0, None);
            return Step::Rest;
        }
        let delay = self.delays.delay(self.attempts, 0.0);
        let due = *self.due.get_or_insert(now.saturating_add(delay));
        if now < due {
            return Step::Wait(due.saturating_sub(now));
        }
        (self.attempts, self.due) = (self.attempts.saturating_add(1), None);
        Step::Act
    }
}

impl<J, T, E> State<J, T, E> {
    /// Returns `true` if the workers that run are not those that are wanted.
    pub(super) fn is_astray(&self, wanted: usize, slots: usize) -> bool {
        let is_wrong = |slot: usize| self.board.is_present(slot) != (slot < wanted);
        self.board.phase() != Phase::Closed && (0..slots).any(is_wrong)
    }
}

/// A reconciliation that goes on. The foreman looks again when it is over.
pub(super) struct Repairing<J, T, E>(Arc<Shared<J, T, E>>);

impl<J, T, E> Repairing<J, T, E> {
    /// Begins one, unless one goes on.
    pub(super) fn begin(pool: &Arc<Shared<J, T, E>>) -> Option<Self> {
        let goes_on = pool.is_repairing.swap(true, Ordering::AcqRel);
        (!goes_on).then(|| Self(pool.clone()))
    }
}

impl<J, T, E> Drop for Repairing<J, T, E> {
    fn drop(&mut self) {
        self.0.is_repairing.store(false, Ordering::Release);
        self.0.call_foreman();
    }
}

impl<J, T, E> PoolHandle<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Starts the workers that are missing, all at once, and stops those that are too many.
    pub(super) async fn repair(&self, _repairing: Repairing<J, T, E>) {
        let (shared, mut starting) = (self.shared(), JoinSet::new());
        // A change that goes on may be about to start them, or to want fewer. It is not waited for without end: it may wait for a job.
        let change = timeout(PATIENCE, shared.changing.lock()).await.ok();
        for slot in (0..shared.workers().len()).filter(|slot| !shared.lock_state().board.is_present(*slot)) {
            let pool = self.clone();
            if slot < shared.wanted() {
                // One that does not start is tried again later.
                starting.spawn(async move { pool.open(slot).await.is_ok() });
            }
        }
        // A change that goes on stops them itself.
        if change.is_some() {
            for slot in shared.wanted()..shared.workers().len() {
                if shared.lock_state().board.is_present(slot) {
                    shared.change(|state| state.board.set_open(slot, false));
                    let _ = self.shut(slot).await;
                }
            }
        }
        drop(change);
        while starting.join_next().await.is_some() {}
    }
}
