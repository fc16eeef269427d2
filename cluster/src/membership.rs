//! Which boots are there, and which of them is the node of a name: the oldest.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{Boot, NodeId, NodeName};

/// The boots that the engine sees.
#[derive(Debug)]
pub(crate) struct Membership {
    own: NodeId,
    present: BTreeMap<NodeName, BTreeSet<Boot>>,
}

/// What follows from a boot that comes or goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// The boot is the node of its name from now on.
    Connect(NodeId),
    /// The boot is not the node of its name any more.
    Disconnect(NodeId),
    /// An older boot has the name of this node. If it stays, this one has to stop.
    NameTaken(NodeId),
    /// No older boot has the name of this node any more.
    NameFree,
}

impl Membership {
    pub(crate) const fn new(own: NodeId) -> Self {
        Self { own, present: BTreeMap::new() }
    }

    /// Takes note of a boot that is there.
    pub(crate) fn add(&mut self, node: &NodeId) -> Vec<Change> {
        self.change(node, |boots| {
            boots.insert(node.boot);
        })
    }

    /// Takes note of a boot that is not there any more.
    pub(crate) fn remove(&mut self, node: &NodeId) -> Vec<Change> {
        self.change(node, |boots| {
            boots.remove(&node.boot);
        })
    }

    fn change(&mut self, node: &NodeId, change: impl FnOnce(&mut BTreeSet<Boot>)) -> Vec<Change> {
        if *node == self.own {
            return Vec::new();
        }
        let boots = self.present.entry(node.name.clone()).or_default();
        let before = boots.first().copied();
        change(boots);
        let after = boots.first().copied();
        if boots.is_empty() {
            self.present.remove(&node.name);
        }
        let id = |boot| NodeId { name: node.name.clone(), boot };
        if node.name == self.own.name {
            let older = |boot: &Boot| *boot < self.own.boot;
            return match (before.filter(older), after.filter(older)) {
                (None, Some(boot)) => vec![Change::NameTaken(id(boot))],
                (Some(_), None) => vec![Change::NameFree],
                _ => Vec::new(),
            };
        }
        if before == after {
            return Vec::new();
        }
        let disconnect = before.map(|boot| Change::Disconnect(id(boot)));
        disconnect.into_iter().chain(after.map(|boot| Change::Connect(id(boot)))).collect()
    }
}
