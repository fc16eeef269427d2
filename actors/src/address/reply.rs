//! The right, and the means, to answer one call.

use std::fmt;

use tokio::sync::oneshot;

use crate::foreign::ignore_panic;

/// Answers one call, once. It may be kept and used later, or sent elsewhere and used there.
///
/// Dropped without an answer it tells the caller so.
#[must_use = "a caller waits for this reply"]
pub struct Reply<T>(oneshot::Sender<T>);

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers. If the caller has stopped waiting, nobody notices: a late answer is unobservable.
    pub fn send(self, answer: T) {
        ignore_panic(|| drop(self.0.send(answer)));
    }

    /// Whether the caller has stopped waiting, so that an answer would be work for nothing.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply(..)")
    }
}
