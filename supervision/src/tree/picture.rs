//! A tree at one moment, for people and for tests.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{Handle, Pid};

use super::child::{ChildState, Restarts};
use crate::policy::ChildKind;

/// A supervisor or an actor and everything below it, as it was at one moment.
///
/// Displayed, it is drawn, each child in one line. Characters of an id that would end or reorder a line are escaped, and so
/// are backslashes:
///
/// ```text
/// app  running <1.1>
/// ├─ counter  running <2.3>, 2 restarts
/// └─ workers  running <3.1>
///    └─ first  restarting
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    #[cfg_attr(feature = "serde", serde(skip))]
    pub handle: Handle,
    /// Its children in start order.
    pub children: Vec<Self>,
}

impl Tree {
    /// The descendant at a path of ids, none of them this one's: `tree.at(["workers", "first"])`.
    #[must_use]
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, id| node.children.iter().find(|child| *child.id == *id))
    }

    /// This and everything below it, parents first, in start order.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let node = stack.pop()?;
            stack.extend(node.children.iter().rev());
            Some(node)
        })
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        write!(f, "{}  {}", OneLine(&self.id), self.state)?;
        if let Some(pid) = self.pid {
            write!(f, " {pid}")?;
        }
        writeln!(f, "{}", Restarts(self.restarts))?;
        for (index, child) in self.children.iter().enumerate() {
            let (branch, below) =
                if index + 1 == self.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "{indent}{branch}")?;
            child.draw(f, &format!("{indent}{below}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw(f, "")
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
