//! A supervisor as a child, of another supervisor or of the root.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Label;
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};

use super::host;
use super::node::SupervisorNode;
use super::run::Tie;
use crate::dropped::DropCounters;
use crate::nesting;
use crate::node::{ChildNode, Claims, DropQueue, Group, ListedChild, OpenError, StartParams};
use crate::tree::UnstoppedChild;

impl SupervisorNode {
    /// Starts the next incarnation. `tie` runs when all of its children have started. When this
    /// returns, the mailboxes of all children that the incarnation starts are open.
    pub(super) fn begin(&self, params: StartParams, tie: Option<Tie>) -> Result<Pid, SpawnError> {
        params.begin(self.identity(), |attachment| {
            self.state().reclaim();
            nesting::reopen_children(self, attachment.system(), &self.label());
            host::run(self.clone(), attachment, tie)
        })
    }
}

impl ChildNode for SupervisorNode {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.identity().open(system, || label.clone());
        self.state().reclaim();
        Ok(())
    }

    /// Returns zero: the messages in the mailbox of a supervisor do not belong to the user.
    fn close_alone(&self, reason: &ExitReason) -> Option<u64> {
        self.identity().close(reason).map(|_| 0)
    }

    fn drain(&self, reason: ExitReason) {
        self.set_drains(true);
        // If it has exited by itself, its exit is in the inbox of its parent.
        let _ = self.handle().stop(reason);
    }

    fn counts_dropped(&self) -> bool {
        false
    }

    fn claims(&self) -> &Claims {
        self.claims()
    }

    fn start(&self, params: StartParams) -> Result<Pid, SpawnError> {
        self.set_drains(false);
        self.begin(params, None)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity().abandon(pid)
    }

    fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration) {
        self.identity().set_pending_restart(reason, retry_in);
    }

    fn handle(&self) -> ActorHandle {
        self.address().handle()
    }

    /// Its own children are stopped in order, and it exits as killed after that. As in OTP.
    fn kill_orphan(&self) {
        // An error says that there is no incarnation to stop.
        let _ = self.handle().stop(ExitReason::Killed);
    }

    fn group(&self) -> Option<&dyn Group> {
        Some(self)
    }

    fn dismantle(self: Arc<Self>, queue: &mut DropQueue) {
        if let Some(node) = Arc::into_inner(self) {
            node.dismantle_into(queue);
        }
    }
}

impl Group for SupervisorNode {
    fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)> {
        let state = self.state();
        state.plan.children.iter().map(|child| (child.id.clone(), child.node.node().clone())).collect()
    }

    fn drop_counters(&self) -> Arc<DropCounters> {
        self.drop_counters()
    }

    fn set_drop_counters(&self, counters: Arc<DropCounters>) {
        self.set_drop_counters(counters);
    }

    fn list_children(&self) -> Vec<ListedChild> {
        self.state().list_children()
    }

    fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>> {
        let state = self.state();
        into.extend(state.unstopped().cloned());
        state.nodes().map(|(_, node)| node.clone()).collect()
    }
}
