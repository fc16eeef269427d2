//! The right, and the means, to answer one call.

use std::fmt;

use tokio::sync::oneshot;

use crate::foreign::ignore_panic;

/// Answers one call, once. It may be kept and used later, or sent elsewhere and used there.
///
/// Dropped without an answer it tells the caller so.
#[must_use = "a caller waits for this reply"]
pub struct Reply<T>(Option<oneshot::Sender<T>>);

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    /// Answers. If the caller has stopped waiting, nobody notices: a late answer is unobservable.
    pub fn send(mut self, answer: T) {
        let sender = self.0.take();
        ignore_panic(|| drop(sender.map(|sender| sender.send(answer))));
    }

    /// Whether the caller has stopped waiting, so that an answer would be work for nothing.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

/// Wakes the caller, whose waker may panic: a state may keep several replies, and two panics in one unwinding would abort.
impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            ignore_panic(|| drop(sender));
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply(..)")
    }
}
