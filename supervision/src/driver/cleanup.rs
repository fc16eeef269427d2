//! The cleanup after a killed supervisor: its children have to exit before its parent may start
//! them again.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::MailboxConsumer;
use perennial_actors::{ExitReason, Monitor, Pid};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::inbox::DriverMsg;
use super::reports::{Stats, publish};
use super::run::Driver;
use crate::engine::ChildKey;
use crate::nesting;
use crate::node::ChildNode;
use crate::report::{ReportKind, SupervisorReport};

/// A child that is being killed.
struct Orphan {
    key: ChildKey,
    node: Arc<dyn ChildNode>,
    pid: Option<Pid>,
    monitor: Monitor,
    kill_grace: Option<Duration>,
}

impl Driver {
    /// Kills the children of a killed supervisor, waits for their exits, and only then reports the
    /// exit of the supervisor. Children that are supervisors stop their own children in order, as
    /// in OTP. All children are killed at once. Returns the task that does this.
    ///
    /// No pending request fails before that is complete: a caller that gets its spec back may start
    /// it elsewhere, and the cleanup must not touch it then.
    pub(super) fn kill_orphans(
        &mut self,
        mut attachment: MailboxConsumer<DriverMsg>,
    ) -> Option<JoinHandle<()>> {
        attachment.handled();
        let (engine, nodes, runtime_children, kill_grace) = {
            let mut state = self.node.state();
            let engine = state.end_incarnation();
            let runtime_children = CloseOnDrop(state.runtime_children());
            let nodes: Vec<_> = state.nodes().rev().map(|(key, node)| (key, node.clone())).collect();
            (engine, nodes, runtime_children, state.plan.kill_grace)
        };
        // It holds exit reasons. Their `Drop` may inspect the tree, which takes the lock.
        drop(engine);
        let (node, system, supervisor) = (self.node.clone(), self.system.clone(), self.pid);
        let unanswered = std::mem::take(&mut self.pending);
        let orphans: Vec<Orphan> =
            nodes.into_iter().map(|(key, node)| orphan_of(key, node, kill_grace)).collect();
        let ending = async move {
            for orphan in orphans {
                let key = orphan.key;
                if let Some((path, pid)) = wait_for(orphan).await {
                    node.state().record_unstopped(key, path.clone(), true);
                    Stats::of(&system).abandoned();
                    publish(&system, ReportKind::Abandoned, |kind| SupervisorReport {
                        supervisor,
                        path: path.clone(),
                        pid: Some(pid),
                        kind,
                    });
                }
            }
            drop(runtime_children);
            drop(unanswered);
            attachment.end(ExitReason::Killed);
        };
        // Without a runtime no task runs that could be awaited. Dropping the attachment ends the
        // incarnation.
        runtime::Handle::try_current().ok().map(|runtime| runtime.spawn(ending))
    }
}

/// The children that the next incarnation does not start again. Dropping this closes them, also
/// when the runtime drops the task.
struct CloseOnDrop(Vec<Arc<dyn ChildNode>>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        for node in &self.0 {
            nesting::close(&**node, &ExitReason::Killed);
        }
    }
}

/// Monitors a child, then kills it, and reads its incarnation last. A child that exits by itself in
/// between has no live incarnation then, and is not awaited: its monitor may be bound to a next
/// incarnation, which is never started.
fn orphan_of(key: ChildKey, node: Arc<dyn ChildNode>, kill_grace: Duration) -> Orphan {
    let handle = node.handle();
    let monitor = handle.monitor();
    node.kill_orphan();
    let pid = handle.pid();
    let kill_grace = node.group().is_none().then_some(kill_grace);
    Orphan { key, node, pid, monitor, kill_grace }
}

/// Waits until the child has exited or was abandoned. Returns its path and incarnation if it was
/// abandoned.
async fn wait_for(orphan: Orphan) -> Option<(Arc<str>, Pid)> {
    // Without a live incarnation there is nothing to wait for.
    let pid = orphan.pid?;
    let Some(kill_grace) = orphan.kill_grace else {
        orphan.monitor.await;
        return None;
    };
    let timed_out = tokio::time::timeout(kill_grace, orphan.monitor).await.is_err();
    let abandoned = timed_out && orphan.node.abandon(pid);
    abandoned.then(|| (orphan.node.handle().label().unwrap_or_else(|| "".into()), pid))
}
