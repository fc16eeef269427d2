//! The nodes of a cluster that were given to a console, and what is asked of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::{Arc, Weak};

use perennial_actors::host::sync::Mutex;
use perennial_operations::{NodeInfo, NodeNames, NodeSource, NodeTreesError};

use crate::api::{NodeView, Problem, ProblemKind};
use crate::asked::{Answer, Asked};
use crate::cached::{Cached, KEPT};

/// The nodes that a console shows.
pub(crate) struct KnownNodes {
    source: Arc<dyn NodeSource>,
    lists: Asked<dyn NodeSource>,
    /// The trees that clients have asked for, by the name of the node.
    trees: Mutex<HashMap<String, Arc<SharedTrees>>>,
}

/// The trees of one node, for all clients that ask for them.
struct SharedTrees {
    /// Has one request at once. A node that does not answer keeps its own trees waiting, and
    /// neither a list nor the trees of another node.
    node: Asked<dyn NodeSource>,
    /// A failure is kept as long as trees are: the clients that waited for it do not ask again.
    read: Cached<Result<Arc<NodeView>, Problem>>,
}

impl KnownNodes {
    pub(crate) fn new(source: Arc<dyn NodeSource>) -> Self {
        Self { lists: Asked::new("cluster", source.clone()), source, trees: Mutex::new(HashMap::new()) }
    }

    /// Returns the own node, and then the others that it sees.
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

    /// Returns the trees of a node as they were within the last quarter of a second, or the reason
    /// why they could not be read then. All clients that ask meanwhile share one answer.
    pub(crate) async fn trees(self: &Arc<Self>, name: &str) -> Result<Arc<NodeView>, Problem> {
        let known = self.trees.lock().get(name).cloned();
        let trees = match known {
            Some(trees) => trees,
            None => self.add(name).await?,
        };
        let name = name.to_owned();
        // It goes on when the client has gone: others wait for it.
        let reading = tokio::spawn(async move { trees.read(name).await });
        let failed = |_| Err(Problem::new(ProblemKind::Internal, "the trees of the node were not read"));
        reading.await.unwrap_or_else(failed)
    }

    /// Adds the trees of a node that is listed. They are removed when no client asks for them.
    async fn add(self: &Arc<Self>, name: &str) -> Result<Arc<SharedTrees>, Problem> {
        if !self.list().await?.iter().any(|node| node.name == name) {
            return Err(Problem::not_found("node"));
        }
        match self.trees.lock().entry(name.to_owned()) {
            Entry::Occupied(entry) => Ok(entry.get().clone()),
            Entry::Vacant(entry) => {
                tokio::spawn(forget_later(Arc::downgrade(self), name.to_owned()));
                let node = Asked::limited("node", self.source.clone(), 1);
                Ok(entry.insert(Arc::new(SharedTrees { node, read: Cached::default() })).clone())
            }
        }
    }

    /// Drops the trees of a node, unless they are new or asked for. Returns `true` if they are
    /// gone.
    fn forget(&self, name: &str) -> bool {
        let Some(known) = self.trees.lock().get(name).cloned() else { return true };
        if !known.read.forget_old() {
            return false;
        }
        let mut trees = self.trees.lock();
        // Only the map has them: no client waits, and has read them since.
        let is_unused = Arc::strong_count(&known) == 2 && known.node.is_idle() && known.read.forget_old();
        if is_unused {
            trees.remove(name);
        }
        is_unused
    }
}

impl SharedTrees {
    async fn read(&self, name: String) -> Result<Arc<NodeView>, Problem> {
        let read = async || Ok::<_, Infallible>(self.node.read(move |source| read(source, &name)).await);
        let Ok(taken) = self.read.get(read).await;
        (*taken.value).clone()
    }
}

/// Frees the trees of a node once it is not asked for any more.
async fn forget_later(nodes: Weak<KnownNodes>, name: String) {
    loop {
        tokio::time::sleep(KEPT).await;
        if nodes.upgrade().is_none_or(|nodes| nodes.forget(&name)) {
            return;
        }
    }
}

fn read(source: &dyn NodeSource, node: &str) -> Answer<Arc<NodeView>> {
    let trees = source.trees(node);
    Box::pin(async move {
        trees.await.map(|trees| Arc::new(NodeView::new(trees))).map_err(|error| {
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

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use perennial_operations::{NodeTrees, NodeTreesFuture};
    use tokio::task::{JoinSet, yield_now};
    use tokio::time::advance;

    use super::*;

    /// The nodes `healthy`, and `hung`, which does not answer.
    #[derive(Default)]
    struct Source {
        reads: AtomicUsize,
    }

    impl NodeSource for Source {
        fn nodes(&self) -> Vec<NodeInfo> {
            let node = |name: &str| NodeInfo::new(name.to_owned(), "1".to_owned(), true);
            ["healthy", "hung"].map(node).into()
        }

        fn names(&self, _: &str, _: usize, _: usize) -> NodeNames {
            NodeNames::default()
        }

        fn trees(&self, node: &str) -> NodeTreesFuture {
            if node == "healthy" {
                return Box::pin(std::future::ready(Ok(NodeTrees::default())));
            }
            self.reads.fetch_add(1, Ordering::SeqCst);
            Box::pin(pending())
        }
    }

    fn known() -> (Arc<Source>, Arc<KnownNodes>) {
        let source = Arc::new(Source::default());
        (source.clone(), Arc::new(KnownNodes::new(source)))
    }

    #[tokio::test(start_paused = true)]
    async fn clients_of_a_node_that_hangs_share_one_attempt_and_its_failure() {
        let (source, nodes) = known();
        let mut clients = JoinSet::new();
        for _ in 0..20 {
            let nodes = nodes.clone();
            clients.spawn(async move { nodes.trees("hung").await.err().map(|problem| problem.error) });
        }
        while source.reads.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        assert!(nodes.trees("healthy").await.is_ok(), "it does not wait for the other");
        advance(Duration::from_secs(3)).await;
        assert_eq!(clients.join_all().await, [Some(ProblemKind::Unavailable); 20]);
        assert_eq!(source.reads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_stays_of_names_that_are_not_listed_or_not_asked_for_any_more() {
        let (source, nodes) = known();
        let refused = nodes.trees("nowhere").await.err().map(|problem| problem.error);
        assert_eq!(refused, Some(ProblemKind::NotFound));
        assert!(nodes.trees.lock().is_empty());
        assert!(nodes.trees("healthy").await.is_ok());
        // This client goes before there is an answer.
        let asking = tokio::spawn({
            let nodes = nodes.clone();
            async move { nodes.trees("hung").await.is_ok() }
        });
        while source.reads.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        asking.abort();
        assert_eq!(nodes.trees.lock().len(), 2);
        while !nodes.trees.lock().is_empty() {
            advance(Duration::from_secs(1)).await;
            yield_now().await;
        }
    }
}
