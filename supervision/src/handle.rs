//! The means to watch, mend and end a tree that runs.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ExitReason, Handle, Reply, System};

use crate::driver::{Request, Root, start};
use crate::error::{ChildError, StartError};
use crate::node::Node;
use crate::spec::Supervisor;
use crate::tree::{Straggler, Tree};

impl Supervisor {
    /// Starts the tree; ready when every child of it is up, in order.
    ///
    /// From the moment this is first polled, all addresses and names of the tree are good, whether or not their turn has
    /// come.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, what has started is stopped again.
    ///
    /// # Errors
    ///
    /// A wrong spec, a name that is taken, or a child that does not start. Then nothing of the tree runs.
    pub async fn start(self, system: &System) -> Result<SupervisorHandle, StartError> {
        Ok(SupervisorHandle(start(self, system).await?))
    }
}

/// A tree that runs, from its root. Clones are the same tree; to drop it changes nothing.
#[derive(Clone)]
pub struct SupervisorHandle(Arc<Root>);

impl SupervisorHandle {
    /// What the tree looks like at this moment. It is a look, not a request: it takes no time of any supervisor, and
    /// shows also one that is just being restarted.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.0.node.tree()
    }

    /// The means to stop, kill and watch the root alone.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.0.node.handle()
    }

    /// Stops the tree: every child before those that were started before it, each in the way that its spec says, and waited
    /// for. Ready when nothing of it runs; if it had ended before, at once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree stops all the same.
    pub async fn shutdown(&self) -> ShutdownReport {
        // If it has ended, there is nobody to tell.
        let _ = self.handle().stop(ExitReason::shutdown());
        let reason = self.join().await;
        let mut stragglers = Vec::new();
        self.0.node.stragglers(&mut stragglers);
        ShutdownReport { reason, stragglers }
    }

    /// Waits for the end of the tree, whatever brings it; the reason. When it is ready, everything in the tree is refused.
    pub async fn join(&self) -> ExitReason {
        self.0.over().await
    }

    /// Stops a child of the root, and leaves it down: its mailbox is closed. OTP's `terminate_child`.
    ///
    /// # Errors
    ///
    /// If there is no such child, or the tree is on its way out.
    pub async fn terminate_child(&self, id: impl Into<Arc<str>>) -> Result<(), ChildError> {
        let id = id.into();
        self.ask(|reply| Request::Terminate(id, reply)).await
    }

    /// Starts a child of the root that is down: the same mailbox opens again. OTP's `restart_child`: it counts for no
    /// intensity, and is not tried again if it fails.
    ///
    /// # Errors
    ///
    /// If there is no such child, if it is not down, if it does not start, or the tree is on its way out.
    pub async fn restart_child(&self, id: impl Into<Arc<str>>) -> Result<(), ChildError> {
        let id = id.into();
        self.ask(|reply| Request::Restart(id, reply)).await
    }

    async fn ask(
        &self,
        request: impl FnOnce(Reply<Result<(), ChildError>>) -> Request,
    ) -> Result<(), ChildError> {
        let address = self.0.node.address();
        let answer = address.call(|reply| crate::driver::News::Request(request(reply))).no_timeout().await;
        answer.unwrap_or(Err(ChildError::ShuttingDown))
    }
}

impl fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").field("tree", &self.tree()).finish()
    }
}

/// How a tree stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "it says who did not stop in time"]
pub struct ShutdownReport {
    /// The reason with which the root ended.
    pub reason: ExitReason,
    /// Who did not stop in the time that its spec gives it.
    pub stragglers: Vec<Straggler>,
}

impl ShutdownReport {
    /// Whether everybody stopped in time.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.stragglers.is_empty()
    }
}
