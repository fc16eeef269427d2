//! What a supervisor leaves behind when it is killed: children, that have to be gone before anybody starts them again.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Attachment;
use perennial_actors::{ExitReason, Monitor, Pid};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::inbox::News;
use super::node::SupervisorNode;
use crate::node::Node;

/// A child that is on its way out.
struct Orphan {
    node: Arc<dyn Node>,
    pid: Option<Pid>,
    monitor: Monitor,
    patience: Option<Duration>,
}

/// Kills the children of a supervisor that is dead, waits until they are gone, and only then ends it. Children that are
/// supervisors stop theirs in good order, as in OTP. There is no round any more, so all go at once. The task that does so.
pub(super) fn see_to(node: &SupervisorNode, mut attachment: Attachment<News>) -> Option<JoinHandle<()>> {
    attachment.handled();
    let (nodes, passing): (Vec<_>, _) = {
        let mut book = node.book();
        book.retire();
        (book.nodes().rev().cloned().collect(), book.passing())
    };
    let patience = node.patience();
    let orphans: Vec<Orphan> = nodes.into_iter().map(|node| orphan(node, patience)).collect();
    let ending = async move {
        for orphan in orphans {
            wait_for(orphan).await;
        }
        passing.iter().for_each(|node| node.close(&ExitReason::Killed));
        attachment.end(ExitReason::Killed);
    };
    // Without a runtime nothing runs any more that could be waited for; the attachment ends when it is dropped.
    runtime::Handle::try_current().ok().map(|runtime| runtime.spawn(ending))
}

/// Watched first, told then, and only then looked at. One that ends by itself in between is not alive when it is looked at, and
/// so is not waited for: its monitor may be bound to a next incarnation, which nobody is there to start.
fn orphan(node: Arc<dyn Node>, patience: Duration) -> Orphan {
    let handle = node.handle();
    let monitor = handle.monitor();
    node.orphan();
    let pid = handle.pid();
    let patience = node.branches().is_none().then_some(patience);
    Orphan { node, pid, monitor, patience }
}

async fn wait_for(orphan: Orphan) {
    // One that is not alive has nothing to end.
    let Some(pid) = orphan.pid else { return };
    match orphan.patience {
        None => drop(orphan.monitor.await),
        Some(patience) => {
            if tokio::time::timeout(patience, orphan.monitor).await.is_err() {
                orphan.node.abandon(pid);
            }
        }
    }
}
