//! A message that is enqueued under a lock of the sender. The actor is woken after that.

use std::fmt;
use std::task::Waker;

use super::handle::ActorHandle;
use crate::mailbox::wake;
use crate::process::Process;

/// The wake-up of an actor that has a new message. Dropping this does not wake it.
#[must_use = "the actor is not woken before `wake`"]
pub struct WakeUp(Option<Waker>);

impl WakeUp {
    /// Wakes the actor, if it waits for a message. The waker is foreign code: the caller holds no
    /// lock.
    #[inline]
    pub fn wake(self) {
        wake(self.0);
    }
}

impl fmt::Debug for WakeUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakeUp(..)")
    }
}

/// Enqueues a message, for a caller that holds a lock. Runs no foreign code.
///
/// # Errors
///
/// The message, if the actor has another message type, or it is not known that its mailbox is open
/// and has room. [`Address::cast`](crate::Address::cast) finds out.
#[inline]
pub fn try_enqueue<M: Send + 'static>(actor: &ActorHandle, message: M) -> Result<WakeUp, M> {
    match actor.process().as_any().downcast_ref::<Process<M>>() {
        Some(process) => process.queue.try_enqueue(message).map(WakeUp),
        None => Err(message),
    }
}
