//! What a supervisor leaves behind when it is killed: children, that have to be gone before anybody starts them again.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::MailboxConsumer;
use perennial_actors::{ExitReason, Monitor, Pid, System};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::inbox::DriverMsg;
use super::node::SupervisorNode;
use super::requests::UnansweredRequests;
use super::stats::Stats;
use crate::engine::ChildKey;
use crate::log;
use crate::nesting;
use crate::node::ChildNode;
use crate::report::{ReportKind, SupervisorReport, topic};

/// A child that is on its way out.
struct Orphan {
    key: ChildKey,
    node: Arc<dyn ChildNode>,
    pid: Option<Pid>,
    monitor: Monitor,
    kill_grace: Option<Duration>,
}

/// Kills the children of a supervisor that is dead, waits until they are gone, and only then ends it. Children that are
/// supervisors stop theirs in good order, as in OTP. There is no round any more, so all go at once. The task that does so.
///
/// No request is answered before: the caller that gets a spec back may start it elsewhere, and
/// nothing here touches it then.
pub(super) fn kill_orphans(
    node: &SupervisorNode,
    mut attachment: MailboxConsumer<DriverMsg>,
    unanswered: UnansweredRequests,
) -> Option<JoinHandle<()>> {
    attachment.handled();
    let (engine, nodes, runtime_children): (_, Vec<_>, _) = {
        let mut state = node.state();
        let engine = state.end_incarnation();
        let runtime_children = CloseOnDrop(state.runtime_children());
        (engine, state.nodes().rev().map(|(key, node)| (key, node.clone())).collect(), runtime_children)
    };
    // It keeps reasons, whose drop may look at the tree.
    drop(engine);
    let kill_grace = node.kill_grace();
    let (node, system, supervisor) = (node.clone(), attachment.system().clone(), attachment.pid());
    let orphans: Vec<Orphan> = nodes.into_iter().map(|(key, node)| orphan(key, node, kill_grace)).collect();
    let ending = async move {
        for orphan in orphans {
            let key = orphan.key;
            if let Some((path, pid)) = wait_for(orphan).await {
                node.state().record_unstopped(key, path.clone(), true);
                report_abandoned(&system, supervisor, path, pid);
            }
        }
        drop(runtime_children);
        drop(unanswered);
        attachment.end(ExitReason::Killed);
    };
    // Without a runtime nothing runs any more that could be waited for; the attachment ends when it is dropped.
    runtime::Handle::try_current().ok().map(|runtime| runtime.spawn(ending))
}

/// Children that the next incarnation does not start again. They are closed when this is dropped, also with the runtime.
struct CloseOnDrop(Vec<Arc<dyn ChildNode>>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.iter().for_each(|node| nesting::close(&**node, &ExitReason::Killed));
    }
}

/// Watched first, told then, and only then looked at. One that ends by itself in between is not alive when it is looked at, and
/// so is not waited for: its monitor may be bound to a next incarnation, which nobody is there to start.
fn orphan(key: ChildKey, node: Arc<dyn ChildNode>, kill_grace: Duration) -> Orphan {
    let handle = node.handle();
    let monitor = handle.monitor();
    node.kill_orphan();
    let pid = handle.pid();
    let kill_grace = node.group().is_none().then_some(kill_grace);
    Orphan { key, node, pid, monitor, kill_grace: kill_grace }
}

/// Waits until it is gone, or as good as; where it stands and which it is, if it had to be abandoned.
async fn wait_for(orphan: Orphan) -> Option<(Arc<str>, Pid)> {
    // One that is not alive has nothing to end.
    let pid = orphan.pid?;
    let Some(kill_grace) = orphan.kill_grace else {
        orphan.monitor.await;
        return None;
    };
    let timed_out = tokio::time::timeout(kill_grace, orphan.monitor).await.is_err();
    let abandoned = timed_out && orphan.node.abandon(pid);
    abandoned.then(|| (orphan.node.handle().label().unwrap_or_else(|| "".into()), pid))
}

fn report_abandoned(system: &System, supervisor: Pid, path: Arc<str>, pid: Pid) {
    log::orphan_is_late(system, supervisor, &path, pid);
    Stats::of(system).abandoned();
    topic(system).send(|| SupervisorReport { supervisor, path, pid: Some(pid), kind: ReportKind::Abandoned });
}
