//! Detection of starts that would wait for themselves.
//!
//! A supervisor starts its children one after the other. A child that ended meanwhile is restarted
//! only after all of them have started. So an init that waits for such a child of the same
//! supervisor waits for itself. Supervisors record here which start they wait for, so that the code
//! of the init gets an error.
//!
//! Only a caller whose target is not running pays for the check.

use std::sync::{Arc, Weak};

use tokio::task;

use crate::system::{AnyProcess, StartOrder, StartOrderParts};

/// Sets the supervisor that starts a process.
pub(crate) fn set_supervisor(process: &dyn AnyProcess, supervisor: Weak<dyn AnyProcess>) {
    {
        let mut slot = process.start_order().lock();
        if matches!(*slot, StartOrder::Parts(None)) {
            *slot = StartOrder::Supervised(supervisor);
            return;
        }
    }
    update(process, |order| order.supervisor.replace(supervisor));
}

/// Sets the id by which errors name a process before its first start.
pub(super) fn set_id(process: &dyn AnyProcess, id: Arc<str>) {
    update(process, |order| order.id.replace(id));
}

/// Removes the id, because errors name the process by its label from now on.
pub(super) fn remove_id(process: &dyn AnyProcess) {
    if id(process).is_some() {
        update(process, |order| order.id.take());
    }
}

/// Returns the id that was set, if one was.
pub(super) fn id(process: &dyn AnyProcess) -> Option<Arc<str>> {
    process.start_order().lock().parts()?.id.clone()
}

/// Sets the child whose start a supervisor waits for, or `None`.
pub(crate) fn set_awaited(supervisor: &dyn AnyProcess, child: Option<Weak<dyn AnyProcess>>) {
    update(supervisor, |order| std::mem::replace(&mut order.awaited, child));
}

/// Updates the start order of a process. Drops the previous value under no lock.
fn update<T>(process: &dyn AnyProcess, change: impl FnOnce(&mut StartOrderParts) -> T) {
    let before = {
        let mut slot = process.start_order().lock();
        let mut parts = slot.take();
        let before = change(&mut parts);
        slot.set(parts);
        before
    };
    drop(before);
}

/// Returns the process that starts the given one, if it was set and still exists.
pub(crate) fn supervisor(process: &dyn AnyProcess) -> Option<Arc<dyn AnyProcess>> {
    process.start_order().lock().supervisor()?.upgrade()
}

fn awaited(supervisor: &dyn AnyProcess) -> Option<Arc<dyn AnyProcess>> {
    supervisor.start_order().lock().parts()?.awaited.as_ref()?.upgrade()
}

/// Returns the child whose start a supervisor waits for. If that child is a supervisor that waits
/// for a start itself, returns the last child of this chain.
fn starting(supervisor: &dyn AnyProcess) -> Option<Arc<dyn AnyProcess>> {
    let mut last = awaited(supervisor)?;
    while let Some(next) = awaited(&*last) {
        last = next;
    }
    Some(last)
}

/// Wakes the incarnation whose start a supervisor waits for in the end, because the process that it
/// waits for may have ended.
pub(crate) fn poke_awaited(supervisor: &dyn AnyProcess) {
    if let Some(child) = starting(supervisor) {
        child.mailbox().poke();
    }
}

/// Returns `true` if a process without an incarnation starts only after this task has completed its
/// own start.
pub(super) fn waits_for(process: &dyn AnyProcess, caller: task::Id) -> bool {
    let mut above = supervisor(process);
    while let Some(supervising) = above {
        if !supervising.mailbox().is_vacant() {
            return starting(&*supervising).is_some_and(|child| child.mailbox().is_run_by(caller));
        }
        // This supervisor waits for its own start, and so do its children.
        above = supervisor(&*supervising);
    }
    false
}
