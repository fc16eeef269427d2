//! The shape of the trees in a snapshot: parents, ends of subtrees, and where there is trouble. A
//! pure function of the nodes in their order.

use std::collections::HashMap;

use perennial_operations::TreeNode;
use perennial_supervision::{ChildState, Restart};

/// The shape of the trees, by the place of each node in the list.
#[derive(Debug, Default)]
pub(crate) struct TreeIndex {
    places: Vec<Place>,
    by_identity: HashMap<u64, usize>,
}

/// The place of one node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The place of its parent.
    pub(crate) parent: Option<usize>,
    /// The place after the last node below it.
    pub(crate) end: usize,
    /// The number of its children.
    pub(crate) children: usize,
    /// The number of nodes below it that are in trouble.
    pub(crate) troubled: usize,
}

/// Returns `true` if a node does not run though it should, or gave up.
pub(crate) fn is_in_trouble(node: &TreeNode) -> bool {
    match node.state {
        ChildState::Restarting | ChildState::Failed | ChildState::Stopping => true,
        ChildState::Stopped => node.restart == Restart::Permanent,
        _ => node.gave_up,
    }
}

impl TreeIndex {
    pub(crate) fn of(nodes: &[TreeNode]) -> Self {
        let mut places = vec![Place::default(); nodes.len()];
        let mut open: Vec<usize> = Vec::new();
        let mut by_identity = HashMap::with_capacity(nodes.len());
        let is_troubled = |at: usize| nodes.get(at).is_some_and(is_in_trouble);
        for (at, node) in nodes.iter().enumerate() {
            close(&mut places, &mut open, node.level, at, is_troubled);
            let parent = open.last().copied();
            if let Some(parent) = parent.and_then(|parent| places.get_mut(parent)) {
                parent.children += 1;
            }
            if let Some(place) = places.get_mut(at) {
                place.parent = parent;
            }
            if node.identity != 0 {
                by_identity.insert(node.identity, at);
            }
            open.push(at);
        }
        close(&mut places, &mut open, 0, nodes.len(), is_troubled);
        Self { places, by_identity }
    }

    pub(crate) fn place(&self, at: usize) -> Place {
        self.places.get(at).copied().unwrap_or_default()
    }

    /// Returns the place of the node with this identity.
    pub(crate) fn find(&self, identity: u64) -> Option<usize> {
        self.by_identity.get(&identity).copied()
    }

    /// Returns the places of the children of a node, or those of the roots.
    pub(crate) fn children(&self, parent: Option<usize>) -> Vec<usize> {
        let (mut at, end) = match parent {
            Some(parent) => (parent + 1, self.place(parent).end),
            None => (0, self.places.len()),
        };
        let mut children = Vec::new();
        while at < end {
            children.push(at);
            at = self.place(at).end.max(at + 1);
        }
        children
    }

    /// Returns the places of a node and of those above it, the nearest first.
    pub(crate) fn ancestors(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |at| self.place(*at).parent)
    }

    /// Returns the places that are visible if only these nodes are expanded, or the roots.
    pub(crate) fn visible(&self, is_expanded: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut visible = Vec::new();
        let mut at = 0;
        while at < self.places.len() {
            visible.push(at);
            at = if is_expanded(at) { at + 1 } else { self.place(at).end.max(at + 1) };
        }
        visible
    }

    /// Returns the places whose path contains a text in lower case, each after those above it.
    pub(crate) fn matching(&self, nodes: &[TreeNode], text: &str) -> Vec<usize> {
        let mut is_shown = vec![false; nodes.len()];
        let mut path = String::new();
        // Of each node above: the length of its path, and whether that matches.
        let mut above: Vec<(usize, bool)> = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            above.truncate(node.level);
            let (len, inherits) = above.last().copied().unwrap_or_default();
            path.truncate(len);
            if !above.is_empty() {
                path.push('/');
            }
            path.push_str(&node.id.to_lowercase());
            // The rest was searched before.
            let tail = path.as_bytes().get(len.saturating_sub(text.len())..).unwrap_or_default();
            let matches = inherits || contains(tail, text.as_bytes());
            above.push((path.len(), matches));
            if matches {
                for shown in self.ancestors(at) {
                    match is_shown.get_mut(shown) {
                        Some(is_shown) if !*is_shown => *is_shown = true,
                        _ => break,
                    }
                }
            }
        }
        (0..nodes.len()).filter(|at| is_shown.get(*at) == Some(&true)).collect()
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}

/// Ends the subtrees that do not contain the next node, which is at this level.
fn close(
    places: &mut [Place],
    open: &mut Vec<usize>,
    level: usize,
    next: usize,
    is_troubled: impl Fn(usize) -> bool,
) {
    while open.len() > level {
        let Some(ended) = open.pop() else { return };
        let troubled = places.get_mut(ended).map_or(0, |place| {
            place.end = next;
            place.troubled
        });
        if let Some(parent) = open.last().and_then(|parent| places.get_mut(*parent)) {
            parent.troubled += troubled + usize::from(is_troubled(ended));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns nodes with these levels and ids. One whose id begins with `!` is restarting.
    fn nodes(of: &[(usize, &str)]) -> Vec<TreeNode> {
        let node = |(at, (level, id)): (usize, &(usize, &str))| {
            let state = if id.starts_with('!') { "restarting" } else { "running" };
            let node = json!({
                "level": level, "id": id, "identity": at + 1, "kind": "worker", "restart": "permanent",
                "significant": false, "state": state, "restarts": 0, "gave_up": false,
            });
            serde_json::from_value(node).expect("it is a node")
        };
        of.iter().enumerate().map(node).collect()
    }

    fn forest() -> Vec<TreeNode> {
        nodes(&[(0, "app"), (1, "db"), (2, "!pool"), (2, "Cache"), (1, "!web"), (0, "other"), (1, "db")])
    }

    #[test]
    fn children_and_ends_follow_from_the_levels() {
        let index = TreeIndex::of(&forest());
        assert_eq!(index.children(None), [0, 5]);
        assert_eq!(index.children(Some(0)), [1, 4]);
        assert_eq!(index.children(Some(1)), [2, 3]);
        assert!(index.children(Some(4)).is_empty());
        assert_eq!(index.find(4), Some(3));
        assert_eq!(index.ancestors(3).collect::<Vec<_>>(), [3, 1, 0]);
        assert_eq!((index.place(0).end, index.place(0).children), (5, 2));
    }

    #[test]
    fn trouble_is_counted_for_each_node_above_it() {
        let index = TreeIndex::of(&forest());
        let troubled: Vec<usize> = (0..7).map(|at| index.place(at).troubled).collect();
        assert_eq!(troubled, [2, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn collapsed_nodes_hide_what_is_below_them() {
        let index = TreeIndex::of(&forest());
        assert_eq!(index.visible(|_| false), [0, 5]);
        assert_eq!(index.visible(|at| at == 0), [0, 1, 4, 5]);
        assert_eq!(index.visible(|_| true), (0..7).collect::<Vec<_>>());
    }

    #[test]
    fn text_finds_paths_and_shows_them_with_the_nodes_above_and_below() {
        let (nodes, matching) = (forest(), |text: &str| {
            let nodes = forest();
            TreeIndex::of(&nodes).matching(&nodes, text)
        });
        assert_eq!(matching("cache"), [0, 1, 3]);
        assert_eq!(matching("app/db"), [0, 1, 2, 3]);
        assert_eq!(matching("db/!p"), [0, 1, 2]);
        assert_eq!(matching("nothing"), [0_usize; 0]);
        assert_eq!(matching("").len(), nodes.len());
    }
}
