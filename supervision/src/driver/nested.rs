//! A supervisor as a child: of another supervisor, or of the root that nobody restarts.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Parent;
use perennial_actors::{ExitReason, Handle, Pid, StartError, System};
use tokio::runtime;

use super::node::SupervisorNode;
use super::{host, picture};
use crate::node::{Node, OpenError};
use crate::tree::{Straggler, Tree};

impl Node for SupervisorNode {
    fn open(&self, system: &System, label: &str) -> Result<(), OpenError> {
        self.identity().open(system, || label.into());
        self.planned().iter().try_for_each(|child| child.node.open(system, &format!("{label}/{}", child.id)))
    }

    fn close(&self, reason: &ExitReason) {
        self.identity().close(reason);
        for child in self.planned().iter().rev() {
            child.node.close(reason);
        }
    }

    fn start(&self, parent: Arc<dyn Parent>, run: u64) -> Result<Pid, StartError> {
        let runtime = runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let attachment = self.identity().attach(parent, run)?;
        let pid = attachment.pid();
        runtime.spawn(host::run(self.clone(), attachment));
        Ok(pid)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity().abandon(pid)
    }

    fn announce(&self, reason: ExitReason, retry_in: Duration) {
        self.identity().announce(reason, retry_in);
    }

    fn handle(&self) -> Handle {
        self.address().handle()
    }

    /// Its own children are still to be stopped in good order; it ends as killed after that. As OTP has it.
    fn orphan(&self) {
        // If it is gone already, there is nobody to tell.
        let _ = self.handle().stop(ExitReason::Killed);
    }

    fn branches(&self) -> Option<Vec<Tree>> {
        Some(picture::branches(self))
    }

    fn stragglers(&self, into: &mut Vec<Straggler>) {
        let below: Vec<_> = {
            let book = self.book();
            into.extend(book.stragglers.iter().cloned());
            book.nodes().cloned().collect()
        };
        below.iter().for_each(|child| child.stragglers(into));
    }
}
