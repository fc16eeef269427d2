//! What a supervisor leaves behind when it is killed: children, that have to be gone before anybody starts them again.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::MailboxConsumer;
use perennial_actors::{ExitReason, Monitor, Pid, System};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::inbox::DriverMsg;
use super::node::SupervisorNode;
use super::requests::Unanswered;
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
    stop_waiters: Unanswered,
) -> Option<JoinHandle<()>> {
    attachment.handled();
    let (engine, nodes, passing): (_, Vec<_>, _) = {
        let mut book = node.book();
        let engine = book.end_incarnation();
        let passing = Passing(book.runtime_children());
        (engine, book.nodes().rev().map(|(key, node)| (key, node.clone())).collect(), passing)
    };
    // It keeps reasons, whose drop may look at the tree.
    drop(engine);
    let patience = node.kill_grace();
    let (node, system, supervisor) = (node.clone(), attachment.system().clone(), attachment.pid());
    let orphans: Vec<Orphan> = nodes.into_iter().map(|(key, node)| orphan(key, node, patience)).collect();
    let ending = async move {
        for orphan in orphans {
            let key = orphan.key;
            if let Some((path, pid)) = wait_for(orphan).await {
                node.book().record_unstopped(key, path.clone(), true);
                tell_of_abandoned(&system, supervisor, path, pid);
            }
        }
        drop(passing);
        drop(stop_waiters);
        attachment.end(ExitReason::Killed);
    };
    // Without a runtime nothing runs any more that could be waited for; the attachment ends when it is dropped.
    runtime::Handle::try_current().ok().map(|runtime| runtime.spawn(ending))
}

/// Children that the next incarnation does not start again. They are closed when this is dropped, also with the runtime.
struct Passing(Vec<Arc<dyn ChildNode>>);

impl Drop for Passing {
    fn drop(&mut self) {
        for node in &self.0 {
            nesting::close(&**node, &ExitReason::Killed);
        }
    }
}

/// Watched first, told then, and only then looked at. One that ends by itself in between is not alive when it is looked at, and
/// so is not waited for: its monitor may be bound to a next incarnation, which nobody is there to start.
fn orphan(key: ChildKey, node: Arc<dyn ChildNode>, patience: Duration) -> Orphan {
    let handle = node.handle();
    let monitor = handle.monitor();
    node.kill_orphan();
    let pid = handle.pid();
    let patience = node.group().is_none().then_some(patience);
    Orphan { key, node, pid, monitor, kill_grace: patience }
}

/// Waits until it is gone, or as good as; where it stands and which it is, if it had to be abandoned.
async fn wait_for(orphan: Orphan) -> Option<(Arc<str>, Pid)> {
    // One that is not alive has nothing to end.
    let pid = orphan.pid?;
    let Some(patience) = orphan.kill_grace else {
        orphan.monitor.await;
        return None;
    };
    let late = tokio::time::timeout(patience, orphan.monitor).await.is_err();
    let abandoned = late && orphan.node.abandon(pid);
    abandoned.then(|| (orphan.node.handle().label().unwrap_or_else(|| "".into()), pid))
}

fn tell_of_abandoned(system: &System, supervisor: Pid, path: Arc<str>, pid: Pid) {
    log::orphan_is_late(system, supervisor, &path, pid);
    Stats::of(system).abandoned();
    topic(system).send(|| SupervisorReport { supervisor, path, pid: Some(pid), kind: ReportKind::Abandoned });
}
