//! A snapshot of a tree.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Pid};

use super::child::{ChildState, Restarts, StopProgress};
use crate::policy::{ChildKind, Restart};
use crate::status::SupervisorStatus;

/// The level below which the text indents no further. Without a limit, the length of the text would
/// grow with the square of the depth.
const DEEPEST_INDENT: usize = 100;

/// A supervisor or an actor and everything below it, at one moment.
///
/// `Display` prints one line for each node. Characters of an id that would end or reorder a line
/// are escaped, and so are backslashes:
///
/// ```text
/// app  running <1.1>
/// ├─ counter  running <2.3>, 2 restarts
/// └─ workers  running <3.1>
///    └─ first  restarting
/// ```
///
/// Nodes more than 100 levels below the top have the indentation of level 100 and their level in
/// front: `└─ [4711] first  running <7.1>`.
///
/// Only memory limits the depth of a tree. Creating, cloning, displaying, serializing and dropping
/// a tree take time linear in the number of its nodes, on a stack of any size. Use
/// [`std::mem::take`] to move the children out of a tree.
///
/// # Serialization
///
/// Children are nested in the field `children`, down to 50 levels below the top. The limit keeps
/// the output readable for parsers such as `serde_json`, which reads at most 128 nested values;
/// each level takes two. A node on level 50 has an empty `children` field. If it has children, it
/// has an additional field `descendants`: a flat list of all nodes below it, parents first, each
/// with its `level` below the top.
#[non_exhaustive]
pub struct Tree {
    /// The id among its siblings.
    pub id: Arc<str>,
    /// The kind of the child: worker or supervisor.
    pub kind: ChildKind,
    /// Which of its exits cause a restart. The root, which has no supervisor, shows the default.
    pub restart: Restart,
    /// `true` if its exit may shut its supervisor down.
    pub significant: bool,
    /// Its state.
    pub state: ChildState,
    /// The live incarnation, if there is one.
    pub pid: Option<Pid>,
    /// How far its stop has come, if it is being stopped.
    pub stop: Option<StopProgress>,
    /// How often its supervisor restarted it, counted from the start of that supervisor's
    /// incarnation.
    pub restarts: u64,
    /// The status of the current or last incarnation, if this is a supervisor that has begun to
    /// start.
    pub status: Option<SupervisorStatus>,
    /// The number of restarts that the supervisor tolerates at this moment, if this is one and it
    /// runs. `u32::MAX` stands for any number.
    pub restarts_left: Option<u32>,
    /// A handle that stops, kills and monitors it.
    pub handle: ActorHandle,
    /// The children in start order.
    pub children: Vec<Self>,
}

/// One step of a walk over a tree.
struct WalkStep<'a> {
    node: &'a Tree,
    /// The index of the parent in the order of the walk, or `None` for the top.
    parent: Option<usize>,
    /// The number of levels below the top.
    level: usize,
    /// `true` if the node is the last one among its siblings.
    is_last: bool,
}

impl Tree {
    /// Returns the descendant at a path of ids: `tree.at(["workers", "first"])`. The path does not
    /// contain the id of this node.
    #[must_use]
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, id| node.children.iter().find(|child| *child.id == *id))
    }

    /// Returns this node and everything below it, parents first, in start order.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        self.steps().map(|step| step.node)
    }

    /// Returns the same nodes as [`walk`](Self::walk), with the level of each below this one.
    pub fn levels(&self) -> impl Iterator<Item = (usize, &Self)> {
        self.steps().map(|step| (step.level, step.node))
    }

    fn steps(&self) -> impl Iterator<Item = WalkStep<'_>> {
        let mut pending = vec![WalkStep { node: self, parent: None, level: 0, is_last: true }];
        let mut number = 0;
        std::iter::from_fn(move || {
            let step = pending.pop()?;
            let (parent, level) = (Some(number), step.level + 1);
            number += 1;
            let children = step.node.children.iter().rev().enumerate();
            pending.extend(children.map(|(index, node)| WalkStep {
                node,
                parent,
                level,
                is_last: index == 0,
            }));
            Some(step)
        })
    }

    /// Builds a tree from its top and the nodes below it, parents before children, in start order.
    /// Each node has the index of its parent in `below`, or `None` if that is the top.
    pub(crate) fn assemble(mut top: Self, mut below: Vec<(Option<usize>, Self)>) -> Self {
        // The loop removes all children of the last node before that node itself, the last child
        // first.
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

    /// Returns a copy without its children.
    fn clone_alone(&self) -> Self {
        Self {
            id: self.id.clone(),
            kind: self.kind,
            restart: self.restart,
            significant: self.significant,
            state: self.state,
            pid: self.pid,
            stop: self.stop,
            restarts: self.restarts,
            status: self.status.clone(),
            restarts_left: self.restarts_left,
            handle: self.handle.clone(),
            children: Vec::new(),
        }
    }
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        // `below` does not contain the top, and the walk counts the nodes below from 1.
        let place = |parent: Option<usize>| parent.and_then(|number| number.checked_sub(1));
        let below = self.steps().skip(1).map(|step| (place(step.parent), step.node.clone_alone()));
        Self::assemble(self.clone_alone(), below.collect())
    }
}

impl Drop for Tree {
    /// Drops the nodes below in a loop: a deep tree needs no deep stack.
    fn drop(&mut self) {
        let mut below = std::mem::take(&mut self.children);
        while let Some(mut node) = below.pop() {
            below.append(&mut node.children);
        }
    }
}

impl fmt::Debug for Tree {
    /// Writes a flat list of all nodes with their levels. A nested list would need stack for each
    /// level.
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
        // For each level above the node: `true` if the ancestor on it is the last one among its
        // siblings.
        let mut above: Vec<bool> = Vec::new();
        for WalkStep { node, level, is_last, .. } in self.steps() {
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

/// Any text, escaped to fit one line.
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

/// Returns `true` if a character changes where other characters are displayed: a control character,
/// a line separator, or a direction mark.
pub(super) fn is_layout(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
