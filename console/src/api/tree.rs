//! The nodes of the trees: the children of one, and the rows of a tree of which some nodes are
//! expanded.

use std::collections::BTreeSet;

use perennial_actors::Pid;
use perennial_operations::TreeNode;
use serde::{Deserialize, Serialize};

use super::page::{Page, Window};
use super::problem::Problem;
use super::tree_index::is_in_trouble;
use super::view::View;

/// A node of a tree, with what a row of it shows.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TreeItem {
    /// The node. Its fields are those of this object.
    #[serde(flatten)]
    pub node: TreeNode,
    /// The ids from the root down, separated by slashes.
    pub path: String,
    /// The identity of its supervisor.
    pub parent: Option<u64>,
    /// The number of its children.
    pub children: usize,
    /// `true` if it does not run though it should, is being stopped, or gave up.
    pub in_trouble: bool,
    /// The number of nodes below it that are in trouble.
    pub descendants_in_trouble: usize,
    /// The latest incarnation that started or failed to start; 0 before the first.
    pub incarnation: u32,
    /// The length of its queue.
    pub queued: u64,
    /// `true` if it is suspended.
    pub suspended: bool,
    /// For how many milliseconds its handler has been observed running, unless it is idle.
    pub busy_millis: Option<u64>,
    /// The rest of the backoff in milliseconds, if it is down and will be started again.
    pub retry_in_millis: Option<u64>,
}

/// A row of an expanded tree.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TreeRow {
    /// The number of levels below the root.
    pub level: usize,
    /// `true` if the rows of its children follow.
    pub expanded: bool,
    /// The node.
    pub node: TreeItem,
}

impl TreeItem {
    /// Returns the node at a place.
    pub(crate) fn at(view: &View, at: usize) -> Option<Self> {
        let node = view.node(at)?;
        let place = view.tree.place(at);
        let figures = view.figures(node.identity);
        let pending = figures.and_then(|figures| figures.pending_start.as_ref());
        Some(Self {
            path: view.path(at),
            parent: place.parent.and_then(|parent| view.node(parent)).map(|parent| parent.identity),
            children: place.children,
            in_trouble: is_in_trouble(node),
            descendants_in_trouble: place.troubled,
            incarnation: view.process(node.identity).map_or_else(
                // Of another node, only its trees are known.
                || node.pid.map_or(0, Pid::incarnation),
                |process| process.incarnation,
            ),
            suspended: figures.is_some_and(|figures| figures.suspended),
            busy_millis: figures.and_then(|figures| figures.busy_for_at_least).map(millis),
            queued: figures.map_or(0, |figures| figures.messages.queued),
            retry_in_millis: pending.map(|pending| millis(pending.retry_in)),
            node: node.clone(),
        })
    }
}

pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the children of a node, or the roots.
pub(crate) fn children(view: &View, parent: Option<u64>, window: Window) -> Result<Page<TreeItem>, Problem> {
    let parent = match parent {
        Some(identity) => Some(view.tree.find(identity).ok_or_else(|| Problem::not_found("node"))?),
        None => None,
    };
    Ok(items(view, &view.tree.children(parent), window))
}

/// The nodes that are expanded.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Expansion {
    /// Those that are expanded unless they are named.
    base: Base,
    /// The identities of nodes that are expanded.
    expanded: BTreeSet<u64>,
    /// The identities of nodes that are not.
    collapsed: BTreeSet<u64>,
}

/// The nodes that are expanded unless they are named.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Base {
    /// The roots.
    #[default]
    Roots,
    /// The roots, and nodes with few children.
    Auto,
    /// None.
    None,
}

impl Expansion {
    /// Expands these nodes and no others, or the roots if none are named.
    pub(crate) fn only(expanded: Option<BTreeSet<u64>>) -> Self {
        let base = if expanded.is_some() { Base::None } else { Base::Roots };
        Self { base, expanded: expanded.unwrap_or_default(), collapsed: BTreeSet::new() }
    }

    fn expands(&self, view: &View, at: usize) -> bool {
        let Some(node) = view.node(at) else { return false };
        let is_base = match self.base {
            Base::None => false,
            Base::Roots => node.level == 0,
            Base::Auto => node.level == 0 || view.tree.place(at).children <= FEW,
        };
        (is_base && !self.collapsed.contains(&node.identity)) || self.expanded.contains(&node.identity)
    }
}

/// The most children of a node that is expanded by itself.
const FEW: usize = 20;

/// Returns the nodes of the visible rows: those below expanded nodes. With a text, these are the
/// nodes whose path contains it, and those above them.
pub(crate) fn rows(view: &View, expansion: &Expansion, text: Option<&str>, window: Window) -> Page<TreeRow> {
    let visible = match text.filter(|text| !text.is_empty()) {
        Some(text) => view.tree.matching(&view.snapshot.figures.trees, &text.to_lowercase()),
        None => view.tree.visible(|at| expansion.expands(view, at)),
    };
    // The row of a node is followed by that of its first child, if that is shown.
    let with_next: Vec<(usize, bool)> = visible
        .iter()
        .zip(visible.iter().skip(1).map(Some).chain([None]))
        .map(|(at, next)| (*at, next.is_some_and(|next| view.tree.place(*next).parent == Some(*at))))
        .collect();
    let page = window.of(&with_next, view.sequence(), |(at, expanded)| {
        let node = TreeItem::at(view, *at)?;
        Some(TreeRow { level: node.node.level, expanded: *expanded, node })
    });
    page.flatten()
}

fn items(view: &View, places: &[usize], window: Window) -> Page<TreeItem> {
    window.of(places, view.sequence(), |at| TreeItem::at(view, *at)).flatten()
}
