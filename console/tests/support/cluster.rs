//! A cluster whose nodes answer each in its own way.

use std::future::pending;
use std::time::Duration;

use perennial_actors::System;
use perennial_operations::{
    NodeInfo, NodeLink, NodeNames, NodeSource, NodeTrees, NodeTreesError, NodeTreesFuture, PlacedName,
    TreeNode,
};

/// The nodes `a` to `f`. The console is that of `a`, `b` has the trees of a system and one more
/// node than fits, `c` shows none, `d` does not answer, the code of `e` panics, and `f` fails.
#[derive(Clone, Debug)]
pub(crate) struct Cluster(System);

impl Cluster {
    pub(crate) fn of(system: &System) -> Self {
        Self(system.clone())
    }
}

impl NodeSource for Cluster {
    fn nodes(&self) -> Vec<NodeInfo> {
        let node = |name: &str| {
            let mut node = NodeInfo::new(name.to_owned(), format!("1.{name}"), name != "d");
            let mut link = NodeLink::default();
            link.round_trip = Some(Duration::from_micros(70));
            (link.window, link.window_used, link.lost) = (1_000, 250, 3);
            node.link = (name != "a").then_some(link);
            node
        };
        ["a", "b", "c", "d", "e", "f"].map(node).into()
    }

    fn names(&self, text: &str, offset: usize, limit: usize) -> NodeNames {
        let names = ["cart", "till"].into_iter().filter(|name| name.contains(&text.to_lowercase()));
        let placed = |name: &str| PlacedName::new(name.to_owned(), vec!["b".to_owned(), "a".to_owned()]);
        let names: Vec<_> = names.map(placed).collect();
        NodeNames::new(names.len(), names.into_iter().skip(offset).take(limit).collect())
    }

    fn trees(&self, node: &str) -> NodeTreesFuture {
        let trees = match node {
            "b" => Ok(NodeTrees::new(TreeNode::all(&self.0), 1)),
            "c" => Err(NodeTreesError::NotShown),
            "d" => return Box::pin(pending()),
            "e" => panic!("the node is broken"),
            _ => Err(NodeTreesError::Failed("there is no connection".to_owned())),
        };
        Box::pin(std::future::ready(trees))
    }
}
