//! The node as a source of what operators see of a cluster.

use std::collections::BTreeSet;

use perennial_operations::{
    NodeInfo, NodeLink, NodeNames, NodeSource, NodeTreesError, NodeTreesFuture, PlacedName,
};

use crate::event::PeerInfo;
use crate::identity::{NodeId, NodeName};
use crate::node::Node;
use crate::trees::TreesError;

impl NodeSource for Node {
    fn nodes(&self) -> Vec<NodeInfo> {
        let state = self.state();
        let own = info(self.id(), state.is_running());
        let window = state.config.window;
        let others = self.peers().into_iter().map(|peer| {
            let mut other = info(&peer.node, peer.is_up);
            other.link = Some(link(&peer, window));
            other
        });
        std::iter::once(own).chain(others).collect()
    }

    fn names(&self, text: &str, offset: usize, limit: usize) -> NodeNames {
        let text = text.to_lowercase();
        let others = self.peers().into_iter().map(|peer| peer.node.name);
        let nodes = std::iter::once(self.id().name.clone()).chain(others);
        let names = nodes.flat_map(|node| self.names_of(&node));
        let names: BTreeSet<String> = names.filter(|name| name.to_lowercase().contains(&text)).collect();
        let total = names.len();
        let part = names.into_iter().skip(offset).take(limit);
        NodeNames::new(total, part.map(|name| self.placed(name)).collect())
    }

    fn trees(&self, node: &str) -> NodeTreesFuture {
        let (own, node) = (self.clone(), NodeName::new(node));
        Box::pin(async move {
            let node = node.map_err(|error| NodeTreesError::Failed(error.to_string()))?;
            own.trees_of(&node).await.map_err(|error| match error {
                TreesError::NotExposed(_) => NodeTreesError::NotShown,
                TreesError::Failed { kind, .. } => NodeTreesError::Failed(kind.to_string()),
            })
        })
    }
}

impl Node {
    fn placed(&self, name: String) -> PlacedName {
        let nodes = self.nodes_with(&name).iter().map(ToString::to_string).collect();
        PlacedName::new(name, nodes)
    }
}

fn info(node: &NodeId, is_up: bool) -> NodeInfo {
    NodeInfo::new(node.name.to_string(), node.boot.to_string(), is_up)
}

fn link(peer: &PeerInfo, window: usize) -> NodeLink {
    let mut link = NodeLink::default();
    link.round_trip = peer.round_trip;
    link.window = count(window);
    link.window_used = count(peer.window_used);
    link.sent = peer.sent;
    link.lost = peer.lost;
    link.unconfirmed = count(peer.unconfirmed);
    link.received = peer.received;
    link.pending = count(peer.pending);
    link.names = count(peer.names);
    link
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
