//! The slots of calls that each thread keeps for the next calls.
//!
//! # Guarantees
//!
//! - A kept slot holds no waker and no answer, so it keeps nothing of a task alive.
//! - A thread keeps at most [`KEPT`] slots of at most [`LARGEST`] bytes, and drops them when it
//!   ends.
//! - A kept slot is used again only by the task that has used it. A task stays on its runtime, so
//!   the ticker that served it once serves it again.

use std::any::TypeId;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::Arc;

use tokio::task;

use super::call_slot::{AnySlot, Slot, leave};

/// The number of slots that a thread keeps. A task that finds its slot replaced uses another one.
const KEPT: usize = 64;

/// The size of the largest slot that is kept.
const LARGEST: usize = 1_024;

type KeptSlot = Option<(task::Id, Arc<dyn AnySlot>)>;

thread_local! {
    /// The slots that tasks have used on this thread. A task has one place for each type of
    /// answers. Others share it.
    static SLOTS: RefCell<[KeptSlot; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// Takes the slot for these answers that this task has used on this thread.
pub(super) fn take<T: Send + 'static>(task: task::Id) -> Option<Arc<Slot<T>>> {
    let kept = with_place(task, TypeId::of::<T>(), |place| match place {
        Some((owner, _)) if *owner == task => place.take(),
        _ => None,
    });
    let (_, slot) = kept.flatten()?;
    slot.into_any().downcast().ok()
}

/// Keeps a slot that is not in use for the next call of this task.
pub(super) fn keep(task: task::Id, slot: Arc<dyn AnySlot>) {
    let (is_small, answers) = (size_of_val(&*slot) <= LARGEST, slot.answers());
    let mut kept = Some((task, slot));
    if is_small {
        with_place(task, answers, |place| mem::swap(place, &mut kept));
    }
    if let Some((_, replaced)) = kept {
        leave(&*replaced);
    }
}

/// Calls `change` with the place of a task, unless this thread is ending.
fn with_place<R>(task: task::Id, answers: TypeId, change: impl FnOnce(&mut KeptSlot) -> R) -> Option<R> {
    let mut number = Number(0);
    task.hash(&mut number);
    answers.hash(&mut number);
    let place = number.0 as usize % KEPT;
    let changed = SLOTS.try_with(|slots| Some(change(slots.try_borrow_mut().ok()?.get_mut(place)?)));
    changed.ok().flatten()
}

/// Adds up the numbers of a task and of a type: tokio and Rust hash them, and give no other access
/// to them.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 << 8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.wrapping_add(number);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
