//! A supervisor as a child: of another supervisor, or of the root that nobody restarts.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Label;
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};

use super::host;
use super::node::SupervisorNode;
use super::run::Tie;
use crate::dropped::DropCounters;
use crate::nesting;
use crate::node::{ChildNode, Claims, Group, Nest, OpenError, Seen, StartParams};
use crate::tree::UnstoppedChild;

impl SupervisorNode {
    /// Starts the next incarnation, which is tied to something else when it is up. The mailboxes of
    /// all the children that it starts are open when this returns.
    pub(super) fn begin(&self, birth: StartParams, tie: Option<Tie>) -> Result<Pid, SpawnError> {
        birth.begin(self.identity(), |attachment| {
            self.book().reclaim();
            nesting::reopen_children(self, attachment.system(), &self.label());
            host::run(self.clone(), attachment, tie)
        })
    }
}

impl ChildNode for SupervisorNode {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.identity().open(system, || label.clone());
        self.book().reclaim();
        Ok(())
    }

    /// What its mailbox held was no message of a user.
    fn close_alone(&self, reason: &ExitReason) -> Option<u64> {
        self.identity().close(reason).map(|_| 0)
    }

    fn drain(&self, reason: ExitReason) {
        self.set_drains(true);
        // If it has ended by itself, its parent is told.
        let _ = self.handle().stop(reason);
    }

    fn counts_dropped(&self) -> bool {
        false
    }

    fn claims(&self) -> &Claims {
        self.claims()
    }

    fn start(&self, birth: StartParams) -> Result<Pid, SpawnError> {
        self.set_drains(false);
        self.begin(birth, None)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity().abandon(pid)
    }

    fn announce(&self, reason: ExitReason, retry_in: Duration) {
        self.identity().set_pending_restart(reason, retry_in);
    }

    fn handle(&self) -> ActorHandle {
        self.address().handle()
    }

    /// Its own children are still to be stopped in good order; it ends as killed after that. As OTP has it.
    fn kill_orphan(&self) {
        // If it is gone already, there is nobody to tell.
        let _ = self.handle().stop(ExitReason::Killed);
    }

    fn group(&self) -> Option<&dyn Group> {
        Some(self)
    }

    fn dismantle(self: Arc<Self>, nest: &mut Nest) {
        if let Some(node) = Arc::into_inner(self) {
            node.dismantle_into(nest);
        }
    }
}

impl Group for SupervisorNode {
    fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)> {
        let book = self.book();
        book.plan.children.iter().map(|child| (child.id.clone(), child.node.node().clone())).collect()
    }

    fn drop_counters(&self) -> Arc<DropCounters> {
        self.drop_counters()
    }

    fn set_drop_counters(&self, counters: Arc<DropCounters>) {
        self.set_drop_counters(counters);
    }

    fn seen(&self) -> Vec<Seen> {
        self.book().seen()
    }

    fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>> {
        let book = self.book();
        into.extend(book.unstopped().cloned());
        book.nodes().map(|(_, node)| node.clone()).collect()
    }
}
