//! The nodes of a cluster, and the trees of one of them.

use perennial_operations::{NodeInfo, NodeNames, NodeTrees, PlacedName, Snapshot};
use serde::{Deserialize, Serialize};

use super::page::{Page, Window};
use super::tally::Tally;
use super::tree::{Expansion, TreeRow, rows};
use super::view::View;

/// The visible rows of the trees of a node.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeTreeRows {
    /// The rows. Their fields are those of this object. Of another node, what is no part of its
    /// trees is not known: queues, handlers and delays.
    #[serde(flatten)]
    pub rows: Page<TreeRow>,
    /// The number of nodes of the trees that did not fit into a message of the node.
    pub omitted: usize,
}

/// The trees of a node, prepared for answers.
pub(crate) struct NodeView {
    view: View,
    omitted: usize,
}

impl NodeView {
    pub(crate) fn new(trees: NodeTrees) -> Self {
        let mut snapshot = Snapshot::default();
        snapshot.figures.trees = trees.nodes;
        Self { view: View::new(snapshot, Tally::default()), omitted: trees.omitted }
    }

    /// Returns the visible rows, as those of the own trees.
    pub(crate) fn rows(&self, expansion: &Expansion, text: Option<&str>, window: Window) -> NodeTreeRows {
        NodeTreeRows { rows: rows(&self.view, expansion, text, window), omitted: self.omitted }
    }
}

/// Returns a part of the nodes whose name contains a text.
pub(crate) fn nodes(all: &[NodeInfo], text: &str, window: Window, sequence: u64) -> Page<NodeInfo> {
    let text = text.to_lowercase();
    let listed: Vec<&NodeInfo> = all.iter().filter(|node| node.name.to_lowercase().contains(&text)).collect();
    window.of(&listed, sequence, |node| (*node).clone())
}

/// Returns a part of the names of all nodes.
pub(crate) fn placed_names(part: NodeNames, window: Window, sequence: u64) -> Page<PlacedName> {
    Page { total: part.total, offset: window.offset(), items: part.names, sequence }
}
