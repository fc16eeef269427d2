//! A tree as a Mermaid diagram, which GitHub, GitLab and many editors render.

use std::fmt;

use super::child::Restarts;
use super::snapshot::{Tree, is_layout};

impl Tree {
    /// Renders the tree as a [Mermaid](https://mermaid.js.org) flowchart.
    ///
    /// ```text
    /// flowchart TD
    ///     n0["app<br>running"]
    ///     n0 --> n1["counter<br>running, 2 restarts"]
    ///     n0 --> n2["workers<br>running"]
    ///     n2 --> n3["first<br>restarting"]
    /// ```
    pub fn mermaid(&self) -> impl fmt::Display {
        Mermaid(self)
    }
}

struct Mermaid<'a>(&'a Tree);

impl fmt::Display for Mermaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flowchart TD")?;
        let mut next = 0_usize;
        let mut stack: Vec<(Option<usize>, &Tree)> = vec![(None, self.0)];
        while let Some((parent, node)) = stack.pop() {
            let number = next;
            next += 1;
            write!(f, "    ")?;
            if let Some(parent) = parent {
                write!(f, "n{parent} --> ")?;
            }
            writeln!(
                f,
                "n{number}[\"{}<br>{}{}\"]",
                QuotedText(&node.id),
                node.state,
                Restarts(node.restarts)
            )?;
            stack.extend(node.children.iter().rev().map(|child| (Some(number), child)));
        }
        Ok(())
    }
}

/// Any text, escaped for use between double quotes.
struct QuotedText<'a>(&'a str);

impl fmt::Display for QuotedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' => f.write_str("#quot;"),
            '#' => f.write_str("#35;"),
            '<' => f.write_str("#lt;"),
            '>' => f.write_str("#gt;"),
            c if is_layout(c) => f.write_str(" "),
            c => write!(f, "{c}"),
        })
    }
}
