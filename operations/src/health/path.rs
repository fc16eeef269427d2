//! The path of each node of a list of nodes with levels, without a text for each of them.

/// The path of the current node: the ids from the root down, separated by slashes.
#[derive(Debug, Default)]
pub(super) struct NodePath {
    text: String,
    /// The length of the text at each level above the current one.
    lengths: Vec<usize>,
}

impl NodePath {
    /// Moves to the next node of a list in which parents come before their children.
    pub(super) fn enter(&mut self, level: usize, id: &str) -> &str {
        if let Some(length) = self.lengths.get(level) {
            self.text.truncate(*length);
            self.lengths.truncate(level);
        }
        self.lengths.push(self.text.len());
        if !self.text.is_empty() {
            self.text.push('/');
        }
        self.text.push_str(id);
        &self.text
    }
}
