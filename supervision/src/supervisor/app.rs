//! A tree that runs, from its root: waiting for its end, and bringing it about.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, ExitReason, System};

use crate::driver::Root;
use crate::nesting;
use crate::node::ChildNode;
use crate::tree::{Tree, UnstoppedChild};

/// A tree that was started, with `H` to manage its root by. Clones are the same tree; to drop it changes nothing.
///
/// It is what OTP calls an application: nobody restarts its root, and when that ends the tree is over.
#[derive(Clone)]
pub struct App<H> {
    root: Arc<Root>,
    supervisor: H,
}

impl<H> App<H> {
    pub(crate) const fn new(root: Arc<Root>, supervisor: H) -> Self {
        Self { root, supervisor }
    }

    /// The means to manage the children of the root.
    #[must_use]
    pub const fn supervisor(&self) -> &H {
        &self.supervisor
    }

    /// What the tree looks like at this moment. It is a look, not a request: it takes no time of any supervisor, and
    /// shows also one that is just being restarted.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.root.node.tree()
    }

    /// The means to stop, kill and watch the root alone.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.root.node.handle()
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
        ShutdownReport { reason, unstopped: nesting::unstopped(&self.root.node) }
    }

    /// Returns the system that it lives in.
    pub(super) fn system(&self) -> &System {
        &self.root.system
    }

    /// Whether its root gave up.
    pub(super) fn gave_up(&self) -> bool {
        self.root.node.state().gave_up
    }

    /// Waits for the end of the tree, whatever brings it; the reason. When it is ready, everything in the tree is refused.
    pub async fn join(&self) -> ExitReason {
        self.root.ended().await
    }
}

impl<H> fmt::Debug for App<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("tree", &self.tree()).finish_non_exhaustive()
    }
}

/// How a tree stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "it says who did not stop in time"]
pub struct ShutdownReport {
    /// The reason with which the root ended.
    pub reason: ExitReason,
    /// Who did not stop in the time that its spec gives it; and who was abandoned before, because it may run still.
    pub unstopped: Vec<UnstoppedChild>,
}

impl ShutdownReport {
    /// Whether everybody stopped in time.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unstopped.is_empty()
    }
}
