//! What is done with a node and everything below it, by lists of what is still to be done.
//!
//! Supervisors nest as deeply as users like, and a thread may have a small stack. So no function calls itself for the
//! children of a node, and no drop runs inside the drop of the node above. Each node is visited once: the time is
//! linear in the number of nodes, however deep they lie.

use std::sync::Arc;

use perennial_actors::host::Label;
use perennial_actors::{ExitReason, System};

use crate::node::{Node, OpenError};
use crate::tree::Straggler;

/// Nodes that are below others and are still to be opened, the next one last.
type Unopened = Vec<(Label, Arc<dyn Node>)>;

/// Lets messages queue for a node and all that is planned below it, and binds their names. Parents come before
/// children. May be done again.
///
/// # Errors
///
/// Returns the first error. All of it is open, or nothing is.
pub(crate) fn open(top: &dyn Node, system: &System, label: &Label) -> Result<(), OpenError> {
    let mut due = Unopened::new();
    let mut opened = open_one(top, system, label, &mut due);
    while opened.is_ok() {
        let Some((label, node)) = due.pop() else { break };
        opened = open_one(&*node, system, &label, &mut due);
    }
    opened.inspect_err(|error| close(top, &ExitReason::failed(error.clone())))
}

fn open_one(node: &dyn Node, system: &System, label: &Label, due: &mut Unopened) -> Result<(), OpenError> {
    node.open_alone(system, label)?;
    if let Some(group) = node.group() {
        let supervisor = node.handle();
        let below = group.planned().into_iter().rev().map(|(id, child)| {
            child.handle().set_supervisor(&supervisor);
            (label.child(id), child)
        });
        due.extend(below);
    }
    Ok(())
}

/// Refuses messages for a node and all that is planned below it: nothing is due to serve them any more. Parents
/// come before children, and children that were started last before those that were started first.
///
/// A node that is closed already was closed with everything below it. So the supervisors of a tree that stops, each of
/// which closes its children, together visit each node once.
pub(crate) fn close(top: &dyn Node, reason: &ExitReason) {
    let mut due = Vec::new();
    close_one(top, reason, &mut due);
    while let Some(node) = due.pop() {
        close_one(&*node, reason, &mut due);
    }
}

fn close_one(node: &dyn Node, reason: &ExitReason, due: &mut Vec<Arc<dyn Node>>) {
    if node.close_alone(reason)
        && let Some(group) = node.group()
    {
        due.extend(group.planned().into_iter().map(|(_, child)| child));
    }
}

/// Returns the nodes below this one that did not stop in time, parents before children.
pub(crate) fn stragglers(top: &dyn Node) -> Vec<Straggler> {
    let (mut found, mut due) = (Vec::new(), Vec::new());
    add_stragglers(top, &mut found, &mut due);
    while let Some(node) = due.pop() {
        add_stragglers(&*node, &mut found, &mut due);
    }
    found
}

fn add_stragglers(node: &dyn Node, found: &mut Vec<Straggler>, due: &mut Vec<Arc<dyn Node>>) {
    if let Some(group) = node.group() {
        due.extend(group.stragglers(found).into_iter().rev());
    }
}

#[cfg(all(test, not(model)))]
mod tests;
