//! What can be done with a process without knowing its messages.

use std::sync::Arc;

use crate::counters::Counters;
use crate::exit::ExitReason;
use crate::mailbox::{CloseHook, Watcher};
use crate::pid::Pid;

/// Whether anybody serves an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProcessState {
    /// An incarnation lives: it starts, works or waits.
    Alive(Pid),
    /// Between two incarnations, or before the first: messages queue.
    Due,
    /// Nobody lives and nobody is due: messages are refused.
    Closed,
}

pub(crate) trait AnyProcess: Send + Sync {
    fn label(&self) -> Option<&Arc<str>>;
    fn state(&self) -> ProcessState;
    fn counters(&self) -> Counters;
    fn exit(&self, reason: ExitReason) -> bool;
    fn kill(&self) -> bool;
    fn watch(&self, watcher: Watcher) -> Result<u64, Watcher>;
    fn unwatch(&self, id: u64);
    fn on_close(&self, hook: CloseHook) -> Result<(), CloseHook>;
}
