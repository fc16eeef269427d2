//! What reaches an incarnation ahead of all messages.

use crate::exit::ExitReason;

/// Something other than a message that an incarnation acts on: between two messages, and ahead of all that wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// End, for this reason.
    Exit(ExitReason),
}
