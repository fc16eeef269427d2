//! A look at a tree: what is where, and how it is.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Pid};

use super::child::{ChildState, Restarts};
use crate::policy::ChildKind;

/// The level below which the text indents no further. Without a limit its length would grow with
/// the square of the depth.
const DEEPEST_INDENT: usize = 100;

/// A supervisor or an actor and everything below it, as it was at one moment.
///
/// Displayed, it is drawn, each child in one line. Characters of an id that would end or reorder a line are escaped, and so
/// are backslashes:
///
/// ```text
/// app  running <1.1>
/// ├─ counter  running <2.3>, 2 restarts
/// └─ workers  running <3.1>
///    └─ first  restart
/// ```
///
/// Nodes more than 100 levels below the top are drawn with the indentation of the 100th level, and
/// with their level in front: `└─ [4711] first  running <7.1>`.
///
/// The depth of a tree is limited by memory alone. A tree is looked at, cloned, drawn, serialized
/// and dropped in time linear in the number of its nodes, on a stack of any size. To take the
/// children out of a tree by value, use [`std::mem::take`].
///
/// # Serialization
///
/// Children are nested in the field `children`, down to 50 levels below the top: `serde_json`, for
/// example, reads at most 128 nested values, of which each level takes two. A node on the 50th
/// level has no children in that field. It has a field `descendants` instead, if there are any: a
/// flat list of all nodes below, parents first, each with its `level` below the top.
#[non_exhaustive]
pub struct Tree {
    /// Its id among its siblings.
    pub id: Arc<str>,
    /// What it is.
    pub kind: ChildKind,
    /// What it is doing.
    pub state: ChildState,
    /// Its live incarnation.
    pub pid: Option<Pid>,
    /// How often its supervisor has restarted it, counted from that supervisor's own start.
    pub restarts: u64,
    /// The means to stop, kill and watch it.
    pub handle: ActorHandle,
    /// Its children in start order.
    pub children: Vec<Self>,
}

/// A node that is walked over.
struct Step<'a> {
    node: &'a Tree,
    /// The number of its parent in the order of the walk; none for the top.
    parent: Option<usize>,
    /// How many levels it is below the top.
    level: usize,
    /// `true` if it is the last one among its siblings.
    is_last: bool,
}

impl Tree {
    /// The descendant at a path of ids, none of them this one's: `tree.at(["workers", "first"])`.
    #[must_use]
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, id| node.children.iter().find(|child| *child.id == *id))
    }

    /// This and everything below it, parents first, in start order.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        self.steps().map(|step| step.node)
    }

    /// The same, with the level of each node below this one.
    pub(super) fn levels(&self) -> impl Iterator<Item = (usize, &Self)> {
        self.steps().map(|step| (step.level, step.node))
    }

    fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let mut due = vec![Step { node: self, parent: None, level: 0, is_last: true }];
        let mut number = 0;
        std::iter::from_fn(move || {
            let step = due.pop()?;
            let (parent, level) = (Some(number), step.level + 1);
            number += 1;
            let children = step.node.children.iter().rev().enumerate();
            due.extend(children.map(|(index, node)| Step { node, parent, level, is_last: index == 0 }));
            Some(step)
        })
    }

    /// Puts a tree together from its top and everything below, parents before children, in start
    /// order. Each node comes with the place of its parent among them; none if that is the top.
    pub(crate) fn assemble(mut top: Self, mut below: Vec<(Option<usize>, Self)>) -> Self {
        // All children of the last one have been taken off before it is, the last child first.
        while let Some((parent, mut node)) = below.pop() {
            node.children.reverse();
            let parent = match parent {
                Some(place) => below.get_mut(place).map(|(_, parent)| parent),
                None => Some(&mut top),
            };
            if let Some(parent) = parent {
                parent.children.push(node);
            }
        }
        top.children.reverse();
        top
    }

    /// Returns a copy without what is below it.
    fn clone_alone(&self) -> Self {
        Self {
            id: self.id.clone(),
            kind: self.kind,
            state: self.state,
            pid: self.pid,
            restarts: self.restarts,
            handle: self.handle.clone(),
            children: Vec::new(),
        }
    }
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        // The top is no parent to be found among those below it, which are counted from 1 in the
        // walk.
        let place = |parent: Option<usize>| parent.and_then(|number| number.checked_sub(1));
        let below = self.steps().skip(1).map(|step| (place(step.parent), step.node.clone_alone()));
        Self::assemble(self.clone_alone(), below.collect())
    }
}

impl Drop for Tree {
    /// Drops what is below it one after the other: a deep tree needs no deep stack.
    fn drop(&mut self) {
        let mut below = std::mem::take(&mut self.children);
        while let Some(mut node) = below.pop() {
            below.append(&mut node.children);
        }
    }
}

impl fmt::Debug for Tree {
    /// Writes a flat list of all nodes with their levels: nested, each level would take stack.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.levels().map(|(level, node)| Alone { level, node })).finish()
    }
}

/// A node without its children.
struct Alone<'a> {
    level: usize,
    node: &'a Tree,
}

impl fmt::Debug for Alone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tree { id, kind, state, pid, restarts, .. } = self.node;
        f.debug_struct("Tree")
            .field("level", &self.level)
            .field("id", id)
            .field("kind", kind)
            .field("state", state)
            .field("pid", pid)
            .field("restarts", restarts)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of each level above the node, whether its node is the last one among its siblings.
        let mut above: Vec<bool> = Vec::new();
        for Step { node, level, is_last, .. } in self.steps() {
            above.truncate(level.saturating_sub(1));
            for is_last in above.iter().take(DEEPEST_INDENT - 1) {
                f.write_str(if *is_last { "   " } else { "│  " })?;
            }
            if level > 0 {
                f.write_str(if is_last { "└─ " } else { "├─ " })?;
                above.push(is_last);
            }
            if level > DEEPEST_INDENT {
                write!(f, "[{level}] ")?;
            }
            write!(f, "{}  {}", OneLine(&node.id), node.state)?;
            if let Some(pid) = node.pid {
                write!(f, " {pid}")?;
            }
            writeln!(f, "{}", Restarts(node.restarts))?;
        }
        Ok(())
    }
}

/// A text that may hold anything, in one line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            c if is_layout(c) => write!(f, "{}", c.escape_default()),
            c => write!(f, "{c}"),
        })
    }
}

/// Returns `true` if a character changes where others are drawn: a control character, a separator of lines, a direction.
pub(super) fn is_layout(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
