//! The view of a shutdown: which trees stop, and what has not stopped.

use perennial_supervision::ChildState;
use serde::{Deserialize, Serialize};

use super::tree::millis;
use super::view::View;

/// The most nodes of a tree that are shown.
const SHOWN: usize = 500;

/// A tree of which something stops.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StoppingTree {
    /// The id of the root.
    pub tree: String,
    /// `true` if the root stops, and so the whole tree.
    pub is_whole: bool,
    /// The time that the root has left, if it stops and has a limit.
    pub time_left_millis: Option<u64>,
    /// The number of nodes that have not stopped.
    pub total: usize,
    /// The nodes that are being stopped: 500 at most.
    pub remaining: Vec<Unstopped>,
}

/// A node that is being stopped.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Unstopped {
    /// The number of its identity.
    pub identity: u64,
    /// Its path.
    pub path: String,
    /// Its state.
    pub state: ChildState,
    /// `true` if it was killed. Until then it was only asked to stop.
    pub killed: bool,
    /// The time until it is killed or, if it was killed, until it is abandoned.
    pub time_left_millis: Option<u64>,
}

/// Returns the trees in which a node is being stopped.
pub(crate) fn stopping(view: &View) -> Vec<StoppingTree> {
    let mut trees = Vec::new();
    for root in view.tree.children(None) {
        let places = root..view.tree.place(root).end;
        let stopping: Vec<usize> =
            places.filter(|at| view.node(*at).is_some_and(|node| node.stop.is_some())).collect();
        let Some(node) = view.node(root).filter(|_| !stopping.is_empty()) else { continue };
        trees.push(StoppingTree {
            tree: node.id.to_string(),
            is_whole: node.stop.is_some(),
            time_left_millis: node.stop.and_then(|stop| stop.time_left).map(millis),
            total: stopping.len(),
            remaining: stopping.iter().take(SHOWN).filter_map(|at| unstopped(view, *at)).collect(),
        });
    }
    trees
}

fn unstopped(view: &View, at: usize) -> Option<Unstopped> {
    let node = view.node(at)?;
    let stop = node.stop?;
    Some(Unstopped {
        identity: node.identity,
        path: view.path(at),
        state: node.state,
        killed: stop.killed,
        time_left_millis: stop.time_left.map(millis),
    })
}
