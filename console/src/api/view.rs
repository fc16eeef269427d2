//! A snapshot with what many answers need of it.

use perennial_operations::{Process, ProcessFigures, Snapshot, TreeNode};

use super::tally::Tally;
use super::tree_index::TreeIndex;

/// A system at one moment, prepared for answers.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) snapshot: Snapshot,
    pub(crate) tree: TreeIndex,
    /// What the events were until the snapshot.
    pub(crate) tally: Tally,
}

impl View {
    pub(crate) fn new(snapshot: Snapshot, tally: Tally) -> Self {
        let tree = TreeIndex::of(&snapshot.figures.trees);
        Self { snapshot, tree, tally }
    }

    pub(crate) const fn sequence(&self) -> u64 {
        self.snapshot.sequence
    }

    pub(crate) fn node(&self, at: usize) -> Option<&TreeNode> {
        self.snapshot.figures.trees.get(at)
    }

    pub(crate) fn process(&self, identity: u64) -> Option<&Process> {
        self.snapshot.model.processes.get(&identity)
    }

    pub(crate) fn figures(&self, identity: u64) -> Option<&ProcessFigures> {
        self.snapshot.figures.processes.get(&identity)
    }

    /// Returns the path of an actor in its tree, or its type.
    pub(crate) fn label(&self, identity: u64) -> Option<String> {
        let known = self.process(identity).map(|process| process.label.to_string());
        known.or_else(|| self.figures(identity)?.label.as_ref().map(ToString::to_string))
    }

    /// Returns the path of a node of a tree.
    pub(crate) fn path(&self, at: usize) -> String {
        let mut ids: Vec<&str> = self.tree.ancestors(at).filter_map(|at| Some(&*self.node(at)?.id)).collect();
        ids.reverse();
        ids.join("/")
    }
}
