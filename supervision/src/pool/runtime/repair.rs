//! The reconciliation of the workers: starts missing workers and stops surplus ones, whatever the
//! cause.
//!
//! The supervisor restarts a worker that ended by itself. It does not restart one that was stopped
//! or deleted, that declined to start, or whose manual start failed. The manager detects these
//! workers and starts them after a delay, which grows with each failure. Each slot has a delay of
//! its own: a worker that never starts delays no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::jitter_sample;

use super::on_drop::OnDrop;
use super::shared::Shared;
use crate::policy::Backoff;
use crate::pool::handle::PoolHandle;
use crate::pool::scheduler::{Phase, Time};
use crate::pool::worker::Work;

/// How long a worker may be missing before it is started, at first and at most, unless the workers
/// have a backoff of their own.
pub(crate) const DELAYS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// The shortest delay, whatever the backoff of the workers is.
const MIN_DELAY: Duration = Duration::from_millis(10);

/// The schedule of the repairs of one pool.
#[derive(Debug)]
pub(crate) struct Repair {
    delays: Backoff,
    /// The slots that are wrong.
    slots: BTreeMap<usize, SlotRepair>,
}

/// The schedule of the repairs of one slot.
#[derive(Debug, Default)]
struct SlotRepair {
    attempts: u32,
    due: Option<Time>,
}

/// A slot whose worker is missing or surplus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct WrongSlot {
    pub(crate) slot: usize,
    /// `true` while it is being repaired.
    pub(crate) is_repairing: bool,
}

/// The next step of the repairs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Step {
    /// The slots to repair now.
    pub(crate) due: Vec<usize>,
    /// When to check again, unless something changes before.
    pub(crate) wait: Option<Duration>,
}

impl Repair {
    pub(crate) const fn new(delays: Backoff) -> Self {
        Self { delays, slots: BTreeMap::new() }
    }

    /// Returns the next step, given the slots that are wrong. A slot that is right again starts
    /// anew.
    pub(crate) fn next_step(&mut self, wrong: &[WrongSlot], now: Time) -> Step {
        let mut known = std::mem::take(&mut self.slots);
        let mut step = Step::default();
        for WrongSlot { slot, is_repairing } in wrong {
            let mut repair = known.remove(slot).unwrap_or_default();
            if !is_repairing {
                let delay = delay_of(&self.delays, *slot, repair.attempts);
                let due = *repair.due.get_or_insert(now.saturating_add(delay));
                if due <= now {
                    step.due.push(*slot);
                    repair = SlotRepair { attempts: repair.attempts.saturating_add(1), due: None };
                } else {
                    let wait = due.saturating_sub(now);
                    step.wait = Some(step.wait.map_or(wait, |least| least.min(wait)));
                }
            }
            self.slots.insert(*slot, repair);
        }
        step
    }
}

/// Returns the delay of a slot after this many failures. It depends on the slot, so that workers
/// that failed together are started apart.
fn delay_of(delays: &Backoff, slot: usize, failures: u32) -> Duration {
    let sample = jitter_sample((slot as u64) << 32 ^ u64::from(failures));
    delays.delay(failures, sample).max(MIN_DELAY)
}

/// When to try a change of the workers again after it has failed.
#[derive(Debug)]
pub(crate) struct Retry {
    delays: Backoff,
    failures: u32,
    due: Option<Time>,
}

impl Retry {
    pub(crate) const fn new(delays: Backoff) -> Self {
        Self { delays, failures: 0, due: None }
    }

    /// Records the outcome of a change.
    pub(crate) fn record(&mut self, is_done: bool, now: Time) {
        let delay = delay_of(&self.delays, 0, self.failures);
        self.due = (!is_done).then(|| now.saturating_add(delay));
        self.failures = if is_done { 0 } else { self.failures.saturating_add(1) };
    }

    /// Returns `true` if a change may be tried.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.due.is_none_or(|due| due <= now)
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Returns the slots whose worker is missing or surplus, except those that a change of the
    /// workers holds. An exit from now on notifies the manager again.
    pub(crate) fn wrong_slots(&self) -> Vec<WrongSlot> {
        let mut state = self.lock_state();
        let (wanted, may_run) = (self.wanted(), self.may_run());
        let is_open = state.scheduler.phase() != Phase::Closed;
        let is_wrong = |slot: &usize| {
            let is_present = state.scheduler.is_present(*slot);
            let is_wrong = if is_present { *slot >= may_run } else { *slot < wanted };
            is_wrong && !state.held.contains(slot)
        };
        let wrong: Vec<_> = (0..if is_open { self.slots() } else { 0 })
            .filter(is_wrong)
            .map(|slot| WrongSlot { slot, is_repairing: state.repairing.contains(&slot) })
            .collect();
        state.is_check_due = false;
        wrong
    }

    /// Begins the repair of a slot. The drop of the returned value ends it and notifies the
    /// manager.
    pub(crate) fn begin_repair(self: &Arc<Self>, slot: usize) -> OnDrop {
        self.lock_state().repairing.insert(slot);
        let pool = self.clone();
        OnDrop::new(move || {
            pool.lock_state().repairing.remove(&slot);
            pool.notify_manager();
        })
    }

    /// Keeps a slot from being repaired, because a change stops and starts its worker itself. The
    /// drop of the returned value ends that.
    pub(in crate::pool) fn hold(self: &Arc<Self>, slot: usize) -> OnDrop {
        self.lock_state().held.insert(slot);
        let pool = self.clone();
        OnDrop::new(move || {
            pool.lock_state().held.remove(&slot);
            pool.notify_manager();
        })
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Starts the worker of a slot if it is missing, and stops it if it is surplus.
    pub(crate) async fn repair(&self, slot: usize) {
        let shared = &self.shared;
        if slot < shared.wanted() {
            // A failed start is repeated later. A worker that is not wanted any more declines.
            let _ = self.start_worker(slot).await;
            return;
        }
        shared.reschedule(|scheduler| scheduler.set_open(slot, false));
        // Another change may be about to want it.
        let _change = shared.changing.lock().await;
        if slot >= shared.wanted() {
            // No other change waits for a pool that is down.
            let _ = self.uninterrupted(self.stop_worker(slot)).await;
        }
    }
}
