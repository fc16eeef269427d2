//! The handle that answers one call.

use std::fmt;
use std::sync::Arc;

use crate::foreign::ignore_panic;
use crate::system::Slot;

/// Answers one call, once. It may be stored and used later, or sent to another task or actor.
///
/// If it is dropped without an answer, the call fails with
/// [`ReplyDropped`](crate::CallError::ReplyDropped).
#[must_use = "a caller waits for this reply"]
pub struct Reply<T>(Option<Arc<Slot<T>>>);

impl<T> Reply<T> {
    pub(super) const fn new(slot: Arc<Slot<T>>) -> Self {
        Self(Some(slot))
    }

    #[cfg(feature = "remote")]
    pub(super) const fn slot(&self) -> Option<&Arc<Slot<T>>> {
        self.0.as_ref()
    }

    /// Sends the answer. An answer to a caller that has stopped waiting is dropped without notice.
    pub fn send(mut self, answer: T) {
        let slot = self.0.take();
        ignore_panic(|| drop(slot.map(|slot| slot.answer(answer))));
    }

    /// Returns `true` if the caller has stopped waiting, so that computing an answer is useless.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| slot.is_closed())
    }
}

/// Wakes the caller under a guard, because its waker may panic: a state may hold several replies,
/// and two panics in one unwinding would abort.
impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            #[cfg(feature = "remote")]
            if super::wire_scope::is_sent(&slot) {
                return;
            }
            ignore_panic(|| slot.drop_reply());
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply(..)")
    }
}
