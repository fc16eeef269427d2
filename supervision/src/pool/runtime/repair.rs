//! Reconciles the workers of a pool: starts missing workers and stops surplus ones, whatever the
//! cause.
//!
//! The supervisor restarts a worker that ended by itself. It does not restart one that was stopped,
//! that declined to start, or whose manual start failed. The manager detects these workers and
//! starts them after a delay, which grows with each failure.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::Ordering;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::on_drop::OnDrop;
use super::shared::Shared;
use crate::policy::Backoff;
use crate::pool::handle::PoolHandle;
use crate::pool::scheduler::{Phase, Time};
use crate::pool::worker::Work;

/// How long a worker may be missing before it is started, at first and at most, unless the workers
/// have a backoff of their own.
const DELAYS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// How long a repair waits for another change of the workers.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The schedule of the repairs of one pool.
#[derive(Debug)]
pub(crate) struct Repair {
    delays: Backoff,
    attempts: u32,
    due: Option<Time>,
}

/// The next step of a repair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// None, until something changes.
    Idle,
    /// Check again after this time.
    Wait(Duration),
    /// Reconcile the workers.
    Reconcile,
}

impl Repair {
    pub(crate) fn new(delays: Option<Backoff>) -> Self {
        Self { delays: delays.unwrap_or(DELAYS), attempts: 0, due: None }
    }

    /// Returns the next step, given whether the workers differ from the wanted ones.
    pub(crate) fn next_step(&mut self, needs_repair: bool, now: Time) -> Step {
        if !needs_repair {
            (self.attempts, self.due) = (0, None);
            return Step::Idle;
        }
        let delay = self.delays.delay(self.attempts, 0.0);
        let due = *self.due.get_or_insert(now.saturating_add(delay));
        if now < due {
            return Step::Wait(due.saturating_sub(now));
        }
        (self.attempts, self.due) = (self.attempts.saturating_add(1), None);
        Step::Reconcile
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Returns `true` if the running workers differ from the wanted ones. As long as they do, the
    /// manager checks them without being notified.
    pub(crate) fn needs_repair(&self) -> bool {
        let mut state = self.lock_state();
        let is_wrong = |slot: usize| state.scheduler.is_present(slot) != (slot < self.wanted());
        let is_open = state.scheduler.phase() != Phase::Closed;
        state.is_checking_workers = is_open && (0..self.slots()).any(is_wrong);
        state.is_checking_workers
    }

    /// Begins a repair. The drop of the returned value ends it and notifies the manager.
    pub(crate) fn begin_repair(self: &Arc<Self>) -> OnDrop {
        self.is_repairing.store(true, Ordering::Release);
        let pool = self.clone();
        OnDrop::new(move || {
            pool.is_repairing.store(false, Ordering::Release);
            pool.notify_manager();
        })
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Starts all missing workers concurrently, and stops surplus ones.
    pub(crate) async fn repair(&self) {
        let (shared, mut starting) = (&self.shared, JoinSet::new());
        // Another change may be about to start these workers, or to want fewer. The wait has a
        // limit, because that change may wait for a job.
        let change = timeout(CHANGE_TIMEOUT, shared.changing.lock()).await.ok();
        for slot in (0..shared.slots()).filter(|slot| !shared.lock_state().scheduler.is_present(*slot)) {
            let pool = self.clone();
            if slot < shared.wanted() {
                // A failed start is repeated later.
                starting.spawn(async move { pool.start_worker(slot).await.is_ok() });
            }
        }
        // Another change stops them itself.
        if change.is_some() {
            for slot in shared.wanted()..shared.slots() {
                if shared.lock_state().scheduler.is_present(slot) {
                    shared.reschedule(|scheduler| scheduler.set_open(slot, false));
                    let _ = self.stop_worker(slot).await;
                }
            }
        }
        drop(change);
        while starting.join_next().await.is_some() {}
    }
}
