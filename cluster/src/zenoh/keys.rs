//! The keys under which packets and boots are found.

use crate::identity::{Boot, NodeId, NodeName};

/// The keys of a cluster. Those of another cluster have nothing in common with them.
#[derive(Clone, Debug)]
pub(super) struct Keys(NodeName);

impl Keys {
    pub(super) const fn new(cluster: NodeName) -> Self {
        Self(cluster)
    }

    /// Returns the key of the packets of one boot to another.
    pub(super) fn packets(&self, to: &NodeId, from: &NodeId) -> String {
        format!("pn/{}/in/{to}/{from}", self.0)
    }

    /// Returns the keys of all packets to a boot.
    pub(super) fn packets_to(&self, to: &NodeId) -> String {
        format!("pn/{}/in/{to}/*/*", self.0)
    }

    /// Returns the keys of all packets to the boots of a node.
    pub(super) fn packets_to_any(&self, to: &NodeName) -> String {
        format!("pn/{}/in/{to}/*/*/*", self.0)
    }

    /// Returns the keys of all packets of the boots of one node to those of another.
    pub(super) fn packets_between(&self, to: &NodeName, from: &NodeName) -> String {
        format!("pn/{}/in/{to}/*/{from}/*", self.0)
    }

    /// Returns the key that says that a boot is there.
    pub(super) fn presence(&self, node: &NodeId) -> String {
        format!("pn/{}/node/{node}", self.0)
    }

    /// Returns the keys that say that a boot of a node is there.
    pub(super) fn presence_of(&self, node: &NodeName) -> String {
        format!("pn/{}/node/{node}/*", self.0)
    }

    /// Returns the keys that say that any boot is there.
    pub(super) fn all_presence(&self) -> String {
        format!("pn/{}/node/*/*", self.0)
    }
}

/// Reads the boot at the end of a key: the sender of a packet, or the boot that is there.
pub(super) fn last_node(key: &str) -> Option<NodeId> {
    let mut parts = key.rsplit('/');
    let (boot, name) = (parts.next()?, parts.next()?);
    let (started, random) = boot.split_once('.')?;
    let boot = Boot { started: started.parse().ok()?, random: u64::from_str_radix(random, 16).ok()? };
    let node = NodeId { name: NodeName::new(name).ok()?, boot };
    // One boot has one key.
    key.ends_with(&node.to_string()).then_some(node)
}
