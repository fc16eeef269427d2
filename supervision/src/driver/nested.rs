//! A supervisor as a child: of another supervisor, or of the root that nobody restarts.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ExitReason, Handle, Pid, StartError, System};

use super::host::Announce;
use super::node::SupervisorNode;
use super::{host, picture};
use crate::node::{Birth, Claims, Node, OpenError};
use crate::tree::{Straggler, Tree};

impl SupervisorNode {
    /// Starts the next incarnation, which says which ractor actor it is.
    pub(super) fn begin(&self, birth: Birth, announce: Option<Announce>) -> Result<Pid, StartError> {
        birth.begin(self.identity(), |attachment| host::run(self.clone(), attachment, announce))
    }
}

impl Node for SupervisorNode {
    fn open(&self, system: &System, label: &str) -> Result<(), OpenError> {
        self.identity().open(system, || label.into());
        self.book().reclaim();
        let open = |(id, child): &(_, Arc<dyn Node>)| {
            child.handle().set_supervisor(&self.handle());
            child.open(system, &format!("{label}/{id}"))
        };
        self.planned().iter().try_for_each(open).inspect_err(|error| {
            // All of it is open, or nothing is.
            self.close(&ExitReason::failed(error.clone()));
        })
    }

    fn close(&self, reason: &ExitReason) {
        self.identity().close(reason);
        for (_, child) in self.planned().iter().rev() {
            child.close(reason);
        }
    }

    fn claims(&self) -> &Claims {
        self.claims()
    }

    fn start(&self, birth: Birth) -> Result<Pid, StartError> {
        self.begin(birth, None)
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
            into.extend(book.stragglers().cloned());
            book.nodes().map(|(_, node)| node.clone()).collect()
        };
        below.iter().for_each(|child| child.stragglers(into));
    }
}
