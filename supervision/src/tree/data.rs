//! The serialization of a tree.

use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};

use super::snapshot::Tree;

/// The number of levels below the top that are nested.
const DEEPEST_NESTED: usize = 50;

/// A node on a level below the top, with everything below it.
struct Nested<'a> {
    level: usize,
    node: &'a Tree,
}

/// The children of a node. `level` is the level of the children.
struct Children<'a> {
    level: usize,
    of: &'a Tree,
}

/// Everything below a node, as a flat list. `level` is the level of the node.
struct Descendants<'a> {
    level: usize,
    of: &'a Tree,
}

/// A node without its children, on a level below the top.
struct Alone<'a> {
    level: usize,
    node: &'a Tree,
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested { level: 0, node: self }.serialize(serializer)
    }
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { level, node } = *self;
        let is_deepest = level == DEEPEST_NESTED;
        let has_descendants = is_deepest && !node.children.is_empty();
        let mut data = serializer.serialize_struct("Tree", 6 + usize::from(has_descendants))?;
        serialize_fields(&mut data, node)?;
        if is_deepest {
            data.serialize_field::<[Tree]>("children", &[])?;
        } else {
            data.serialize_field("children", &Children { level: level + 1, of: node })?;
        }
        if has_descendants {
            data.serialize_field("descendants", &Descendants { level, of: node })?;
        }
        data.end()
    }
}

impl Serialize for Children<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nested = |node| Nested { level: self.level, node };
        serializer.collect_seq(self.of.children.iter().map(nested))
    }
}

impl Serialize for Descendants<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for (below, node) in self.of.levels().skip(1) {
            list.serialize_element(&Alone { level: self.level + below, node })?;
        }
        list.end()
    }
}

impl Serialize for Alone<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut data = serializer.serialize_struct("Tree", 6)?;
        data.serialize_field("level", &self.level)?;
        serialize_fields(&mut data, self.node)?;
        data.end()
    }
}

fn serialize_fields<S: SerializeStruct>(data: &mut S, node: &Tree) -> Result<(), S::Error> {
    data.serialize_field("id", &node.id)?;
    data.serialize_field("kind", &node.kind)?;
    data.serialize_field("state", &node.state)?;
    data.serialize_field("pid", &node.pid)?;
    data.serialize_field("restarts", &node.restarts)
}
