//! What the start of an actor waits for: an actor that is down for its supervisor, and that for the start of another child.
//!
//! A supervisor that starts several children starts one after the other, and a child that ended meanwhile only when all have
//! started. So code in an init that waits for a child of that supervisor which is down waits for itself. Supervisors say here whose
//! start they wait for, so that such code gets an error.
//!
//! Only a caller whose target is down pays for it.

use std::sync::{Arc, Weak};

use tokio::task;

use super::shared::Process;
use crate::any_process::{AnyProcess, StartOrder};

/// Sets what starts a process.
pub(crate) fn set_supervisor(process: &dyn AnyProcess, supervisor: Weak<dyn AnyProcess>) {
    change(process, |order| order.supervisor.replace(supervisor));
}

/// Sets the id by which errors name a process before its first start.
pub(super) fn set_id(process: &dyn AnyProcess, id: Arc<str>) {
    change(process, |order| order.id.replace(id));
}

/// Returns the id that was set, if one was.
pub(super) fn id(process: &dyn AnyProcess) -> Option<Arc<str>> {
    process.start_order().lock().as_ref()?.id.clone()
}

/// Sets the child whose start a supervisor waits for, if it waits for one.
pub(crate) fn set_awaited(supervisor: &dyn AnyProcess, child: Option<Weak<dyn AnyProcess>>) {
    change(supervisor, |order| std::mem::replace(&mut order.awaited, child));
}

/// What was set before is dropped under no lock.
fn change<T>(process: &dyn AnyProcess, change: impl FnOnce(&mut StartOrder) -> T) {
    let before = {
        let mut slot = process.start_order().lock();
        change(slot.get_or_insert_with(Box::default))
    };
    drop(before);
}

/// Returns what starts a process, if it was set and is still there.
pub(crate) fn supervisor(process: &dyn AnyProcess) -> Option<Arc<dyn AnyProcess>> {
    process.start_order().lock().as_ref()?.supervisor.as_ref()?.upgrade()
}

fn awaited(supervisor: &dyn AnyProcess) -> Option<Arc<dyn AnyProcess>> {
    supervisor.start_order().lock().as_ref()?.awaited.as_ref()?.upgrade()
}

/// Returns the child whose start a supervisor waits for, or, if that is a supervisor that waits for a start, what that waits for.
fn starting(supervisor: &dyn AnyProcess) -> Option<Arc<dyn AnyProcess>> {
    let mut last = awaited(supervisor)?;
    while let Some(next) = awaited(&*last) {
        last = next;
    }
    Some(last)
}

/// Wakes the incarnation whose start a supervisor waits for in the end: what it waits for may have ended.
pub(crate) fn poke_awaited(supervisor: &dyn AnyProcess) {
    if let Some(child) = starting(supervisor) {
        child.poke();
    }
}

impl<M: Send + 'static> Process<M> {
    /// Returns `true` if no incarnation lives, and the next one is started only when the code that asks has returned.
    pub(crate) fn waits_for_this_task(&self) -> bool {
        match task::try_id() {
            Some(caller) if self.queue.is_vacant() => waits_for(self, caller),
            _ => false,
        }
    }
}

/// Returns `true` if a process that is down is started only when this task has completed its own start.
fn waits_for(process: &dyn AnyProcess, caller: task::Id) -> bool {
    let mut above = supervisor(process);
    while let Some(supervising) = above {
        if !supervising.is_vacant() {
            return starting(&*supervising).is_some_and(|child| child.is_run_by(caller));
        }
        // It waits for its own start, and its children with it.
        above = supervisor(&*supervising);
    }
    false
}
