//! The notifications of the start and the end of an incarnation.

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
    /// `true` if its start had succeeded. If not, it ended in its init, or before it was
    /// [ready](crate::Context::ready).
    pub started: bool,
    /// The number of messages that were dropped with it: the one in flight if it was killed, and
    /// the queued ones if the mailbox is [discarded](crate::MailboxConfig::discard_on_restart). It
    /// does not include a message whose handler failed.
    pub dropped: u64,
}

/// The parent of an incarnation, which is notified of its start and its end: a supervisor.
///
/// `run` is the number that the parent gave to this start. So a notification of an old incarnation
/// is never taken for one of a new incarnation.
///
/// # Ordering
///
/// Every start is followed by exactly one `ended`, with at most one `started` before it. Both are
/// called from the task of the incarnation and must not block.
pub trait Parent: Send + Sync + 'static {
    /// Handles a successful start: the init returned, or the actor reported later that it is
    /// [ready](crate::Context::ready).
    fn started(&self, run: u64);
    /// Handles the end of the incarnation. Another incarnation may attach now.
    fn ended(&self, run: u64, end: IncarnationExit);
    /// Returns the part of this parent that its children may downcast and use. The default is
    /// `None`.
    fn as_any(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}

/// The receiver of the notifications of one incarnation.
pub(crate) enum ExitNotifier {
    /// There is no receiver.
    None,
    /// The task that waits until the start has succeeded.
    Starter(oneshot::Sender<Result<(), ExitReason>>),
    /// The parent, which also decides whether another incarnation follows.
    Parent(Arc<dyn Parent>, u64),
}

impl ExitNotifier {
    /// Returns `true` if a parent decides what follows an end. Without one, nothing follows.
    pub(crate) const fn is_supervised(&self) -> bool {
        matches!(self, Self::Parent(..))
    }

    pub(crate) fn started(&mut self) {
        match self {
            Self::None => {}
            Self::Starter(_) => {
                if let Self::Starter(starter) = std::mem::replace(self, Self::None) {
                    // The starting task may have stopped waiting. The actor runs on.
                    ignore_panic(|| drop(starter.send(Ok(()))));
                }
            }
            Self::Parent(parent, run) => parent.started(*run),
        }
    }

    pub(crate) fn ended(self, end: IncarnationExit) {
        match self {
            Self::None => {}
            Self::Starter(starter) => {
                ignore_panic(|| drop(starter.send(Err(end.reason))));
            }
            Self::Parent(parent, run) => parent.ended(run, end),
        }
    }
}
