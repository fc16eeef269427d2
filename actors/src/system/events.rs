//! What happens to actors and supervisors, for whoever wants to watch: tests, consoles, the chaos demo.

use std::sync::Arc;

use crate::exit::ExitReason;
use crate::pid::Pid;

/// Something that happened in a system. Events of one actor come in the order in which they happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LifecycleEvent {
    /// An incarnation has started: its init returned, or it said later that it is [ready](crate::Context::ready).
    Started {
        /// The incarnation.
        pid: Pid,
        /// Where it stands in its tree, or the type of an actor outside any.
        label: Arc<str>,
    },
    /// An incarnation ended, in its start or later.
    Ended {
        /// The incarnation.
        pid: Pid,
        /// Where it stood in its tree.
        label: Arc<str>,
        /// Why it ended.
        reason: ExitReason,
    },
    /// The mailbox was taken away from an incarnation that did not die when it was killed.
    Abandoned {
        /// The incarnation, which may hang for ever.
        pid: Pid,
        /// Where it stood in its tree.
        label: Arc<str>,
    },
    /// Nobody serves this identity any more, and nobody is due to: messages are refused from now on.
    Closed {
        /// The last incarnation; number 0 if it never started.
        pid: Pid,
        /// Where it stood in its tree.
        label: Arc<str>,
        /// Why it is over.
        reason: ExitReason,
    },
}
