//! Whom an incarnation tells that it has started, and that it has ended.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::exit::ExitReason;
use crate::foreign::ignore_panic;
use crate::pid::Pid;

/// How an incarnation ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct IncarnationExit {
    /// The incarnation.
    pub pid: Pid,
    /// Why it ended.
    pub reason: ExitReason,
    /// Whether its start had succeeded: if not, it ended in its init, or before it was [ready](crate::Context::ready).
    pub started: bool,
    /// How many messages went down with it: the one that it was handling if it was killed, and those that waited in a mailbox
    /// that is [discarded](crate::MailboxConfig::discard_on_restart). Not one whose handler has failed.
    pub dropped: u64,
}

/// Who started an incarnation and has to know what becomes of it: a supervisor.
///
/// `run` is the number that the parent gave to this start, so that news of an old incarnation is never taken for news
/// of a new one. Every start is followed by exactly one `ended`, with at most one `started` before it. Both are called
/// from the incarnation's own task and must not wait.
pub trait Parent: Send + Sync + 'static {
    /// The start succeeded: the init returned, or the actor said later that it is [ready](crate::Context::ready).
    fn started(&self, run: u64);
    /// It is over, and another incarnation may attach.
    fn ended(&self, run: u64, end: IncarnationExit);
    /// Returns what a child may know of this parent, to be downcast. `None` unless it is overridden.
    fn as_any(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}

/// Whom to tell.
pub(crate) enum ExitNotifier {
    /// Nobody.
    Nobody,
    /// Whoever waits for the start to succeed.
    Starter(oneshot::Sender<Result<(), ExitReason>>),
    /// A parent, which is also the one who decides whether another incarnation follows.
    Parent(Arc<dyn Parent>, u64),
}

impl ExitNotifier {
    /// Whether somebody decides what follows an end. If nobody does, nothing follows.
    pub(crate) const fn is_supervised(&self) -> bool {
        matches!(self, Self::Parent(..))
    }

    pub(crate) fn started(&mut self) {
        match self {
            Self::Nobody => {}
            Self::Starter(_) => {
                if let Self::Starter(starter) = std::mem::replace(self, Self::Nobody) {
                    // Whoever started it has stopped waiting; the actor goes on.
                    ignore_panic(|| drop(starter.send(Ok(()))));
                }
            }
            Self::Parent(parent, run) => parent.started(*run),
        }
    }

    pub(crate) fn ended(self, end: IncarnationExit) {
        match self {
            Self::Nobody => {}
            Self::Starter(starter) => {
                ignore_panic(|| drop(starter.send(Err(end.reason))));
            }
            Self::Parent(parent, run) => parent.ended(run, end),
        }
    }
}
