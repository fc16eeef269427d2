//! What a supervisor needs of a child, whatever it is: an actor, or a supervisor with children of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Parent;
use perennial_actors::{ExitReason, Handle, Pid, StartError, System};
use perennial_registry::BindError;

use crate::tree::Tree;

/// A child, from its first opening to its last end.
pub(crate) trait Node: Send + Sync {
    /// Lets messages queue, for it and for all below it, and binds their names. May be done again.
    fn open(&self, system: &System, label: &str) -> Result<(), OpenError>;

    /// Refuses messages, for it and for all below it: nobody is due to serve them any more.
    fn close(&self, reason: &ExitReason);

    /// Starts the next incarnation, which tells `parent`.
    fn start(&self, parent: Arc<dyn Parent>, run: u64) -> Result<Pid, StartError>;

    /// Takes the mailbox away from an incarnation that does not die.
    fn abandon(&self, pid: Pid) -> bool;

    /// The means to stop, kill and watch it.
    fn handle(&self) -> Handle;

    /// Ends it because its supervisor was killed.
    fn orphan(&self) {
        // If it is gone already, there is nobody to kill.
        let _ = self.handle().kill();
    }

    /// Says why there is no incarnation, and in how long the next is begun, for those who ask.
    fn announce(&self, reason: ExitReason, retry_in: Duration);

    /// Asks it whether it gets on, if it is to be asked: whether it answers in time.
    fn probe(&self) -> Option<Pin<Box<dyn Future<Output = bool> + Send>>> {
        None
    }

    /// What is below it, if it is a supervisor.
    fn branches(&self) -> Option<Vec<Tree>> {
        None
    }

    /// Who below it did not stop in time when it last stopped, if it is a supervisor.
    fn stragglers(&self, into: &mut Vec<crate::tree::Straggler>) {
        let _ = into;
    }
}

/// Why a child cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its name leads to somebody else.
    #[error(transparent)]
    Name(#[from] BindError),
}
