//! Operations on a node and everything below it, as loops over lists of pending nodes.
//!
//! Users nest supervisors to any depth, and a thread may have a small stack. Therefore no function
//! calls itself for the children of a node, and no drop runs inside the drop of the node above.
//! Each node is visited once: the time is linear in the number of nodes, at any depth.

use std::sync::Arc;

use perennial_actors::host::Label;
use perennial_actors::{ActorHandle, ExitReason, ProcessState, System};

use crate::dropped::DropCounters;
use crate::node::{ChildNode, OpenError};
use crate::tree::UnstoppedChild;

/// The nodes that are still to be opened, the next one last.
type Unopened = Vec<(Label, Arc<dyn ChildNode>)>;

/// Opens the mailboxes of a node and of all planned nodes below it, and binds their names. Parents
/// come before children. May be called again.
///
/// # Errors
///
/// Returns the first error. Either all nodes are open then, or none is.
pub(crate) fn open(top: &dyn ChildNode, system: &System, label: &Label) -> Result<(), OpenError> {
    let mut pending = Unopened::new();
    let mut opened = open_one(top, system, label, &mut pending);
    while opened.is_ok() {
        let Some((label, node)) = pending.pop() else { break };
        opened = open_one(&*node, system, &label, &mut pending);
    }
    opened.inspect_err(|error| {
        close(top, &ExitReason::failed(error.clone()));
    })
}

fn open_one(
    node: &dyn ChildNode,
    system: &System,
    label: &Label,
    pending: &mut Unopened,
) -> Result<(), OpenError> {
    node.open_alone(system, label)?;
    if let Some(group) = node.group() {
        let (supervisor, counters) = (node.handle(), group.drop_counters());
        let children = group.planned().into_iter().rev().map(|(id, child)| {
            adopt(&*child, &supervisor, &counters);
            (label.child(id), child)
        });
        pending.extend(children);
    }
    Ok(())
}

/// Sets the supervisor of a child and the counters of its tree, before the child is opened.
pub(crate) fn adopt(child: &dyn ChildNode, supervisor: &ActorHandle, counters: &Arc<DropCounters>) {
    child.handle().set_supervisor(supervisor);
    if let Some(group) = child.group() {
        group.set_drop_counters(counters.clone());
    }
}

/// Opens the closed children that the next incarnation of a supervisor starts, and all planned
/// nodes below them. A child is closed here if it was terminated by request before.
///
/// A child that cannot be opened stays closed. Its start tries again, and reports the error.
pub(crate) fn reopen_children(supervisor: &dyn ChildNode, system: &System, label: &Label) {
    let Some(group) = supervisor.group() else { return };
    for (id, child) in group.planned() {
        if child.handle().state() == ProcessState::Closed {
            adopt(&*child, &supervisor.handle(), &group.drop_counters());
            let _ = open(&*child, system, &label.child(id));
        }
    }
}

/// Closes the mailboxes of a node and of all planned nodes below it: no incarnation will serve
/// them. Parents come before children, and children in reverse start order.
///
/// A closed node was closed together with everything below it, and is skipped. Each supervisor of a
/// tree that stops closes its children. In total they therefore visit each node once.
///
/// Returns how many messages were dropped.
pub(crate) fn close(top: &dyn ChildNode, reason: &ExitReason) -> u64 {
    let mut pending = Vec::new();
    let mut dropped = close_one(top, reason, &mut pending);
    while let Some(node) = pending.pop() {
        dropped += close_one(&*node, reason, &mut pending);
    }
    dropped
}

fn close_one(node: &dyn ChildNode, reason: &ExitReason, pending: &mut Vec<Arc<dyn ChildNode>>) -> u64 {
    let Some(dropped) = node.close_alone(reason) else { return 0 };
    if let Some(group) = node.group() {
        pending.extend(group.planned().into_iter().map(|(_, child)| child));
    }
    dropped
}

/// Returns the nodes below this one that did not stop in time, parents before children.
pub(crate) fn unstopped(top: &dyn ChildNode) -> Vec<UnstoppedChild> {
    let (mut found, mut pending) = (Vec::new(), Vec::new());
    add_unstopped(top, &mut found, &mut pending);
    while let Some(node) = pending.pop() {
        add_unstopped(&*node, &mut found, &mut pending);
    }
    found
}

