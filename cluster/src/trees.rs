//! Reading the trees of other nodes.

use perennial_durable::{Codec, DecodeError, Json};
use perennial_operations::{NodeTrees, TreeNode};
use perennial_registry::Name;
use tokio::runtime::Handle;

use crate::error::{NodeError, RemoteErrorKind};
use crate::expose::{ReadTrees, TreesExposure};
use crate::identity::NodeName;
use crate::names::key;
use crate::node::Node;

/// The most bytes of an id from another node, and the most levels of its trees. What shows a node
/// repeats the ids of all nodes above it.
const MAX_ID: usize = 256;
const MAX_LEVEL: usize = 128;

/// Why the trees of a node are not there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TreesError {
    /// The node does not [expose](Node::expose_trees) its trees, or is of a version that cannot.
    #[error("{0} does not show its trees")]
    NotExposed(NodeName),
    /// The request came to nothing. Nothing was changed by it.
    #[error("the trees of {node} cannot be read: {kind}")]
    Failed {
        /// The node.
        node: NodeName,
        /// The reason.
        kind: RemoteErrorKind,
    },
}

impl Node {
    /// Lets other nodes [read](Self::trees_of) the supervision trees of the system of this node:
    /// the ids, states and restarts of all children. Without this, it shows them to none.
    ///
    /// The trees are read on a thread that may block, at most four times a second. Nothing else of
    /// the node waits for it. The latest answer is kept.
    ///
    /// # Errors
    ///
    /// [`TooManyNames`](NodeError::TooManyNames) if the node exposes as many names as it may.
    pub fn expose_trees(&self) -> Result<(), NodeError> {
        let exposure = TreesExposure::new(self.state().config.max_message);
        self.expose_as(key::TREES.to_owned(), std::sync::Arc::new(exposure))
    }

    /// Reads the supervision trees of a node: of another one that
    /// [exposes](Self::expose_trees) them, or of this one, which always can.
    ///
    /// Of another node, they may be a quarter of a second old. As many of the first nodes are there
    /// as fit into a message, and none below 128 levels: see [`NodeTrees::omitted`]. Their ids are
    /// cut to 256 bytes. It may take 5 seconds.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the answer is dropped.
    ///
    /// # Errors
    ///
    /// - [`NotExposed`](TreesError::NotExposed) if the node does not expose its trees.
    /// - [`Failed`](TreesError::Failed) with the reason, which is
    ///   [`NoConnection`](RemoteErrorKind::NoConnection) if the node is not connected or was lost,
    ///   and on this node before its child has run. It is [`Busy`](RemoteErrorKind::Busy) if the
    ///   node has 8 other requests for its trees.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::System;
    /// use perennial_cluster::{MemoryNetwork, Node, TreesError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let network = MemoryNetwork::new(1);
    /// let bank = Node::builder("bank").engine(network.engine()).build()?;
    /// bank.expose_trees()?;
    /// let shop = Node::builder("shop").engine(network.engine()).build()?;
    /// let (mut seen_by_bank, mut seen_by_shop) = (bank.watch_nodes(), shop.watch_nodes());
    /// let apps = [bank.start(&System::new()).await?, shop.start(&System::new()).await?];
    /// // Each has heard of the other.
    /// let _ = (seen_by_bank.next().await, seen_by_shop.next().await);
    ///
    /// let trees = shop.trees_of(&bank.id().name).await?;
    /// let ids: Vec<&str> = trees.nodes.iter().map(|node| &*node.id).collect();
    /// assert_eq!(ids, ["cluster", "node bank"]);
    /// let refused = bank.trees_of(&shop.id().name).await;
    /// assert!(matches!(refused, Err(TreesError::NotExposed(_))));
    /// # for app in apps { assert!(app.shutdown().await.is_clean()); }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn trees_of(&self, node: &NodeName) -> Result<NodeTrees, TreesError> {
        let read =
            if *node == self.id().name { self.own_trees().await } else { self.their_trees(node).await };
        read.map_err(|kind| match kind {
            RemoteErrorKind::NoProcess => TreesError::NotExposed(node.clone()),
            kind => TreesError::Failed { node: node.clone(), kind },
        })
    }

    async fn own_trees(&self) -> Result<NodeTrees, RemoteErrorKind> {
        let system = self.state().system.get().cloned().ok_or(RemoteErrorKind::NoConnection)?;
        let nodes = on_thread(move || TreeNode::all(&system)).await?;
        Ok(NodeTrees::new(nodes, 0))
    }

    async fn their_trees(&self, node: &NodeName) -> Result<NodeTrees, RemoteErrorKind> {
        let max_bytes = u64::try_from(self.state().config.max_message).unwrap_or(u64::MAX);
        let trees = self.at(node, Name::<ReadTrees>::new(key::TREES));
        let answer = trees.call(|reply| ReadTrees { max_bytes, reply }).await;
        let text = answer.map_err(|error| error.kind)?;
        // It may have a megabyte.
        let parsed = on_thread(move || parse(&text)).await?;
        parsed.map_err(|error| RemoteErrorKind::Answer(error.to_string()))
    }
}

/// Runs what takes a while on a thread for that.
async fn on_thread<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RemoteErrorKind> {
    let runtime = Handle::try_current().map_err(|_| RemoteErrorKind::NoTimers)?;
    runtime.spawn_blocking(run).await.map_err(|error| RemoteErrorKind::Answer(error.to_string()))
}

/// Reads the answer to [`ReadTrees`]. Cuts ids that are too long, and leaves out nodes that are too
/// deep.
fn parse(text: &str) -> Result<NodeTrees, DecodeError> {
    let mut lines = text.lines();
    let total: usize = Json::decode(lines.next().unwrap_or_default().as_bytes())?;
    let nodes = lines.map(|line| Json::decode(line.as_bytes())).collect::<Result<Vec<TreeNode>, _>>()?;
    let mut nodes: Vec<TreeNode> = nodes.into_iter().filter(|node| node.level <= MAX_LEVEL).collect();
    for node in nodes.iter_mut().filter(|node| node.id.len() > MAX_ID) {
        let end = (0..=MAX_ID).rev().find(|at| node.id.is_char_boundary(*at)).unwrap_or(0);
        node.id = node.id[..end].into();
    }
    let omitted = total.saturating_sub(nodes.len());
    Ok(NodeTrees::new(nodes, omitted))
}
