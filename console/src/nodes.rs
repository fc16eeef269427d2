//! The nodes of a cluster that were given to a console, and what is asked of them.

use std::collections::HashMap;
use std::sync::Arc;

use perennial_actors::host::sync::Mutex;
use perennial_operations::{NodeInfo, NodeNames, NodeSource, NodeTreesError};

use crate::api::{NodeView, Problem, ProblemKind};
use crate::asked::{Answer, Asked};
use crate::cached::{Cached, KEPT};

/// The nodes that a console shows.
pub(crate) struct KnownNodes {
    /// A node that does not answer keeps its own trees waiting, and no list.
    lists: Asked<dyn NodeSource>,
    trees: Asked<dyn NodeSource>,
    /// The trees that clients have asked for, by the name of the node.
    views: Mutex<HashMap<String, Arc<Cached<NodeView>>>>,
}

impl KnownNodes {
    pub(crate) fn new(source: Arc<dyn NodeSource>) -> Self {
        Self {
            lists: Asked::new("cluster", source.clone()),
            trees: Asked::new("node", source),
            views: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the own node, and then those that it sees.
    pub(crate) async fn list(&self) -> Result<Vec<NodeInfo>, Problem> {
        self.lists.read(|source| ready(source.nodes())).await
    }

    /// Returns a part of the names that contain a text.
    pub(crate) async fn names(
        &self,
        text: String,
        offset: usize,
        limit: usize,
    ) -> Result<NodeNames, Problem> {
        self.lists.read(move |source| ready(source.names(&text, offset, limit))).await
    }

    /// Returns the trees of a node as they were within the last quarter of a second. All clients
    /// that ask meanwhile share one answer of the node.
    pub(crate) async fn trees(self: &Arc<Self>, node: &str) -> Result<Arc<NodeView>, Problem> {
        let cached = self.views.lock().entry(node.to_owned()).or_default().clone();
        let name = node.to_owned();
        let read = async || self.trees.read(move |source| read(source, &name)).await;
        match cached.get(read).await {
            Ok(taken) => {
                if taken.is_new {
                    tokio::spawn(forget_later(self.clone(), node.to_owned(), cached));
                }
                Ok(taken.value)
            }
            Err(problem) => {
                self.views.lock().remove(node);
                Err(problem)
            }
        }
    }
}

/// Frees the trees of a node that is not asked for any more.
async fn forget_later(nodes: Arc<KnownNodes>, node: String, cached: Arc<Cached<NodeView>>) {
    tokio::time::sleep(KEPT).await;
    if cached.forget_old().await {
        nodes.views.lock().remove(&node);
    }
}

fn read(source: &dyn NodeSource, node: &str) -> Answer<NodeView> {
    let trees = source.trees(node);
    Box::pin(async move {
        trees.await.map(NodeView::new).map_err(|error| {
            let kind = match error {
                NodeTreesError::NotShown => ProblemKind::NotFound,
                _ => ProblemKind::Unavailable,
            };
            Problem::new(kind, error.to_string())
        })
    })
}

fn ready<T: Send + 'static>(value: T) -> Answer<T> {
    Box::pin(std::future::ready(Ok(value)))
}