fn add_unstopped(
    node: &dyn ChildNode,
    found: &mut Vec<UnstoppedChild>,
    pending: &mut Vec<Arc<dyn ChildNode>>,
) {
    if let Some(group) = node.group() {
        pending.extend(group.unstopped(found).into_iter().rev());
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    //! The order and the number of steps, checked with nodes that record them.

    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use perennial_actors::host::Identity;
    use perennial_actors::{MailboxConfig, Pid, SpawnError};

    use super::*;
    use crate::node::{Claims, DropQueue, Group, ListedChild, StartParams};

    /// The operations on nodes, in order, and the number of times that their children were listed.
    #[derive(Default)]
    struct Steps {
        done: Mutex<Vec<String>>,
        listed: AtomicUsize,
    }

    struct Fake {
        id: Arc<str>,
        identity: Identity<()>,
        claims: Claims,
        children: Vec<Arc<dyn ChildNode>>,
        steps: Arc<Steps>,
    }

    impl Fake {
        fn record(&self, what: &str) {
            self.steps.done.lock().expect("not poisoned").push(format!("{what} {}", self.id));
        }
    }

    impl ChildNode for Fake {
        fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
            self.record("open");
            self.identity.open(system, || label.clone());
            Ok(())
        }

        fn close_alone(&self, reason: &ExitReason) -> Option<u64> {
            self.record("close");
            self.identity.close(reason)
        }

        fn start(&self, _: StartParams) -> Result<Pid, SpawnError> {
            Err(SpawnError::NoRuntime)
        }

        fn abandon(&self, _: Pid) -> bool {
            false
        }

        fn handle(&self) -> ActorHandle {
            self.identity.address().handle()
        }

        fn claims(&self) -> &Claims {
            &self.claims
        }

        fn set_pending_restart(&self, _: ExitReason, _: Duration) {}

        fn group(&self) -> Option<&dyn Group> {
            Some(self)
        }

        fn dismantle(self: Arc<Self>, queue: &mut DropQueue) {
            self.record("drop");
            if let Some(fake) = Arc::into_inner(self) {
                queue.add(fake.children.into_iter());
            }
        }
    }

    impl Group for Fake {
        fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)> {
            self.steps.listed.fetch_add(1, Ordering::Relaxed);
            self.children.iter().map(|child| ("child".into(), child.clone())).collect()
        }

        fn drop_counters(&self) -> Arc<DropCounters> {
            Arc::default()
        }

        fn set_drop_counters(&self, _: Arc<DropCounters>) {}

        fn list_children(&self) -> Vec<ListedChild> {
            Vec::new()
        }

        fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>> {
            into.push(UnstoppedChild { path: self.id.clone(), abandoned: false });
            self.children.clone()
        }
    }

    fn fake(steps: &Arc<Steps>, id: &str, children: Vec<Arc<dyn ChildNode>>) -> Arc<dyn ChildNode> {
        let identity = Identity::new(MailboxConfig::unbounded());
        Arc::new(Fake { id: id.into(), identity, claims: Claims::default(), children, steps: steps.clone() })
    }

    /// Returns a node `a` with the children `b` and `d`. `b` has a child `c`.
    fn sample_tree(steps: &Arc<Steps>) -> Arc<dyn ChildNode> {
        let b = fake(steps, "b", vec![fake(steps, "c", Vec::new())]);
        fake(steps, "a", vec![b, fake(steps, "d", Vec::new())])
    }

    fn done(steps: &Steps) -> Vec<String> {
        std::mem::take(&mut steps.done.lock().expect("not poisoned"))
    }

    #[test]
    fn parents_come_first_and_children_in_order_or_in_reverse() {
        let steps = Arc::default();
        let top = sample_tree(&steps);
        open(&*top, &System::new(), &Label::root("a".into())).expect("there is no name");
        assert_eq!(done(&steps), ["open a", "open b", "open c", "open d"]);
        close(&*top, &ExitReason::Normal);
        assert_eq!(done(&steps), ["close a", "close d", "close b", "close c"]);
        let paths: Vec<Arc<str>> =
            unstopped(&*top).into_iter().map(|unstopped_child| unstopped_child.path).collect();
        assert_eq!(paths, ["a".into(), "b".into(), "c".into(), "d".into()]);
        DropQueue::default().add([top].into_iter());
        assert_eq!(done(&steps), ["drop a", "drop b", "drop c", "drop d"]);
    }

    /// A supervisor that stops for good closes its child, which has closed its own children before.
    #[test]
    fn levels_that_are_closed_from_the_bottom_are_each_listed_once() {
        const LEVELS: usize = 1_000;
        let steps = Arc::default();
        let mut levels = vec![fake(&steps, "leaf", Vec::new())];
        for _ in 1..LEVELS {
            let children = levels.last().into_iter().cloned().collect();
            levels.push(fake(&steps, "level", children));
        }
        let top = levels.last().expect("there are levels").clone();
        open(&*top, &System::new(), &Label::root("top".into())).expect("there is no name");
        for level in &levels {
            close(&**level, &ExitReason::Normal);
        }
        assert_eq!(steps.listed.load(Ordering::Relaxed), 2 * LEVELS, "once to open and once to close");
        assert_eq!(done(&steps).len(), LEVELS + LEVELS + (LEVELS - 1), "each is tried once more from above");
        levels.reverse();
        drop(levels);
        DropQueue::default().add([top].into_iter());
        assert_eq!(done(&steps).len(), LEVELS);
    }
}
