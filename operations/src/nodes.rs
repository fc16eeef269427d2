//! The nodes of a cluster, as one of them shows them. The crate with the nodes implements
//! [`NodeSource`], and what shows nodes asks it: neither knows the other.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::figures::TreeNode;

/// The future that reads the trees of a node.
pub type NodeTreesFuture = Pin<Box<dyn Future<Output = Result<NodeTrees, NodeTreesError>> + Send>>;

/// A source of the nodes of a cluster.
///
/// The node of `perennial-cluster` is one, with the feature `operations` there.
pub trait NodeSource: Send + Sync + 'static {
    /// Returns the own node, and then the others that it sees, in the order of their names.
    fn nodes(&self) -> Vec<NodeInfo>;

    /// Returns the names that contain a text in any case, in order: `limit` at most, after the
    /// first `offset` ones.
    fn names(&self, text: &str, offset: usize, limit: usize) -> NodeNames;

    /// Reads the trees of a node with this name. They are read when the future is awaited.
    fn trees(&self, node: &str) -> NodeTreesFuture;
}

/// A node, as another one sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeInfo {
    /// The name.
    pub name: String,
    /// The run of the node, as text.
    pub boot: String,
    /// `true` if the node takes part in the network. Of another one: there is a connection.
    pub is_up: bool,
    /// The connection. `None` for the own node.
    pub link: Option<NodeLink>,
}

impl NodeInfo {
    /// Creates the own node. Set `link` for another one.
    #[must_use]
    pub const fn new(name: String, boot: String, is_up: bool) -> Self {
        Self { name, boot, is_up, link: None }
    }
}

/// The connection to another node. Its counts are those of the boot that is there now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeLink {
    /// The time that the latest ping has taken.
    pub round_trip: Option<Duration>,
    /// The bytes that may be on the way to the node.
    pub window: u64,
    /// The bytes that are on the way, or wait.
    pub window_used: u64,
    /// The packets that were sent.
    pub sent: u64,
    /// Those of them that are known to be lost.
    pub lost: u64,
    /// Those of them that are not confirmed yet.
    pub unconfirmed: u64,
    /// The packets that were received.
    pub received: u64,
    /// The calls, monitors and links that wait for the node.
    pub pending: u64,
    /// The names that the node has, with its members of groups and its topics.
    pub names: u64,
}

/// A part of the names of all nodes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeNames {
    /// The number of names that contain the text.
    pub total: usize,
    /// The names of the part.
    pub names: Vec<PlacedName>,
}

impl NodeNames {
    /// Creates a part.
    #[must_use]
    pub const fn new(total: usize, names: Vec<PlacedName>) -> Self {
        Self { total, names }
    }
}

/// A name, and the nodes that have it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlacedName {
    /// The name.
    pub name: String,
    /// The nodes. The first has bound the name first.
    pub nodes: Vec<String>,
}

impl PlacedName {
    /// Creates a name.
    #[must_use]
    pub const fn new(name: String, nodes: Vec<String>) -> Self {
        Self { name, nodes }
    }
}

/// The trees of a node, at one moment.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeTrees {
    /// The nodes of the trees, in the order of [`Figures::trees`](crate::Figures::trees).
    pub nodes: Vec<TreeNode>,
    /// The number of further nodes, which did not fit into a message or are too deep.
    pub omitted: usize,
}

impl NodeTrees {
    /// Creates the trees of a node.
    #[must_use]
    pub const fn new(nodes: Vec<TreeNode>, omitted: usize) -> Self {
        Self { nodes, omitted }
    }
}

/// Why the trees of a node are not there.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NodeTreesError {
    /// The node does not show its trees to others.
    NotShown,
    /// It is not connected, did not answer in time, or its answer cannot be read.
    Failed(String),
}

impl fmt::Display for NodeTreesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotShown => f.write_str("the node does not show its trees to others"),
            Self::Failed(text) => write!(f, "the trees of the node cannot be read: {text}"),
        }
    }
}

impl Error for NodeTreesError {}
